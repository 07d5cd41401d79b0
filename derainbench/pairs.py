"""Training patches from paired files, as a function of the seed and the step alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from derainbench.errors import UserError
from derainbench.images import Array, image_size, read_layer, read_pair, read_rgb
from derainbench.method import Batch
from derainbench.pairing import Pair
from derainbench.recipe import Recipe

#: Decoded pairs are kept in memory up to this many bytes.
CACHE_BYTES = 1 << 30

#: Enough images to know a dataset's mean and deviation; reading 600,000 files to learn three numbers is not.
STATISTICS_IMAGES = 500


class Patches(Dataset[Batch]):
    """One item a training step: a whole batch of patches.

    What is in it depends on the seed and the step only, not on how many workers load it nor on where a training
    started, so that a resumed run sees exactly what an uninterrupted one would have.
    """

    def __init__(self, pairs: Sequence[Pair], recipe: Recipe, seed: int) -> None:
        self._pairs, self._recipe, self._seed = list(pairs), recipe, seed
        self._places = self._grid() if recipe.stride is not None else [(index, -1, -1) for index in range(len(pairs))]
        self._decoded: dict[int, tuple[Array, Array, dict[str, Array]]] = {}
        self._free = CACHE_BYTES
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)
        self.steps = recipe.steps or math.ceil((recipe.epochs or 0) * len(self._places) / recipe.batch)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step, 0 to ``steps - 1``: (B, 3, patch, patch) each, and the layers."""
        batch = self._recipe.batch
        samples = [self._sample(step * batch + offset) for offset in range(batch)]
        layers = {name: torch.stack([_floats(s[2][name]) for s in samples]) for name in samples[0][2]}
        return Batch(
            rainy=torch.stack([_floats(rainy) / 255 for rainy, _, _ in samples]),
            clean=torch.stack([_floats(clean) / 255 for _, clean, _ in samples]),
            layers=layers,
        )

    def _sample(self, number: int) -> tuple[Array, Array, dict[str, Array]]:
        epoch, position = divmod(number, len(self._places))
        if epoch != self._epoch:  # the order of one epoch is remembered: shuffling again for every patch is slow
            self._epoch, self._order = epoch, self._shuffled(epoch)
        index, top, left = self._places[self._order[position]]
        rainy, clean, layers = self._load(index)
        random = np.random.default_rng([self._seed, number])
        patch = self._recipe.patch
        if top < 0:
            top = int(random.integers(max(1, rainy.shape[0] - patch + 1)))
            left = int(random.integers(max(1, rainy.shape[1] - patch + 1)))
        flip, flop, turns = random.random() < 0.5, random.random() < 0.5, int(random.integers(4))

        def cut(image: Array) -> Array:
            image = _at_least(image[top : top + patch, left : left + patch], patch)
            if flip and "hflip" in self._recipe.augment:
                image = image[:, ::-1]
            if flop and "vflip" in self._recipe.augment:
                image = image[::-1]
            return np.rot90(image, turns) if "rot90" in self._recipe.augment else image

        return cut(rainy), cut(clean), {name: cut(layer) for name, layer in layers.items()}

    def _load(self, index: int) -> tuple[Array, Array, dict[str, Array]]:
        if index in self._decoded:
            return self._decoded[index]
        pair = self._pairs[index]
        rainy, clean = read_pair(pair.rainy, pair.clean)
        loaded = rainy, clean, {name: read_layer(path) for name, path in pair.layers.items()}
        for name, layer in loaded[2].items():
            if layer.shape != rainy.shape[:2]:
                size_of_rainy, size_of_layer = (f"{image.shape[1]}x{image.shape[0]}" for image in (rainy, layer))
                raise UserError(
                    f"{pair.rainy} is {size_of_rainy} but its {name} {pair.layers[name]} is {size_of_layer}; "
                    "restore the right one"
                )
        size = rainy.nbytes + clean.nbytes + sum(layer.nbytes for layer in loaded[2].values())
        if size <= self._free:
            self._decoded[index] = loaded
            self._free -= size
        return loaded

    def _grid(self) -> list[tuple[int, int, int]]:
        patch, stride = self._recipe.patch, self._recipe.stride or 1
        return [
            (index, top, left)
            for index, pair in enumerate(self._pairs)
            for height, width in [image_size(pair.rainy)]
            for top in range(0, max(1, height - patch + 1), stride)
            for left in range(0, max(1, width - patch + 1), stride)
        ]

    def _shuffled(self, epoch: int) -> Array:
        return np.random.default_rng([self._seed, epoch, 1]).permutation(len(self._places))


def hold_out(pairs: Sequence[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """Split training pairs into (for training, for validation) by scene, so that no background is in both.

    The share of scenes is rounded, but at least one is held out where the share is not 0 and two scenes remain.
    """
    scenes = sorted({pair.scene for pair in pairs})
    count = min(max(1, round(share * len(scenes))), len(scenes) - 1) if share > 0 else 0
    held = {scenes[(2 * i + 1) * len(scenes) // (2 * count)] for i in range(count)}
    return [p for p in pairs if p.scene not in held], [p for p in pairs if p.scene in held]


def rainy_statistics(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the pixels of the rainy images: (3,) RGB each, in [0, 1].

    Of at most :data:`STATISTICS_IMAGES` images, evenly spaced through the list.
    """
    chosen = pairs[:: math.ceil(len(pairs) / STATISTICS_IMAGES)]
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for pair in chosen:
        pixels = read_rgb(pair.rainy).reshape(-1, 3) / 255
        count, total, squares = count + len(pixels), total + pixels.sum(0), squares + (pixels**2).sum(0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


def _at_least(image: Array, size: int) -> Array:
    """Grow an image smaller than the patch by mirroring, so that small images train too."""
    missing = [(0, max(0, size - length)) for length in image.shape[:2]]
    if not any(after for _, after in missing):
        return image
    return np.pad(image, missing + [(0, 0)] * (image.ndim - 2), mode="symmetric")


def _floats(image: Array) -> Tensor:
    planes = image.transpose(2, 0, 1) if image.ndim == 3 else image[None]
    return torch.from_numpy(np.array(planes, order="C")).float()  # a copy: Pillow's memory is read-only
