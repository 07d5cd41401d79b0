"""One's own photographs: read with their orientation, restored at full size, written with alpha and colour profile."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from derainbench.images.decode import Array, open_image, to_rgb
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import to_array, to_tensor
from derainbench.support.atomic import write_atomic

_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


@dataclass(frozen=True)
class Photo:
    """A photograph as it was read: ``rgb`` (H, W, 3) uint8, upright; ``alpha`` and ``profile`` where it has them."""

    rgb: Array
    alpha: Image.Image | None
    profile: bytes | None


def read_photo(path: Path) -> Photo:
    """A photograph, turned as its EXIF orientation says; :class:`UserError` where it cannot be read.

    Grey and 16-bit images become 8-bit RGB. Of several images in a file (animations, pages) it is the first.
    """
    image = open_image(path)
    transparent = image.mode in _WITH_ALPHA or "transparency" in image.info
    alpha = image.convert("RGBA").getchannel("A") if transparent else None
    # A profile of grey or CMYK does not describe the RGB that is written.
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    return Photo(to_rgb(image), alpha, profile)


def restored_png(
    photo: Photo,
    restore: Callable[[Tensor], Tensor],
    quantisation: Quantisation = "round",
    texts: PngInfo | None = None,
) -> bytes:
    """A restored photograph as an 8-bit PNG file, with its transparency, its colour profile, and ``texts``.

    ``restore`` takes and gives (1, 3, H, W) RGB in [0, 1], as :func:`derainbench.engine.restore.restorer` makes one.
    """
    restored = Image.fromarray(to_array(restore(to_tensor(photo.rgb).unsqueeze(0))[0], quantisation))
    if photo.alpha is not None:
        restored.putalpha(photo.alpha)
    buffer = io.BytesIO()
    restored.save(buffer, format="PNG", icc_profile=photo.profile, pnginfo=texts)
    return buffer.getvalue()


def derain_photo(photo: Path, target: Path, restore: Callable[[Tensor], Tensor]) -> None:
    """Restore one photograph and write it as an 8-bit PNG, atomically: :func:`read_photo`, :func:`restored_png`."""
    write_atomic(target, restored_png(read_photo(photo), restore))
