"""BRISQUE: the opinion score that a regression trained on the LIVE database predicts, without a reference.

Mittal, Moorthy and Bovik, "No-reference image quality assessment in the spatial domain", IEEE Transactions on Image
Processing, 2012. Written after the definition in the authors' MATLAB code, whose model lies in ``data/brisque.npz``
(its notice beside it). 0 is best and 100 worst on LIVE; values beyond are normal.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from derainbench.metrics.image_metric import ImageMetric, undefined
from derainbench.metrics.natural_scenes import (
    Floats,
    Levels,
    asymmetric_fit,
    grey,
    halved,
    mean_in_scales,
    normalised,
    scale,
    symmetric_fit,
)
from derainbench.metrics.regression import read_regression

#: The smallest side whose half still has a neighbour.
SMALLEST = 4


def brisque(image: Levels) -> float:
    """BRISQUE of (H, W, 3) uint8 RGB by its grey levels, with the official model; lower is better.

    NaN, and a warning, where the image is flat or smaller than 4x4 pixels.
    """
    return predicted(grey(image), _of_scale, halved, _predict)


def predicted(
    levels: Floats,
    of_scale: Callable[[Floats], list[float]],
    half: Callable[[Floats], Floats],
    predict: Callable[[Floats], float],
) -> float:
    """What ``predict`` makes of the 36 features of (H, W) grey levels, in their own size and in half of it.

    NaN, and a warning, where the image is flat or smaller than 4x4 pixels.
    """
    if min(levels.shape) < SMALLEST:
        return undefined("BRISQUE", levels.shape, f"it needs {SMALLEST}x{SMALLEST} px")
    features = np.array([*of_scale(levels), *of_scale(half(levels))])
    if np.isnan(features).any():
        return undefined("BRISQUE", levels.shape, "it has too little texture")
    return predict(features)


def of_products(centred: Floats, shifted: Callable[[Floats, tuple[int, int]], Floats]) -> list[float]:
    """The 16 features of a scale that are of its products with itself, ``shifted`` so many rows and columns."""
    found: list[float] = []
    for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        shape, left, right = asymmetric_fit(centred * shifted(centred, shift))
        found += [shape, (right - left) * mean_in_scales(shape) * scale(shape), left**2, right**2]
    return found


def _predict(features: Floats) -> float:
    model = read_regression("brisque")
    # The official programs pass each other text: six decimals to the one that scales, six digits to the one that
    # predicts.
    scaled = model.scaled(np.round(features, 6))
    return model.predict(np.array([float(f"{each:g}") for each in scaled]))


def _of_scale(levels: Floats) -> list[float]:
    """The 18 features of one scale."""
    centred = normalised(levels, "constant")
    return [*symmetric_fit(centred), *of_products(centred, _turned)]


def _turned(values: Floats, shift: tuple[int, int]) -> Floats:
    """``values`` moved; what leaves at one side comes in at the other."""
    return np.roll(values, shift, axis=(0, 1))


BRISQUE = ImageMetric(
    name="brisque",
    title="BRISQUE",
    unit="",
    digits=2,
    higher_is_better=False,
    needs_reference=False,
    measure=brisque,
    implementation="derainbench, after utlive/BRISQUE",
    version="official LIVE model",
    licence="MIT; model: University of Texas at Austin, permissive",
    paper="Mittal, Moorthy and Bovik, IEEE TIP 2012",
)
