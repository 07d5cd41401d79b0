"""Scenes that sets of images share, and those that one set has more than once: exact copies and near ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray

from derainbench.locate import Dataset
from derainbench.overlap.fingerprint import Matches, find_matches
from derainbench.overlap.image_sets import ImageSet, Progress, read_set, split_files


class Shared(NamedTuple):
    """Two images of one scene. ``exact``: the same pixels; ``near``: the same scene cropped, compressed, rained on."""

    first_set: str
    first_image: str
    second_set: str
    second_image: str
    kind: Literal["exact", "near"]
    similarity: float
    """1 for exact; for near ones :data:`derainbench.overlap.fingerprint.NEAR` to 1, rounded to four digits."""


class Group(NamedTuple):
    """Images of one set that show one scene, by their place in it; ``kind`` is exact, near, or exact and near."""

    images: NDArray[np.int64]
    kind: str


@dataclass(frozen=True)
class Comparison:
    """What two sets share; what one has more than once, where both are the same."""

    first: ImageSet
    second: ImageSet
    matches: Matches

    @property
    def inside(self) -> bool:
        """Whether it is one set compared with itself."""
        return self.first is self.second

    @property
    def in_first(self) -> NDArray[np.int64]:
        """Which images of the first set show a scene of the second; of one set, which are not alone."""
        return np.unique(np.concatenate([self.matches.first, self.matches.second] if self.inside else self.matches[:1]))

    @property
    def in_second(self) -> NDArray[np.int64]:
        """Which images of the second set show a scene of the first."""
        return self.in_first if self.inside else np.unique(self.matches.second)

    def pairs(self) -> Iterator[Shared]:
        """Every pair, in the order of the images."""
        for i, j, similarity, exact in zip(*self.matches, strict=True):
            kind: Literal["exact", "near"] = "exact" if exact else "near"
            names = self.first.name, self.first.images[i], self.second.name, self.second.images[j]
            yield Shared(*names, kind, round(float(similarity), 4))

    def groups(self) -> list[Group]:
        """Of one set compared with itself: each scene that it has more than once, in the order of the images.

        Images belong together where a chain of pairs leads from one to the other.
        """
        if not len(self.matches.first):
            return []
        count = len(self.first.images)
        links = (np.ones(len(self.matches.first), np.int8), (self.matches.first, self.matches.second))
        graph = scipy.sparse.coo_array(links, shape=(count, count))
        scenes, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
        pairs = np.bincount(labels[self.matches.first], minlength=scenes)
        exact = np.bincount(labels[self.matches.first[self.matches.exact]], minlength=scenes)
        members = self.in_first[np.argsort(labels[self.in_first], kind="stable")]
        parts = np.split(members, np.flatnonzero(np.diff(labels[members])) + 1)
        found = [Group(part, _kind(int(exact[labels[part[0]]]), int(pairs[labels[part[0]]]))) for part in parts]
        return sorted(found, key=lambda group: int(group.images[0]))


def _kind(exact: int, pairs: int) -> str:
    if exact == pairs:
        return "exact"
    return "exact and near" if exact else "near"


class SharedScenes(NamedTuple):
    """How many of a test split's clean images a training split has too, the first of them, and of how many."""

    shared: int
    total: int
    first: str


def compare(first: ImageSet, second: ImageSet) -> Comparison:
    """What two sets share, or one with itself."""
    inside = first is second
    return Comparison(first, second, find_matches(first.prints, None if inside else second.prints))


def overlap(arguments: Sequence[Sequence[ImageSet]]) -> list[Comparison]:
    """One argument: each of its sets with itself and with the others. Several: the sets of each with all others'.

    A set that several arguments name is compared with itself as well.
    """
    known: dict[str, ImageSet] = {}
    named = [[known.setdefault(each.name, each) for each in sets] for sets in arguments]
    pairs: dict[tuple[str, str], None] = {}
    for place, sets in enumerate(named):
        others = named[place + 1 :] if len(named) > 1 else [sets]
        for one in sets:
            for other in (each for group in others for each in group):
                if (other.name, one.name) not in pairs:
                    pairs[one.name, other.name] = None
    return [compare(known[one], known[other]) for one, other in pairs]


def shared_scenes(train: Dataset, test: Dataset, progress: Progress = lambda what, more, total: None) -> SharedScenes:
    """How many clean images of the one's test split are in the other's training split; errors as in Dataset.pairs."""
    found = compare(read_set(split_files(train, "train"), progress), read_set(split_files(test, "test"), progress))
    first = found.second.images[found.in_second[0]] if len(found.in_second) else ""
    return SharedScenes(len(found.in_second), len(found.second.images), first)
