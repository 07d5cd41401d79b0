"""What a training needs beside the two images of a pair, and how it is worked out where a dataset does not have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
Layer = NDArray[np.float32]

#: Luma as JPEG has it, of the full range.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_LUMA_THOUSANDTHS = np.array([299, 587, 114], np.int32)


@dataclass(frozen=True)
class Rule:
    """A layer worked out from a pair: ``derive`` makes (rainy, clean), (H, W, 3) uint8 each, to (H, W) in [0, 1].

    ``words`` say what it does; they are part of what a training's result depends on. Another process must be able to
    have it: ``derive`` is a function of a module, or a partial one.
    """

    words: str
    derive: Callable[[Levels, Levels], Layer]


@dataclass(frozen=True)
class Thirds:
    """How dense the rain of an image is: 0 heavy, 1 medium, 2 light, the thirds of a training set by ``amount``.

    ``amount`` works out a layer whose mean over the whole image is the amount of rain; a dataset that has a streak
    layer of its own takes that one.
    """

    amount: Rule

    @property
    def words(self) -> str:
        """What it does."""
        return f"thirds of the set by the mean of: {self.amount.words}"


def absent() -> Rule:
    """No layer: not a number everywhere. The network trains without it, and its loss says how."""
    return Rule("none, trained without it", _unknown)


def luma_difference() -> Rule:
    """Streaks: the light that rain adds, as the difference of the two images' luma."""
    return Rule("luma(rainy) - luma(clean), at least 0", _brighter)


def luma_mask(above: int) -> Rule:
    """Where streaks are: the rainy image's luma is larger by more than so many of 255 levels."""
    return Rule(f"luma(rainy) - luma(clean) > {above}/255", partial(_brighter_than, above))


def channel_mask(least: int) -> Rule:
    """Where drops are: a channel differs by so many of 255 grey levels, or more."""
    return Rule(f"|rainy - clean| >= {least}/255 in any channel", partial(_differs_by, least))


def _unknown(rainy: Levels, clean: Levels) -> Layer:
    return np.full(rainy.shape[:2], np.nan, np.float32)


def _brighter(rainy: Levels, clean: Levels) -> Layer:
    difference = (rainy.astype(np.float32) - clean.astype(np.float32)) @ _LUMA
    brighter: Layer = np.maximum(difference, 0) / np.float32(255)
    return brighter


def _brighter_than(above: int, rainy: Levels, clean: Levels) -> Layer:
    # In whole numbers: grey rain of just so many levels is frequent, and floats would round it either way.
    difference = (rainy.astype(np.int32) - clean.astype(np.int32)) @ _LUMA_THOUSANDTHS
    return (difference > 1000 * above).astype(np.float32)


def _differs_by(least: int, rainy: Levels, clean: Levels) -> Layer:
    difference = np.abs(rainy.astype(np.int16) - clean.astype(np.int16)).max(axis=2)
    mask: Layer = (difference >= least).astype(np.float32)
    return mask
