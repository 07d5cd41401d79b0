"""Scenes that sets of images share, and those that one set has more than once: exact copies and near ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray

from derainbench.catalogue.locate import Dataset
from derainbench.overlap.fingerprint import Matches, iter_matches, join_matches
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


#: Least side in pixels of images whose near pairs a run's notice counts.
LEAST_SIDE = 200

#: So many pairs of two sets are kept for lists, 21 bytes each; what is counted and grouped are all of them.
MOST_PAIRS = 200_000


@dataclass(frozen=True)
class Comparison:
    """What two sets share; what one has more than once, where both are the same."""

    first: ImageSet
    second: ImageSet
    matches: Matches
    """The pairs, the first :data:`MOST_PAIRS` that were found."""
    count: int
    """Of all pairs."""
    partners: NDArray[np.int64]
    """(images of the first set,): with how many images each shares a scene; of one set, with how many after it."""
    in_first: NDArray[np.int64]
    """Which images of the first set show a scene of the second; of one set, which are not alone."""
    in_second: NDArray[np.int64]
    """Which images of the second set show a scene of the first."""
    grouped: tuple[Group, ...] = ()
    """Of one set: each scene that it has more than once, in the order of the images. Images belong together where a
    chain of pairs leads from one to the other."""

    @property
    def inside(self) -> bool:
        """Whether it is one set compared with itself."""
        return self.first is self.second

    def pairs(self) -> Iterator[Shared]:
        """Every pair that is kept, in the order of the images."""
        for i, j, similarity, exact in zip(*self.matches, strict=True):
            kind: Literal["exact", "near"] = "exact" if exact else "near"
            names = self.first.name, self.first.images[i], self.second.name, self.second.images[j]
            yield Shared(*names, kind, round(float(similarity), 4))


def compare(first: ImageSet, second: ImageSet) -> Comparison:
    """What two sets share, or one with itself. Memory grows with the images, not with their pairs."""
    inside = first is second
    partners, exact = np.zeros((2, len(first.images)), np.int64)
    reached = np.zeros(len(second.images), np.bool_)
    labels = np.arange(len(first.images))
    kept: list[Matches] = []
    count = 0
    for part in iter_matches(first.prints, None if inside else second.prints):
        if count < MOST_PAIRS:
            some = slice(MOST_PAIRS - count)
            kept.append(Matches(part.first[some], part.second[some], part.similarity[some], part.exact[some]))
        count += len(part.first)
        partners += np.bincount(part.first, minlength=len(partners))
        exact += np.bincount(part.first[part.exact], minlength=len(partners))
        reached[part.second] = True
        if inside:
            labels = _joined(labels, part)
    in_first = np.flatnonzero((partners > 0) | reached) if inside else np.flatnonzero(partners)
    in_second = in_first if inside else np.flatnonzero(reached)
    grouped = _groups(labels, in_first, partners, exact) if inside else ()
    return Comparison(first, second, join_matches(kept), count, partners, in_first, in_second, grouped)


def _joined(labels: NDArray[np.int64], part: Matches) -> NDArray[np.int64]:
    """The labels of images, equal for those that a chain of pairs joins, after some more pairs."""
    ends = labels[part.first], labels[part.second]
    if (ends[0] == ends[1]).all():
        return labels
    links = scipy.sparse.coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(len(labels), len(labels)))
    merged = scipy.sparse.csgraph.connected_components(links, directed=False)[1].astype(np.int64)
    joined: NDArray[np.int64] = merged[labels]
    return joined


def _groups(
    labels: NDArray[np.int64], members: NDArray[np.int64], partners: NDArray[np.int64], exact: NDArray[np.int64]
) -> tuple[Group, ...]:
    """The images that are not alone by their labels; how many of each group's pairs are exact says of what kind."""
    if not len(members):
        return ()
    ordered = members[np.argsort(labels[members], kind="stable")]
    parts = np.split(ordered, np.flatnonzero(np.diff(labels[ordered])) + 1)
    found = [Group(part, _kind(int(exact[part].sum()), int(partners[part].sum()))) for part in parts]
    return tuple(sorted(found, key=lambda group: int(group.images[0])))


def _kind(exact: int, pairs: int) -> str:
    if exact == pairs:
        return "exact"
    return "exact and near" if exact else "near"


class SharedScenes(NamedTuple):
    """How many of a test split's ``total`` clean images a training split has too: ``exact`` copies of them, others
    ``near``. ``first``: ``first: TRAIN = TEST``, of the exact ones if there are any; empty if there is nothing."""

    exact: int
    near: int
    total: int
    first: str


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
    """How many clean images of the one's test split are in the other's training split; errors as in Dataset.pairs.

    Near pairs count only where both images have at least :data:`LEAST_SIDE` pixels a side: of smaller ones, unrelated
    crops pass for one scene now and then, and nobody asked for this list.
    """
    first = read_set(split_files(train, "train"), progress)
    second = read_set(split_files(test, "test"), progress)
    partner = {kind: np.full(len(second.images), -1, np.int64) for kind in ("exact", "near")}
    large = [each.prints.sides.min(axis=1, initial=2**31 - 1) >= LEAST_SIDE for each in (first, second)]
    for part in iter_matches(first.prints, second.prints):
        reliable = ~part.exact & large[0][part.first] & large[1][part.second]
        for kind, wanted in (("exact", part.exact), ("near", reliable)):
            partner[kind][part.second[wanted]] = part.first[wanted]
    exact = partner["exact"] >= 0
    near = (partner["near"] >= 0) & ~exact
    shown = ""
    for kind, wanted in (("near", near), ("exact", exact)):
        if wanted.any():
            at = int(wanted.argmax())
            shown = f"first: {first.images[partner[kind][at]]} = {second.images[at]}"
    return SharedScenes(int(exact.sum()), int(near.sum()), len(second.images), shown)
