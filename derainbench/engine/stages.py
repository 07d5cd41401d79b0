"""Which patches each step of a training has: how many, of which side, and which numbers their samples have."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from derainbench.plugins.recipe import Recipe


class Part(NamedTuple):
    """What steps from ``start`` on have: patches of a side, in batches; the first sample's number is ``number``."""

    start: int
    number: int
    patch: int
    batch: int


class Stages:
    """The parts of a training of so many steps: one, or the recipe's ``progressive`` stages.

    A stage ends at the step that its end is nearest to in proportion, as Restormer's after 92,000 of 300,000 steps.
    """

    def __init__(self, recipe: Recipe, steps: int) -> None:
        ends = list(accumulate(stage.length for stage in recipe.stages))
        starts = [0, *(round(steps * (end / ends[-1])) for end in ends[:-1])]
        self.parts, number = list[Part](), 0
        for stage, start, end in zip(recipe.stages, starts, [*starts[1:], steps], strict=True):
            self.parts.append(Part(start, number, stage.patch, stage.batch))
            number += (end - start) * stage.batch
        self._starts = starts

    def of(self, step: int) -> Part:
        """The part that a step is in."""
        return self.parts[bisect_right(self._starts, step) - 1]
