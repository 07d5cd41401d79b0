"""BRISQUE as OpenCV measures it: another model and other features than the official ones, so another number.

By the definition in OpenCV's quality module and its Python translation by LearnOpenCV, which HQ-RAIN's table was
measured with. The model lies in ``data/brisque-opencv.npz`` (its notice beside it).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

from derainbench.metrics.brisque import of_products, predicted
from derainbench.metrics.image_metric import ImageMetric
from derainbench.metrics.natural_scenes import Floats, Levels, asymmetric_fit
from derainbench.metrics.regression import read_regression

_WEIGHTS = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.166**2))
_WINDOW = _WEIGHTS / _WEIGHTS.sum()

#: OpenCV's cubic kernel (a = -0.75) half way between two pixels: it does not smooth before it leaves pixels out.
_TAPS = (-0.09375, 0.59375, 0.59375, -0.09375)


def brisque_opencv(image: Levels) -> float:
    """OpenCV's BRISQUE of (H, W, 3) uint8 RGB by its grey levels; lower is better.

    NaN, and a warning, where the image is flat or smaller than 4x4 pixels.
    """
    red, green, blue = (image[..., channel].astype(np.int64) for channel in range(3))
    levels = ((4899 * red + 9617 * green + 1868 * blue + 8192) >> 14).astype(np.float64)
    return predicted(levels, _of_scale, _halved, _predict)


def _predict(features: Floats) -> float:
    model = read_regression("brisque-opencv")
    return model.predict(model.scaled(features))


def _of_scale(levels: Floats) -> list[float]:
    """The 18 features of one scale."""
    values = levels / 255
    mean = _smoothed(values)
    centred = (values - mean) / (np.sqrt(np.abs(_smoothed(values**2) - mean**2)) + 1 / 255)
    shape, left, right = asymmetric_fit(centred)
    return [shape, (left**2 + right**2) / 2, *of_products(centred, _shifted)]


def _smoothed(values: Floats) -> Floats:
    smoothed: Floats = correlate1d(correlate1d(values, _WINDOW, axis=1, mode="mirror"), _WINDOW, axis=0, mode="mirror")
    return smoothed


def _shifted(values: Floats, shift: tuple[int, int]) -> Floats:
    """``values`` moved by so many pixels, with zeros where nothing comes from."""
    down, across = shift
    moved = np.roll(values, shift, axis=(0, 1))
    moved[: max(down, 0)] = 0
    moved[len(moved) + min(down, 0) :] = 0
    moved[:, : max(across, 0)] = 0
    return moved


def _halved(levels: Floats) -> Floats:
    """(H, W) to (H // 2, W // 2), edge pixels repeated outside, in whole levels."""
    halved: Floats = np.clip(np.round(_halved_rows(_halved_rows(levels).T).T), 0, 255)
    return halved


def _halved_rows(levels: Floats) -> Floats:
    rows = len(levels) // 2
    padded = np.pad(levels, ((1, 3), (0, 0)), mode="edge")
    out: Floats = np.sum([weight * padded[tap : tap + 2 * rows : 2][:rows] for tap, weight in enumerate(_TAPS)], axis=0)
    return out


BRISQUE_OPENCV = ImageMetric(
    name="brisque-opencv",
    title="BRISQUE (OpenCV)",
    unit="",
    digits=2,
    higher_is_better=False,
    needs_reference=False,
    measure=brisque_opencv,
    implementation="derainbench, after OpenCV's quality module",
    version="OpenCV's model",
    licence="MIT; model: Apache-2.0",
)
