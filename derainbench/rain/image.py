"""What the rain models take and give: images as arrays, checked on the way in and rounded on the way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from derainbench.errors import UserError

Image = NDArray[Any]
Grey = NDArray[np.float32]


MIN_SIDE = 8
"""Smallest height and width a rain model accepts, in pixels: below it neither a streak nor a drop has a shape."""


class Equation(Protocol):
    """A rain model's equation: (clean, layers) to the rainy image in [0, 1], before it is rounded to 8 bits."""

    def __call__(self, clean: Image, layers: Mapping[str, Grey]) -> Grey: ...


@dataclass(frozen=True)
class Rain:
    """A rainy image together with the layers that its equation is made of.

    `recompose(clean, rain.layers)` equals `rainy / 255` within half a grey level.
    """

    rainy: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    layers: dict[str, Grey]
    """By the symbol of the equation: S; or M and D; or t, A and S. (H, W, 3), or (H, W, 1) where the same in every
    channel."""
    recompose: Equation
    """The equation itself, as a function of a clean image and layers."""


def compose(clean: Image, layers: dict[str, Grey], equation: Equation) -> Rain:
    """Evaluate `equation` and round it to 8 bits, once and at the very end, as the benchmarks did."""
    exact = equation(clean, layers)
    rainy = np.rint(255.0 * exact.astype(np.float64)).astype(np.uint8)
    return Rain(rainy=rainy, layers=layers, recompose=equation)


def as_float(image: Image) -> Grey:
    """(H, W, 3) uint8, or float in [0, 1], to float32 in [0, 1]."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255.0)
    return image.astype(np.float32)


def clean_image(image: Image) -> Grey:
    """Check a clean image and give it as float32 in [0, 1].

    Raises UserError unless it is (H, W, 3), uint8 or finite floats in [0, 1], with both sides at least `MIN_SIDE`.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"clean image: shape {image.shape}, but rain models take RGB (height, width, 3); convert it")
    if min(image.shape[:2]) < MIN_SIDE:
        raise UserError(
            f"clean image: {image.shape[0]}x{image.shape[1]} pixels, but rain needs at least {MIN_SIDE}x{MIN_SIDE};"
            " take a larger crop"
        )
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"clean image: {image.dtype} values, but rain models take uint8 or float in [0, 1]; convert it")
    result = as_float(image)
    # Written so that NaN fails as well.
    if not (result.min() >= 0.0 and result.max() <= 1.0):
        raise UserError("clean image: float values outside [0, 1] or not finite; divide by the largest possible value")
    return result


def generator(seed: int) -> np.random.Generator:
    """A random generator of its own for one image. Raises UserError on a negative seed."""
    if seed < 0:
        raise UserError(f"seed {seed}: rain is seeded by a whole number from 0 up; choose one")
    return np.random.default_rng(seed)


def require_same_size(one: Image, other: Image, name: str, other_name: str) -> None:
    """Raise UserError unless the two arrays have the same height and width."""
    if one.shape[:2] != other.shape[:2]:
        sizes = [f"{a.shape[0]}x{a.shape[1]}" for a in (one, other)]
        raise UserError(
            f"{name} is {sizes[0]} but {other_name} {sizes[1]} pixels; they must match: crop or resize one of them"
        )


def next_seed(rng: np.random.Generator) -> int:
    """A seed for the next step, so that parameters and layers do not share random numbers."""
    return int(rng.integers(2**63))
