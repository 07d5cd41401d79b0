"""The packagings of ``packagings.txt`` as trees of tiny images: to plant, to break, and as cards with their counts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from derainbench.catalogue.cards import Card, all_cards

Array = NDArray[np.uint8]
Split = Literal["train", "test"]

SIZE = (24, 32)  # height and width of every image
RIGHT_HALF = "right-half"


@dataclass(frozen=True)
class Shown:
    """A pair that a packaging holds: its files below the data root."""

    split: Split
    rainy: str
    clean: str
    layers: dict[str, str] = field(default_factory=dict)

    @property
    def side_by_side(self) -> bool:
        """Whether the rainy file is the left half of one that also holds the clean image."""
        return self.clean == RIGHT_HALF

    @property
    def files(self) -> list[str]:
        """All of its files."""
        return [self.rainy, *([] if self.side_by_side else [self.clean]), *self.layers.values()]


@dataclass(frozen=True)
class Tree:
    """One packaging of one card: its pairs, and the images beside them that are none."""

    card: str
    layout: str
    pairs: tuple[Shown, ...]
    others: tuple[str, ...]

    def split(self, name: Split) -> list[Shown]:
        """The pairs of one split."""
        return [pair for pair in self.pairs if pair.split == name]

    @property
    def files(self) -> set[str]:
        """The files of its pairs."""
        return {file for pair in self.pairs for file in pair.files}

    def touch(self, root: Path) -> None:
        """The tree with empty files: enough to be located."""
        for file in (*sorted(self.files), *self.others):
            _place(root, file).touch()

    def plant(self, root: Path) -> None:
        """The tree with images: a background of its own for each clean file, under the card's kind of rain."""
        rain = _RAIN[shipped()[self.card].rain_model]
        for pair in self.pairs:
            clean = background(pair.rainy if pair.side_by_side else pair.clean)
            rainy = rain(clean, _random(pair.rainy))
            if pair.side_by_side:
                save(_place(root, pair.rainy), np.concatenate([rainy, clean], axis=1))
            else:
                save(_place(root, pair.rainy), rainy)
                save(_place(root, pair.clean), clean)
            for layer in pair.layers.values():
                save(_place(root, layer), background(layer)[:, :, 0])
        for file in self.others:
            save(_place(root, file), background(file))


def background(key: str) -> Array:
    """A smooth picture that is the same for the same words and unlike any other."""
    coarse = _random(key).integers(40, 180, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC))


def save(path: Path, image: Array) -> None:
    """Write an image; JPEG with as little loss as it allows."""
    more: dict[str, Any] = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
    Image.fromarray(image).save(path, **more)


@cache
def shipped() -> dict[str, Card]:
    """The cards of files that a user fetches: unions have the files of others."""
    return {name: card for name, card in all_cards().items() if not card.embedded and card.union is None}


def write_fixture_card(tree: Tree, path: Path) -> str:
    """A card with the tree's counts instead of the real ones, for ``--card``; returns its name, ``fixture-...``."""
    card = shipped()[tree.card]
    name = f"fixture-{tree.card}"
    data = card.model_dump(mode="json", exclude_defaults=True, exclude={"input_score", "other_counts", "test_sizes"})
    data |= {"name": name, "folders": [*card.folders, card.name]}
    data["counts"] = {split: len(tree.split(split)) for split in ("train", "test") if tree.split(split)}
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in data.items()), encoding="utf-8")
    return name


#: Ways to break a tree.
Breakage = Literal["deleted", "truncated", "swapped", "mispaired", "mis-sized"]


def break_tree(root: Path, tree: Tree, how: Breakage) -> list[str]:
    """Break the last test pair of a planted tree, of one without tests the last pair; returns the files that are wrong.

    ``deleted`` removes the clean file, ``truncated`` halves the rainy one, ``swapped`` exchanges the two,
    ``mispaired`` gives the rainy file the picture of another scene, ``mis-sized`` makes it one pixel narrower.
    """
    pair = (tree.split("test") or tree.pairs)[-1]
    rainy = root / pair.rainy
    if how == "deleted":
        gone = pair.rainy if pair.side_by_side else pair.clean
        (root / gone).unlink()
        return [gone]
    if how == "truncated":
        rainy.write_bytes(rainy.read_bytes()[: rainy.stat().st_size // 2])
    elif how == "mis-sized":
        save(rainy, _pixels(rainy)[:, :-1])
    elif how == "mispaired":
        other = background("another scene altogether")
        save(rainy, np.concatenate([other, _pixels(rainy)[:, SIZE[1] :]], axis=1))
    elif pair.side_by_side:
        save(rainy, np.roll(_pixels(rainy), SIZE[1], axis=1))
    else:
        clean = root / pair.clean
        one, two = _pixels(rainy), _pixels(clean)
        save(rainy, two)
        save(clean, one)
        return [pair.rainy, pair.clean]
    return [pair.rainy]


def read_trees() -> tuple[Tree, ...]:
    """All packagings, in the order of the file."""
    trees: list[Tree] = []
    for block in Path(__file__).with_name("packagings.txt").read_text().split("\n== ")[1:]:
        head, *lines = block.splitlines()
        card, layout = head.split(": ")
        pairs: list[Shown] = []
        others: list[str] = []
        for line in filter(None, lines):
            word, *files = line.split("  ")
            if word == "other":
                others += files
            else:
                layers = dict(file.split("=") for file in files[2:])
                pairs.append(Shown("train" if word == "train" else "test", files[0], files[1], layers))
        trees.append(Tree(card, layout, tuple(pairs), tuple(others)))
    return tuple(trees)


TREES = read_trees()

#: Each card's first packaging.
FIRST = {tree.card: tree for tree in reversed(TREES)}

#: Those of cards that have tests: a mixture may be for training only.
TESTED = {name: tree for name, tree in FIRST.items() if tree.split("test")}


def _streaks(clean: Array, random: np.random.Generator) -> Array:
    light = np.zeros((*SIZE, 1))
    light[:, random.choice(SIZE[1], 6, replace=False)] = 45
    return (clean + light).clip(0, 255).astype(np.uint8)


def _drops(clean: Array, random: np.random.Generator) -> Array:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    y, x = random.uniform(6, SIZE[0] - 6), random.uniform(6, SIZE[1] - 6)
    inside = ((rows - y) ** 2 + (columns - x) ** 2 < 36)[:, :, None]
    return np.where(inside, 0.5 * clean + 10, clean).astype(np.uint8)


def _mist(clean: Array, random: np.random.Generator) -> Array:
    transmission = random.uniform(0.7, 0.9)
    return (transmission * clean + (1 - transmission) * 220).astype(np.uint8)


_RAIN: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "streak": _streaks,
    "drop": _drops,
    "mist": _mist,
    "snow": _streaks,
    "mixed": _streaks,
}


def _random(key: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(key.encode()))


def _place(root: Path, file: str) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _pixels(path: Path) -> Array:
    with Image.open(path) as image:
        return np.asarray(image)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items() if each is not None) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value)
