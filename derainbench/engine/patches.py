"""Training patches from paired files, as a function of the seed and the step alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.engine.image_cache import Decoded, DecodedImages
from derainbench.engine.layers import Source
from derainbench.engine.mixup import Mixing, draw_mixing
from derainbench.engine.order import order_of
from derainbench.engine.stages import Stages
from derainbench.errors import UserError
from derainbench.images.decode import Array
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe

#: Enough images to know a dataset's mean and deviation; reading 600,000 files to learn three numbers is not.
STATISTICS_IMAGES = 500


class Levels(NamedTuple):
    """A :class:`.method.Batch` on its way to a device: images in uint8, a quarter of what their floats take."""

    rainy: Tensor
    clean: Tensor
    layers: Mapping[str, Tensor]
    mixing: Mixing | None = None

    def batch(self) -> Batch:
        """The images as floats in [0, 1], on the same device, mixed where they are to be."""
        # By a tensor: by a number a GPU would multiply with its inverse, which is not the same in the last bit.
        most = torch.full((), 255.0, device=self.rainy.device)
        rainy, clean = self.rainy.float().div_(most), self.clean.float().div_(most)
        if self.mixing is not None:
            rainy, clean = self.mixing.mixed(rainy), self.mixing.mixed(clean)
        return Batch(rainy, clean, self.layers)


class Patches(Dataset[Batch]):
    """One item a training step: a whole batch of patches.

    Of a union each member gives its share of the samples. What is in it depends on the seed and the step only, not on
    how many workers load it nor on where a training started, so that a resumed run sees exactly what an
    uninterrupted one would have. Of ``ranks`` that train together each has its share of every batch. ``layers``
    are what a batch has beside the images, by name.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        recipe: Recipe,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
        layers: Mapping[str, Source] = MappingProxyType({}),
    ) -> None:
        self._images, self._recipe, self._seed = DecodedImages(pairs), recipe, seed
        self._grid = _Grid(self._images.sizes(), recipe.patch, recipe.stride) if recipe.stride is not None else None
        before = np.arange(len(pairs) + 1) if self._grid is None else self._grid.before
        self._places, self._orders = int(before[-1]), order_of(pairs, seed, before)
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)
        self._layers = layers
        if layers and recipe.mixup is not None:
            raise UserError(f"mixup mixes images, and this network learns from {', '.join(layers)} too; leave it out")
        for source in layers.values():
            source.prepare(self._images)
        self.steps = recipe.steps or math.ceil((recipe.epochs or 0) * self._places / recipe.batch)
        self._stages = Stages(recipe, self.steps)
        self._rows = {part.batch: rows_of(rank, ranks, part.batch) for part in self._stages.parts}

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step, 0 to ``steps - 1``: (B, 3, patch, patch) each, and the layers."""
        return self.levels(step).batch()

    def levels(self, step: int) -> Levels:
        """The same as bytes."""
        part = self._stages.of(step)
        rows, mixing = list(self._rows[part.batch]), None
        drawn = draw_mixing(self._recipe, self._seed, step, part.batch)
        if drawn is not None:
            others, mixing = drawn.of_rows(rows)
            rows += others
        rainy, clean = np.empty((2, len(rows), 3, part.patch, part.patch), np.uint8)
        layers: dict[str, NDArray[np.float32]] = {}
        first = part.number + (step - part.start) * part.batch
        for offset, row in enumerate(rows):
            index, images, cut = self._sample(first + row, part.patch)
            rainy[offset] = cut(images.rainy).transpose(2, 0, 1)
            clean[offset] = cut(images.clean).transpose(2, 0, 1)
            for name, source in self._layers.items():
                layer = source.layer(self._images, index)
                seen = layer if source.of_whole_image else cut(layer)
                layers.setdefault(name, np.empty((len(rows), 1, *seen.shape), np.float32))[offset, 0] = seen
        tensors = {name: torch.from_numpy(layer) for name, layer in layers.items()}
        return Levels(torch.from_numpy(rainy), torch.from_numpy(clean), tensors, mixing)

    def _sample(self, number: int, patch: int) -> tuple[int, Decoded, Callable[[Array], Array]]:
        """The pair that the sample of that number is from, its images, and how they are cut."""
        epoch, position = divmod(number, self._places)
        if epoch != self._epoch:  # the order of one epoch is remembered: shuffling again for every patch is slow
            self._epoch, self._order = epoch, self._orders.epoch(epoch)
        place = int(self._order[position])
        random = np.random.default_rng([self._seed, number])
        if self._grid is None:
            index, images = place, self._images[place]
            height, width = images.rainy.shape[:2]
            top = int(random.integers(max(1, height - patch + 1)))
            left = int(random.integers(max(1, width - patch + 1)))
        else:
            index, top, left = self._grid[place]
            images = self._images[index]
        across, down, turns = _drawn_symmetry(self._recipe.augment, random)

        def cut(image: Array) -> Array:
            image = _at_least(image[top : top + patch, left : left + patch], patch)
            if across:
                image = image[:, ::-1]
            if down:
                image = image[::-1]
            return np.rot90(image, turns) if turns else image

        return index, images, cut


#: MPRNet's nine: whether columns and rows are turned over, and quarter turns after it. Nothing is done by two of them.
_MPRNET = (
    *((False, False, 0), (False, True, 0), (True, False, 0), (False, False, 1), (False, False, 2)),
    *((False, False, 3), (False, True, 1), (True, False, 1), (False, False, 0)),
)


def _drawn_symmetry(augment: Sequence[str], random: np.random.Generator) -> tuple[bool, bool, int]:
    """Whether a patch is turned over across and down, and by how many quarter turns after that."""
    across, down, turns = random.random() < 0.5, random.random() < 0.5, int(random.integers(4))
    if "mprnet" in augment:
        return _MPRNET[int(random.integers(len(_MPRNET)))]
    return across and "hflip" in augment, down and "vflip" in augment, turns if "rot90" in augment else 0


class _Grid:
    """All positions ``stride`` pixels apart, image by image, row by row: by number, without a list of them."""

    def __init__(self, sizes: NDArray[np.int64], patch: int, stride: int) -> None:
        steps = np.maximum(sizes - patch, 0) // stride + 1
        self._columns, self._ends, self._stride = steps[:, 1], np.cumsum(steps.prod(axis=1)), stride

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def before(self) -> NDArray[np.int64]:
        """(N + 1,): how many positions the images before each have, and last how many there are."""
        return np.concatenate([[0], self._ends]).astype(np.int64)

    def __getitem__(self, place: int) -> tuple[int, int, int]:
        """Which image, and the patch's top row and left column in it."""
        index = int(np.searchsorted(self._ends, place, side="right"))
        row, column = divmod(place - (int(self._ends[index - 1]) if index else 0), int(self._columns[index]))
        return index, row * self._stride, column * self._stride


