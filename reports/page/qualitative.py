"""Which images, and which window of each, show what methods do differently: chosen by rule, not by eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.plugins.names import UNPROCESSED

from ..comparison.grids import ScoreGrid

#: Stands for an infinite PSNR (an identical image) where images are put in order.
IDENTICAL_DB = 100.0
#: The window's side is this share of the image's shorter side, within the limits below, in pixels.
SHARE = 4
SMALLEST, LARGEST = 48, 160
#: Black over red and yellow to white: brightness grows evenly, so that an error map reads without colour too.
ERROR_COLOURS = ((0, 0, 0), (120, 20, 60), (235, 95, 30), (255, 205, 70), (255, 255, 240))

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Choice:
    """The image number ``image`` of a dataset, and the rule that chose it, in words."""

    image: int
    rule: str


@dataclass(frozen=True)
class Window:
    """A square window of an image, in pixels."""

    top: int
    left: int
    side: int

    def cut(self, image: Image) -> Image:
        """The window's part of an image (H, W, C)."""
        return image[self.top : self.top + self.side, self.left : self.left + self.side]


def choose(grid: ScoreGrid, there: Callable[[int], bool] = lambda image: True) -> tuple[Choice, ...]:
    """At most three different images: where methods disagree most, the middle one, and where they do worst.

    By the leading metric under the grid's protocol, the unprocessed input left out; an image that a method has no score
    of is never chosen, nor one that is not ``there`` to be shown. Empty where no method but the input has scores.
    """
    lines = [number for number, line in enumerate(grid.lines) if line.method.base != UNPROCESSED]
    if not lines:
        return ()
    kind = METRICS[LEADING]
    good = np.minimum(grid.goodness()[:, lines], IDENTICAL_DB)
    usable = [int(image) for image in np.flatnonzero(~np.isnan(good).any(axis=1))]
    mean, spread = good.mean(axis=1), np.ptp(good, axis=1)
    by_mean = sorted(usable, key=lambda image: (mean[image], image))
    ordered = [
        (f"the {kind.worst} mean {kind.title}", by_mean),
        (f"the median of the mean {kind.title}", _from_the_middle(by_mean)),
    ]
    if len(lines) > 1:
        most = sorted(usable, key=lambda image: (-spread[image], image))
        ordered.insert(0, ("the largest disagreement", most))
    chosen: list[Choice] = []
    for rule, images in ordered:
        free = (image for image in images if image not in {choice.image for choice in chosen} and there(image))
        chosen += [Choice(image, rule) for image in islice(free, 1)]
    return tuple(chosen)


def window(restored: Sequence[Image], clean: Image) -> Window:
    """Where the restored images (H, W, 3) differ most from each other; a single one: from the clean image.

    Of all positions the one with the largest sum over its pixels of the standard deviation over the images (averaged
    over channels); the first in reading order among equals.
    """
    height, width = clean.shape[:2]
    side = min(height, width, max(SMALLEST, min(LARGEST, min(height, width) // SHARE)))
    stack = np.stack([image.astype(np.float32) for image in (restored if len(restored) > 1 else [*restored, clean])])
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = stack.std(axis=0).mean(axis=2).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    # sums of equal windows differ in their last digits: without rounding an arbitrary one would win
    top, left = np.unravel_index(int(np.argmax(np.round(inside, 3))), inside.shape)
    return Window(int(top), int(left), side)


def error_map(restored: Image, clean: Image, brightest: int) -> Image:
    """|restored - clean|, the largest of the channels, as colours (H, W, 3) from black, 0, to ``brightest`` levels."""
    error = np.abs(restored.astype(np.int16) - clean.astype(np.int16)).max(axis=2)
    share = np.minimum(error / brightest, 1.0)[..., None]
    stops = np.array(ERROR_COLOURS, dtype=np.float64)
    place = share * (len(stops) - 1)
    lower = np.minimum(place.astype(int), len(stops) - 2)
    colours = stops[lower[..., 0]] + (stops[lower[..., 0] + 1] - stops[lower[..., 0]]) * (place - lower)
    coloured: Image = np.round(colours).astype(np.uint8)
    return coloured


def _from_the_middle(ordered: Sequence[int]) -> list[int]:
    """The same images, the middle one first, then its neighbours in turn."""
    middle = (len(ordered) - 1) // 2
    return [image for _, image in sorted((abs(place - middle), image) for place, image in enumerate(ordered))]
