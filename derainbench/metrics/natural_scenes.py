"""What natural images have in common: the statistics that NIQE and BRISQUE compare, in float64.

Ruderman, "The statistics of natural images", 1994; Mittal, Moorthy and Bovik, "No-reference image quality assessment in
the spatial domain", 2012. The definitions are those of the authors' MATLAB code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import gamma

Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]
#: What is seen outside an image: its nearest pixels, or 0.
Beyond = Literal["nearest", "constant"]

#: One axis of the window of 7x7 with a deviation of 7/6 pixels, whose weights sum to 1.
_WEIGHTS = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
WINDOW = _WEIGHTS / _WEIGHTS.sum()

#: Grey of RGB, by MATLAB's ``rgb2gray``.
_GREY = (0.298936021293775, 0.587043074451121, 0.114020904255103)


def grey(image: Levels) -> Floats:
    """(H, W, 3) uint8 RGB to (H, W) whole levels from 0 to 255, halves up, as MATLAB's ``rgb2gray`` makes them."""
    grey: Floats = np.floor(image.astype(np.float64) @ np.array(_GREY) + 0.5)
    return grey


def normalised(image: Floats, beyond: Beyond) -> Floats:
    """(H, W) levels less their local mean, in units of their local deviation and one level more."""
    mean, square = _smoothed(image, beyond), _smoothed(image**2, beyond)
    centred: Floats = (image - mean) / (np.sqrt(np.abs(square - mean**2)) + 1)
    return centred


def _smoothed(image: Floats, beyond: Beyond) -> Floats:
    rows = correlate1d(image, WINDOW, axis=0, mode=beyond)
    smoothed: Floats = correlate1d(rows, WINDOW, axis=1, mode=beyond)
    return smoothed


#: Shapes of a generalised Gaussian that are tried.
_SHAPES = np.arange(200, 10001) / 1000


@lru_cache(maxsize=1)
def _ratios() -> Floats:
    """What (mean of absolute values)^2 over the mean square is, for each of the shapes; it rises with the shape."""
    ratios: Floats = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))
    return ratios


def symmetric_fit(values: Floats) -> tuple[float, float]:
    """The shape of the generalised Gaussian that has the moments of ``values``, and their mean square."""
    square, magnitude = float(np.mean(values**2)), float(np.mean(np.abs(values)))
    if magnitude == 0:
        return float(_SHAPES[0]), square
    # The official code compares the reciprocals here, which decides between two shapes of the grid.
    return float(_SHAPES[np.argmin(np.abs(1 / _ratios() - square / magnitude**2))]), square


def asymmetric_fit(values: Floats) -> tuple[float, float, float]:
    """The shape of the asymmetric generalised Gaussian that has the moments of ``values``, and its deviations to the
    left and to the right: NaN where no value lies there."""
    left, right = (_root_mean_square(side) for side in (values[values < 0], values[values > 0]))
    square = float(np.mean(values**2))
    if not left + right > 0:
        return float(_SHAPES[0]), left, right
    skew = left / right
    ratio = float(np.mean(np.abs(values))) ** 2 / square
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    return float(_SHAPES[np.argmin((_ratios() - ratio) ** 2)]), left, right


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")


def scale(shape: float) -> float:
    """What a deviation is multiplied with to be the scale of a generalised Gaussian of that shape."""
    return float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))


def mean_in_scales(shape: float) -> float:
    """The mean of a one-sided generalised Gaussian of that shape, in units of its scale."""
    return float(gamma(2 / shape) / gamma(1 / shape))


def halved(image: Floats) -> Floats:
    """(H, W) to (ceil(H/2), ceil(W/2)) by the cubic filter of MATLAB's ``imresize``, which smooths before it leaves
    pixels out; borders are mirrored, edge pixel included."""
    return _halved_rows(_halved_rows(image).T).T


def _cubic(x: Floats) -> Floats:
    """Keys' kernel with a = -0.5."""
    x = np.abs(x)
    inside, outside = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inside, np.where(x <= 2, outside, 0))


#: A new pixel lies half way between two old ones, four of which on each side count.
_TAPS = _cubic((np.arange(8) - 3.5) / 2)
_TAPS /= _TAPS.sum()


def _halved_rows(image: Floats) -> Floats:
    rows = -(-len(image) // 2)
    padded = np.pad(image, ((3, 4 + len(image) % 2), (0, 0)), mode="symmetric")
    out: Floats = np.sum([weight * padded[tap : tap + 2 * rows : 2][:rows] for tap, weight in enumerate(_TAPS)], axis=0)
    return out