def rows_of(rank: int, count: int, batch: int) -> range:
    """Which samples of a batch a process trains on. :class:`UserError` where the batch cannot be shared out equally:
    the mean of unequal parts' means is not that of the batch."""
    if batch % count:
        raise UserError(
            f"a batch of {batch} cannot be shared out among {count} devices; give --devices-per-cell a number that "
            f"divides it, such as {max(n for n in range(1, count) if batch % n == 0)}"
        )
    each = batch // count
    return range(rank * each, (rank + 1) * each)


def grid_places(sizes: NDArray[np.int64], patch: int, stride: int) -> int:
    """How many patches an epoch has: positions ``stride`` apart in images of (N, 2) heights and widths."""
    return len(_Grid(sizes, patch, stride))


def hold_out(pairs: Sequence[Pair], share: float) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Split training pairs into (for training, for validation) by scene, so that no background is in both.

    The share of scenes is rounded, but at least one is held out where the share is not 0 and two scenes remain.
    """
    if share <= 0:
        return pairs, []
    of_pair = pairs.column("scene").to_pylist() if isinstance(pairs, Pairs) else [pair.scene for pair in pairs]
    scenes = sorted(set(of_pair))
    count = min(max(1, round(share * len(scenes))), len(scenes) - 1)
    held = {scenes[(2 * i + 1) * len(scenes) // (2 * count)] for i in range(count)}
    chosen = np.fromiter((scene in held for scene in of_pair), bool, len(of_pair))
    return _chosen(pairs, np.flatnonzero(~chosen)), _chosen(pairs, np.flatnonzero(chosen))


def rainy_statistics(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the pixels of the rainy images: (3,) RGB each, in [0, 1].

    Of at most :data:`STATISTICS_IMAGES` images, evenly spaced through the list.
    """
    images = DecodedImages(pairs)
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for index in range(0, len(images), math.ceil(len(images) / STATISTICS_IMAGES)):
        pixels = images.rainy(index).reshape(-1, 3) / 255
        count, total, squares = count + len(pixels), total + pixels.sum(0), squares + (pixels**2).sum(0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


def _chosen(pairs: Sequence[Pair], indices: NDArray[np.int64]) -> Sequence[Pair]:
    return pairs.take(indices) if isinstance(pairs, Pairs) else [pairs[index] for index in indices]


def _at_least(image: Array, size: int) -> Array:
    """Grow an image smaller than the patch by mirroring, so that small images train too."""
    missing = [(0, max(0, size - length)) for length in image.shape[:2]]
    if not any(after for _, after in missing):
        return image
    return np.pad(image, missing + [(0, 0)] * (image.ndim - 2), mode="symmetric")
