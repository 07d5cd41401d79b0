"""In which order a training visits the places of its patches: shuffled epoch by epoch, by the seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair

Places = NDArray[np.int64]


class Shuffled:
    """Every place once an epoch."""

    def __init__(self, seed: int, places: int) -> None:
        self._seed, self._places = seed, places

    def epoch(self, number: int) -> Places:
        """The places in the order of an epoch, (places,)."""
        return np.random.default_rng([self._seed, number, 1]).permutation(self._places)


class Shared:
    """As many places an epoch, of which each member of a union gives its share.

    ``ends`` are the numbers of the members' last places plus one, ``shares`` are 1 together. A member goes through all
    of its places before any comes again, over as many epochs as that takes.
    """

    def __init__(self, seed: int, ends: Sequence[int], shares: Sequence[float]) -> None:
        self._seed = seed
        self._starts, self._sizes = [0, *ends[:-1]], np.diff([0, *ends]).tolist()
        # Rounded at the boundaries, so that the quotas of an epoch are as many as its places.
        bounds = np.rint(np.cumsum([0.0, *shares]) * ends[-1]).astype(np.int64)
        self._quotas = np.diff(bounds).tolist()

    def epoch(self, number: int) -> Places:
        """The places in the order of an epoch, (places,)."""
        drawn = [self._of_member(member, number * quota, quota) for member, quota in enumerate(self._quotas)]
        places = np.concatenate(drawn)
        shuffled: Places = np.random.default_rng([self._seed, number, 1]).permutation(places)
        return shuffled

    def _of_member(self, member: int, first: int, count: int) -> Places:
        """``count`` places of a member's endless sequence from its ``first`` on: one shuffled pass after the other."""
        size = self._sizes[member]
        passes = range(first // size, -(-(first + count) // size))
        orders = [np.random.default_rng([self._seed, each, 2, member]).permutation(size) for each in passes]
        sequence = np.concatenate([np.empty(0, np.int64), *orders])
        begin = first - passes.start * size
        part: Places = sequence[begin : begin + count] + self._starts[member]
        return part


def order_of(pairs: Sequence[Pair], seed: int, places_before: Places) -> Shuffled | Shared:
    """The order for pairs of which number ``i`` has the places from ``places_before[i]`` to ``places_before[i + 1]``.

    A member of a union whose pairs are all held out gives nothing: the others share its part.
    """
    total = int(places_before[-1])
    if not isinstance(pairs, Pairs) or not pairs.shares:
        return Shuffled(seed, total)
    members = pairs.column("member").to_numpy(zero_copy_only=False)
    ends = [int(places_before[int(np.searchsorted(members, m, side="right"))]) for m in range(len(pairs.shares))]
    sizes = np.diff([0, *ends])
    kept = [member for member, size in enumerate(sizes) if size]
    whole = sum(pairs.shares[member] for member in kept)
    return Shared(seed, [ends[member] for member in kept], [pairs.shares[member] / whole for member in kept])
