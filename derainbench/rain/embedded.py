"""The embedded datasets: rain on photographs that every installation has, written once as ordinary image folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import BaseModel, ConfigDict, Field, model_validator

from derainbench.errors import StorageError, UserError
from derainbench.rain import MIN_SIDE, PRESETS, Preset, Rain, plane_depth, preset
from derainbench.rain.models import RAIN_MODELS, RainModelName
from derainbench.rain.photographs import PHOTOGRAPHS, measured_depth, photograph
from derainbench.support.leftovers import remove_leftovers, unfinished_beside

_STRIDE = 8  # px between the positions that a crop may take
_DETAIL = 0.06  # standard deviation of luma, of 1, below which a crop counts as near-constant
_UNFINISHED = ".unfinished"
_LEVELS = 65535  # of a 16-bit PNG: 1, of a depth the farthest point of the photograph

Side = Annotated[int, Field(ge=MIN_SIDE, le=4096)]


class Crops(BaseModel):
    """How many crops are cut from each photograph of a split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int = Field(ge=1, le=100)
    test: int = Field(ge=1, le=100)


class Generation(BaseModel):
    """The `[generate]` table of a dataset card: everything that decides the bytes of an embedded dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: RainModelName
    """Rain model: streak, drop or mist."""
    preset: str
    """A preset of that model, see `derainbench.rain.PRESETS`."""
    train: tuple[str, ...] = Field(min_length=1)
    """Photographs to train on, by their name in `derainbench.rain.photographs.PHOTOGRAPHS`."""
    test: tuple[str, ...] = Field(min_length=1)
    """Photographs to test on; none of them in `train`."""
    size: tuple[Side, Side]
    """Height and width of every image, in pixels."""
    span: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of the photograph's shorter side that a crop spans: it is shrunk first, so that crops look like scenes."""
    crops: Crops
    """Crops a photograph."""
    per_crop: int = Field(ge=1, le=1000)
    """Rains a crop, in train; in test it is one."""
    layers: tuple[str, ...] = ()
    """Layers of each rain that are kept beside the training images, as the rain model calls them."""
    seed: int = Field(ge=0)
    """Of parameters and layers of all rains."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.preset not in PRESETS or PRESETS[self.preset].model != self.model:
            known = sorted(name for name, each in PRESETS.items() if each.model == self.model)
            raise ValueError(
                f"preset {self.preset!r} is none of the rain model {self.model!r}; it has {', '.join(known)}"
            )
        grey = [
            name for name in RAIN_MODELS[self.model].grey_layers if name not in RAIN_MODELS[self.model].scene_layers
        ]
        if others := sorted(set(self.layers) - set(grey)):
            raise ValueError(f"no layer {', '.join(others)} of each rain of {self.model!r}; it has {', '.join(grey)}")
        named = [*self.train, *self.test]
        unknown = sorted(set(named) - set(PHOTOGRAPHS))
        if unknown:
            raise ValueError(f"no photograph {', '.join(unknown)}; there are {', '.join(sorted(PHOTOGRAPHS))}")
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"photograph named twice in train and test together: {', '.join(twice)}; name it once")
        return self


def generate(spec: Generation, folder: Path) -> None:
    """Write the dataset that `spec` describes into `folder`, whole or not at all; the same bytes every time.

    Files, all PNG: `train/clean/{scene}-{crop}.png`, `train/rainy/{scene}-{crop}-{n}.png`,
    `test/clean/{scene}-{crop}.png`, `test/rainy/{scene}-{crop}.png`, 8-bit RGB; for mist also
    `{split}/depth/{scene}-{crop}.png`, 16-bit grey, 65535 being the farthest point of the photograph; and
    `train/{layer}/{scene}-{crop}-{n}.png` for each of the layers that are kept, 65535 being 1. Numbers count from 0.
    The folder is made under another name beside and renamed at the end; if a second process was faster, its folder
    stays and this one's goes. A folder that is there already, and not empty, is left alone; what killed processes left
    unfinished beside it goes.

    Raises UserError if a photograph is too small for the crops asked of it, StorageError if the disk refuses.
    """
    remove_leftovers(folder.parent, _UNFINISHED)
    if folder.is_dir() and any(folder.iterdir()):
        return
    unfinished = unfinished_beside(folder, _UNFINISHED)
    try:
        unfinished.mkdir(parents=True)
        _write(spec, unfinished)
        _publish(unfinished, folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(
            f"cannot write the dataset to {folder}: {reason}; free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _publish(unfinished: Path, folder: Path) -> None:
    """Rename; losing the race against another process is no failure, because both wrote the same bytes."""
    try:
        unfinished.replace(folder)
    except OSError:
        if not (folder.is_dir() and any(folder.iterdir())):
            raise


def _write(spec: Generation, folder: Path) -> None:
    rain = preset(spec.preset)
    scenes = ((split, name) for split in ("train", "test") for name in sorted(getattr(spec, split)))
    for split, scene in scenes:
        crops = spec.crops.train if split == "train" else spec.crops.test
        for crop, (clean, depth) in enumerate(_crops(spec, scene, crops)):
            stem = f"{scene}-{crop}"
            _save(clean, folder / split / "clean" / f"{stem}.png")
            if depth is not None:
                _save(depth, folder / split / "depth" / f"{stem}.png")
            for n in range(spec.per_crop if split == "train" else 1):
                name = f"{stem}-{n}.png" if split == "train" else f"{stem}.png"
                rained = _rained(rain, clean, depth, _seed(spec, scene, crop, n))
                _save(rained.rainy, folder / split / "rainy" / name)
                for layer in spec.layers if split == "train" else ():
                    _save(_sixteen_bits(rained.layers[layer][..., 0]), folder / split / layer / name)


def _rained(rain: Preset, clean: NDArray[np.uint8], depth: NDArray[np.uint16] | None, seed: int) -> Rain:
    """The rain is computed from the depth as it is stored, so that the files together satisfy the equation."""
    normalised = None if depth is None else (depth / _LEVELS).astype(np.float32)
    return rain(clean, normalised, seed)


def _sixteen_bits(layer: NDArray[np.float32]) -> NDArray[np.uint16]:
    levels: NDArray[np.uint16] = np.rint(layer.clip(0, 1) * _LEVELS).astype(np.uint16)
    return levels


def _crops(spec: Generation, scene: str, count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint16] | None]]:
    """`count` crops of one photograph, each with its part of the depth map where the rain model wants one."""
    image = _shrunk(spec, scene)
    depth = _depth(spec, scene, image.shape[0], image.shape[1]) if RAIN_MODELS[spec.model].has_depth else None
    height, width = spec.size
    for top, left in crop_positions(image, height, width, count):
        window = np.s_[top : top + height, left : left + width]
        yield image[window], None if depth is None else depth[window]


def _shrunk(spec: Generation, scene: str) -> NDArray[np.uint8]:
    """The photograph shrunk until a crop spans the share of it that `spec` asks for; never enlarged."""
    original = photograph(scene)
    height, width = spec.size
    rows, columns = original.shape[:2]
    scale = height / (spec.span * rows) if rows <= columns else width / (spec.span * columns)
    target = [round(side * min(1.0, scale)) for side in (rows, columns)]
    if target[0] < height or target[1] < width:
        raise UserError(
            f"photograph {scene} gives {target[0]}x{target[1]} pixels, too few for crops of {height}x{width};"
            " choose smaller ones"
        )
    resized = Pillow.fromarray(original).resize((target[1], target[0]), Pillow.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def _depth(spec: Generation, scene: str, height: int, width: int) -> NDArray[np.uint16]:
    """Depth of the shrunk photograph, normalised: the measured one where there is one, a modelled plane otherwise."""
    metres = measured_depth(scene)
    if metres is None:
        normalised = plane_depth(height, width, _seed(spec, scene, 0, 0))
    else:
        resized = Pillow.fromarray(metres).resize((width, height), Pillow.Resampling.BOX)
        normalised = np.asarray(resized, dtype=np.float32)
        normalised = normalised / normalised.max()
    return _sixteen_bits(normalised)


def crop_positions(image: NDArray[np.uint8], height: int, width: int, count: int) -> list[tuple[int, int]]:
    """`count` (top, left) corners of height x width crops, spread over an (H, W, 3) image, off its empty parts.

    The first is the one with the most contrast, each next one the farthest from those taken; near-constant crops come
    last. Raises UserError if the image has fewer positions than `count`.
    """
    luma = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255.0
    tops, lefts = _offsets(image.shape[0] - height), _offsets(image.shape[1] - width)
    corners = [(top, left) for top in tops for left in lefts]
    if len(corners) < count:
        raise UserError(
            f"{count} crops of {height}x{width} do not fit into {image.shape[0]}x{image.shape[1]} pixels;"
            f" ask for {len(corners)} at most, or for smaller ones"
        )
    detail = {at: float(luma[at[0] : at[0] + height, at[1] : at[1] + width].std()) for at in corners}
    chosen = [max(corners, key=lambda at: detail[at])]
    while len(chosen) < count:
        rest = [at for at in corners if at not in chosen]
        rest = [at for at in rest if detail[at] >= _DETAIL] or rest
        chosen.append(max(rest, key=lambda at: (min(_distance(at, other) for other in chosen), detail[at])))
    return chosen


def _offsets(last: int) -> list[int]:
    """0, 8, 16, ... and `last` itself; empty where nothing fits."""
    return sorted({*range(0, last + 1, _STRIDE), last}) if last >= 0 else []


def _distance(one: tuple[int, int], other: tuple[int, int]) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2


def _seed(spec: Generation, scene: str, crop: int, n: int) -> int:
    """A seed for one rain, from its place in the dataset: another photograph added to a card changes no other image."""
    entropy = [spec.seed, crop, n, *scene.encode("utf-8")]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _save(pixels: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        Pillow.fromarray(pixels).save(stream, format="PNG")
        stream.flush()
        os.fsync(stream.fileno())  # a folder that has its final name is whole, even after a power cut
