"""One's own photographs: read with their orientation, restored at full size, written with alpha and colour profile."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image

from derainbench.atomic import write_atomic
from derainbench.errors import UserError
from derainbench.images import open_image, to_array, to_rgb, to_tensor
from derainbench.restore import restore_tiled
from derainbench.results import training_folder
from derainbench.variant import Variant
from derainbench.weights import published_file

_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def derain_photo(
    photo: Path, target: Path, network: torch.nn.Module, device: torch.device, tile: int, size_multiple: int
) -> None:
    """Restore one photograph and write it as an 8-bit PNG, atomically.

    EXIF orientation is applied; transparency is kept as it was; grey and 16-bit images become 8-bit RGB; an embedded
    colour profile is copied. ``tile`` 0 means the whole image at once.
    """
    image = open_image(photo)
    transparent = image.mode in _WITH_ALPHA or "transparency" in image.info
    alpha = image.convert("RGBA").getchannel("A") if transparent else None
    rainy = to_tensor(to_rgb(image)).unsqueeze(0).to(device)
    side = tile or max(rainy.shape[-2:])
    restored = Image.fromarray(to_array(restore_tiled(network, rainy, side, size_multiple)[0]))
    if alpha is not None:
        restored.putalpha(alpha)
    buffer = io.BytesIO()
    # A profile of grey or CMYK does not describe the RGB that is written.
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    restored.save(buffer, format="PNG", icc_profile=profile)
    write_atomic(target, buffer.getvalue())


def find_weights(variant: Variant, given: Path | None, trained_on: str | None) -> Path | None:
    """The weights file: as given, of a training in a run folder, or published; None where none is needed.

    :class:`UserError` where there is none, or where a run has several trainings to choose from.
    """
    if given is None:
        if variant.weights is not None:
            return published_file(variant)
        if variant.method.recipe is None:
            return None
        raise UserError(f"{variant.name} needs weights; give --weights FILE, --weights RUN, or a tag as in NAME@TAG")
    if not given.is_dir():
        if trained_on is not None:
            raise UserError(f"--trained-on chooses among the trainings of a run, but {given} is a file; leave it out")
        return given
    trained = given / "train" / variant.name
    folders = sorted(trained.iterdir()) if trained.is_dir() else []
    names = [folder.name for folder in folders if list(folder.glob("seed*/weights.safetensors"))]
    if not names:
        raise UserError(f"run {given} has no finished training of {variant.name}; train it or name what it has")
    if trained_on is None and len(names) > 1:
        raise UserError(f"run {given} trained {variant.name} on {', '.join(names)}; choose with --trained-on")
    if trained_on is not None and trained_on not in names:
        raise UserError(f"run {given} did not train {variant.name} on {trained_on!r}; it has {', '.join(names)}")
    chosen = trained_on or names[0]
    seeds = training_folder(given, variant.name, chosen, 0).parent.glob("seed*/weights.safetensors")
    return min(seeds, key=lambda path: int(path.parent.name.removeprefix("seed")))
