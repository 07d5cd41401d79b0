"""Where the layers that a training needs come from in a dataset: its files, its names, or a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.patterns import Pattern
from derainbench.engine.image_cache import DecodedImages
from derainbench.errors import UserError
from derainbench.images.decode import file_of
from derainbench.plugins.layers import Layer, Rule, Thirds

#: What derainbench's generators call a layer, where that is not its name.
_GENERATORS = {"streak": "S", "mask": "M"}

#: Names of rain's density in a file's path, in any case, and their numbers.
DENSITIES = {"heavy": 0, "medium": 1, "light": 2}

#: By so many images the thirds of a training set are told; reading 600,000 for two numbers would take an hour.
THIRDS_IMAGES = 500


class Source(Protocol):
    """Gives a layer of pairs, by their number: (H, W) float32 in [0, 1].

    ``of_whole_image``: it is (1, 1), a number that holds for every part of the image.
    """

    @property
    def of_whole_image(self) -> bool: ...

    def prepare(self, images: DecodedImages) -> None:
        """Look at the training set as a whole, once."""

    def layer(self, images: DecodedImages, index: int) -> Layer:
        """The layer of the pair of that number."""


class Found(NamedTuple):
    """Where a layer is from, in one word or two (``given``, ``generator``, ``derived: RULE``), and what gives it."""

    origin: str
    source: Source


@dataclass(frozen=True)
class FileLayer:
    """A file of the pair, by its name on the card; a mask is 1 where the file is above ``above``."""

    role: str
    above: float | None = None
    of_whole_image = False

    def prepare(self, images: DecodedImages) -> None:
        """Nothing."""

    def layer(self, images: DecodedImages, index: int) -> Layer:
        """As the file has it."""
        layer = images.layer(self.role, index)
        return layer if self.above is None else (layer > np.float32(self.above)).astype(np.float32)


@dataclass(frozen=True)
class _Derived:
    rule: Rule
    of_whole_image = False

    def prepare(self, images: DecodedImages) -> None:
        """Nothing."""

    def layer(self, images: DecodedImages, index: int) -> Layer:
        """By the rule."""
        pair = images[index]
        return self.rule.derive(pair.rainy, pair.clean)


@dataclass(frozen=True)
class _NamedDensity:
    """The density that a file's path names: ``Rain_Heavy/7.jpg`` with ``Rain_{density}/{scene:d}.jpg``."""

    pattern: str
    root: Path
    of_whole_image = True

    def prepare(self, images: DecodedImages) -> None:
        """Nothing."""

    def layer(self, images: DecodedImages, index: int) -> Layer:
        """Its number."""
        pair = images.pair(index)
        path = file_of(pair.rainy)
        name = Pattern(self.pattern).read(path.relative_to(self.root).as_posix())["density"]
        if name.casefold() not in DENSITIES:
            raise UserError(f"{path}: its density is {name!r}, none of {', '.join(DENSITIES)}; rename the folder")
        return np.full((1, 1), DENSITIES[name.casefold()], np.float32)


class _Thirds:
    """The third of the set in which an image is by the mean of a layer, the largest first."""

    of_whole_image = True

    def __init__(self, amount: Source) -> None:
        self._amount = amount
        self._least: tuple[float, float] = (0.0, 0.0)
        self._means: dict[int, float] = {}  # each image is met many times, and read whole for its mean

    def prepare(self, images: DecodedImages) -> None:
        """Find what parts the thirds, from images evenly spaced through the set."""
        every = -(-len(images) // THIRDS_IMAGES)
        amounts = [self._mean(images, index) for index in range(0, len(images), every)]
        medium, heavy = np.quantile(amounts, (1 / 3, 2 / 3))
        self._least = (float(heavy), float(medium))

    def layer(self, images: DecodedImages, index: int) -> Layer:
        """0 heavy, 1 medium, 2 light."""
        amount = self._mean(images, index)
        return np.full((1, 1), sum(amount <= least for least in self._least), np.float32)

    def _mean(self, images: DecodedImages, index: int) -> float:
        if index not in self._means:
            self._means[index] = float(self._amount.layer(images, index).mean(dtype=np.float64))
        return self._means[index]


def find_layers(needs: Mapping[str, Rule | Thirds | None], dataset: Dataset) -> dict[str, Found]:
    """Where each layer that a network needs is from in a dataset's training split.

    :class:`UserError` where the dataset lacks one that no rule makes.
    """
    return {name: _shared(name, need, dataset) for name, need in needs.items()}


def _shared(name: str, need: Rule | Thirds | None, dataset: Dataset) -> Found:
    """What all parts of a dataset have alike: a union's members must give a layer, or have it made, in one way."""
    found = [_found(name, need, part) for part in dataset.parts]
    if any((each.origin, vars(each.source)) != (found[0].origin, vars(found[0].source)) for each in found):
        ways = "; ".join(f"{part.name}: {each.origin}" for part, each in zip(dataset.parts, found, strict=True))
        raise UserError(
            f"the members of {dataset.name} have layer {name!r} in different ways ({ways}); train on each of them, or "
            "choose a method that needs no layers"
        )
    return found[0]


def _found(name: str, need: Rule | Thirds | None, dataset: Dataset) -> Found:
    patterns = dataset.layout.train
    assert patterns is not None
    if name == "density" and name in Pattern(patterns.rainy).fields:
        return Found("given", _NamedDensity(patterns.rainy, dataset.root))
    file = _file(name, patterns.layers)
    if file is not None:
        return Found("generator" if dataset.card.embedded or file.role != name else "given", file)
    if isinstance(need, Thirds):
        streak = _file("streak", patterns.layers)
        amount: Source = _Derived(need.amount) if streak is None else streak
        words = need.words if streak is None else f"thirds of the set by the mean of its {streak.role}"
        return Found(f"derived: {words}", _Thirds(amount))
    if need is not None:
        return Found(f"derived: {need.words}", _Derived(need))
    has = f"it has {', '.join(patterns.layers)}" if patterns.layers else "it has none"
    raise UserError(
        f"{dataset.name} (layout {dataset.layout.name!r}) has no layer {name!r} ({has}), and no rule makes one; train "
        "on a dataset that has it, or see 'derainbench methods' for an option that does without"
    )


def _file(name: str, layers: Mapping[str, str]) -> FileLayer | None:
    if name in layers:
        return FileLayer(name, 0.5 if name == "mask" else None)
    role = _GENERATORS.get(name)
    if role is None or role not in layers:
        return None
    return FileLayer(role, 0.0 if name == "mask" else None)
