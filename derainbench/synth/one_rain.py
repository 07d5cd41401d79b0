"""One rain on one clean image, written as files: what the worker processes of ``datasets synth`` do."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from derainbench.errors import StorageError, UserError
from derainbench.images.decode import open_image, png_bytes, read_rgb
from derainbench.rain import RainModel, plane_depth, preset
from derainbench.rain.models import RAIN_MODELS
from derainbench.support.atomic import write_atomic
from derainbench.synth.sources import Scene

_LEVELS = 65535  # of a layer's 16-bit PNG: the value 1
_SPLITS = ("test", "train")  # their place is part of every seed


@dataclass(frozen=True)
class Making:
    """What decides the bytes of a split, but for its clean images, and the folder ``OUT/SPLIT`` it goes to."""

    preset: str
    seed: int
    split: Literal["train", "test"]
    folder: Path

    @property
    def model(self) -> RainModel:
        """The preset's rain model."""
        return RAIN_MODELS[preset(self.preset).model]


@dataclass(frozen=True)
class Job:
    """The rain number ``n`` of a scene."""

    scene: Scene
    n: int


def files_of(making: Making, scene: str, n: int) -> list[Path]:
    """What is written for one rain, the rainy image last: where that is, so is all the rest."""
    layers = [*making.model.grey_layers, *making.model.colour_layers]
    files = [layer_file(making, layer, scene, n) for layer in layers]
    return [*files, clean_file(making, scene), rainy_file(making, scene, n)]


def clean_file(making: Making, scene: str) -> Path:
    """8-bit RGB PNG."""
    return making.folder / "clean" / f"{scene}.png"


def rainy_file(making: Making, scene: str, n: int) -> Path:
    """8-bit RGB PNG of the scene's rain number n."""
    return making.folder / "rainy" / f"{scene}-{n}.png"


def rain_files(making: Making, scene: str, n: int) -> list[Path]:
    """Those of :func:`files_of` that belong to this rain alone, not to its scene."""
    shared = {clean_file(making, scene), *(layer_file(making, layer, scene, n) for layer in making.model.scene_layers)}
    return [path for path in files_of(making, scene, n) if path not in shared]


def has_content(path: Path | str) -> bool:
    """False for what is not there, and for an empty file, as a full disk or a crash of the system may leave it."""
    try:
        return Path(path).stat().st_size > 0
    except OSError:
        return False


def layer_file(making: Making, layer: str, scene: str, n: int) -> Path:
    """A layer by its name in the equation, or ``depth``, which is the same for all rains of a scene."""
    name = f"{scene}.png" if layer in making.model.scene_layers else f"{scene}-{n}.png"
    return making.folder / "layers" / layer / name


def make(making: Making, jobs: Sequence[Job]) -> list[str]:
    """Write the files of some rains, each whole or not at all; what could not be done, a line an image.

    :class:`StorageError` where the disk refuses.
    """
    failures: dict[Path, str] = {}
    for scene, numbers in _by_scene(jobs):
        try:
            _make_scene(making, scene, numbers)
        except StorageError:
            raise
        except UserError as error:
            failures[scene.clean] = str(error)
    return list(failures.values())


def _by_scene(jobs: Sequence[Job]) -> Iterator[tuple[Scene, list[int]]]:
    """Neighbours of one scene together, so that its clean image is decoded once."""
    numbers: dict[Scene, list[int]] = {}
    for job in jobs:
        numbers.setdefault(job.scene, []).append(job.n)
    yield from numbers.items()


def _make_scene(making: Making, scene: Scene, numbers: Sequence[int]) -> None:
    clean = read_rgb(scene.clean)
    depth = stored_depth(making, scene, clean.shape[0], clean.shape[1]) if making.model.has_depth else None
    # The rain is made from the depth as it is stored, so that the files together satisfy the equation.
    normalised = None if depth is None else (depth / _LEVELS).astype(np.float32)
    if not has_content(clean_file(making, scene.name)):
        write_atomic(clean_file(making, scene.name), png_bytes(clean))
    if depth is not None and not has_content(layer_file(making, "depth", scene.name, 0)):
        write_atomic(layer_file(making, "depth", scene.name, 0), _png(depth))
    for n in numbers:
        rain = preset(making.preset)(clean, normalised, _seed(making, scene.name, n))
        for layer, values in rain.layers.items():
            write_atomic(layer_file(making, layer, scene.name, n), _layer_png(values, clean.shape[:2]))
        write_atomic(rainy_file(making, scene.name, n), png_bytes(rain.rainy))


def stored_depth(making: Making, scene: Scene, height: int, width: int) -> NDArray[np.uint16]:
    """(height, width) in 16 bits, 65535 at the farthest point: of the given file, or modelled."""
    if scene.depth is None:
        normalised = plane_depth(height, width, _seed(making, scene.name, None))
    else:
        image = open_image(scene.depth)
        if image.mode not in ("L", "I", "F") and not image.mode.startswith("I;16"):
            raise UserError(f"{scene.depth} is {image.mode}; a depth map has one grey channel of 8 or 16 bits")
        values = np.asarray(image, dtype=np.float64)
        if values.shape != (height, width):
            raise UserError(f"{scene.depth} is {values.shape[1]}x{values.shape[0]} but {scene.clean} {width}x{height}")
        if not (np.isfinite(values).all() and values.min() >= 0.0 and values.max() > 0.0):
            raise UserError(f"{scene.depth} is black, or not finite: a depth map is larger where the scene is farther")
        normalised = (values / values.max()).astype(np.float32)
    return np.rint(normalised.astype(np.float64) * _LEVELS).astype(np.uint16)


def _seed(making: Making, scene: str, n: int | None) -> int:
    """From the rain's place in the dataset: other clean images change nothing. Of the scene's depth where n is None.

    The split is a part of it: scenes are often called 1, 2, 3 in both, and no rain of the test split may be in train.
    """
    entropy = [making.seed, _SPLITS.index(making.split), 0 if n is None else n + 1, *scene.encode("utf-8")]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _layer_png(values: NDArray[np.float32], size: tuple[int, ...]) -> bytes:
    """Grey layers in 16 bits, colour ones in 8; a layer of one value (A) fills the image."""
    full = np.broadcast_to(values, (*size, values.shape[2])).astype(np.float64)
    if values.shape[2] == 3:
        return png_bytes(np.rint(255.0 * full).astype(np.uint8))
    return _png(np.rint(_LEVELS * full[..., 0]).astype(np.uint16))


def _png(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(values).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()
