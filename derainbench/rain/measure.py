"""Measures what additive rain looks like: how much of it, how bright, in which direction, how long its streaks are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray

from derainbench.rain.image import Grey, Image, as_float, require_same_size

RAIN_THRESHOLD = 5.0  # grey levels of 255: a pixel brightened by more than this counts as rain


@dataclass(frozen=True)
class StreakStatistics:
    """What one rain layer S looks like. Intensities are in grey levels of 255, so that they read like the pixels."""

    coverage: float
    """Share of pixels with S above `RAIN_THRESHOLD`, in [0, 1]."""
    mean_on_rain: float
    """Mean S over those pixels, in grey levels; 0 where there are none."""
    percentile_95: float
    """95th percentile of S over all pixels, in grey levels."""
    mean: float
    """Mean S over all pixels, in grey levels."""
    newly_saturated: float
    """Share of pixels that rain made pure white, all three channels at 255, in [0, 1]."""
    direction: float
    """Direction of the streaks in degrees, [0, 180): 0 is horizontal, 90 vertical, counted anticlockwise; NaN for a
    constant S."""
    length: float
    """Lag along the streaks at which the autocorrelation of S falls to one half, in pixels; NaN for a constant S."""
    width: float
    """The same across the streaks, in pixels."""


def streak_statistics(rainy: Image, clean: Image) -> StreakStatistics:
    """Measure the rain that was added to `clean`, (H, W, 3) RGB, uint8 or float in [0, 1], to give `rainy`.

    Raises UserError if the two differ in size.
    """
    require_same_size(rainy, clean, "rainy", "clean")
    layer = additive_layer(rainy, clean)
    levels = 255.0 * layer
    on_rain = levels[levels > RAIN_THRESHOLD]
    angle = direction(layer)
    length, width = half_correlation_lengths(layer, angle)
    white = 1.0 - 0.5 / 255.0
    newly_white = (as_float(rainy) >= white).all(axis=2) & ~(as_float(clean) >= white).all(axis=2)
    return StreakStatistics(
        coverage=on_rain.size / levels.size,
        mean_on_rain=float(on_rain.mean()) if on_rain.size else 0.0,
        percentile_95=float(np.percentile(levels, 95)),
        mean=float(levels.mean()),
        newly_saturated=float(newly_white.mean()),
        direction=angle,
        length=length,
        width=width,
    )


def additive_layer(rainy: Image, clean: Image) -> Grey:
    """S of Eq. 1 recovered from a pair: (H, W) float32 in [0, 1].

    Rain is achromatic but each channel clips at white by itself, so the channel that clipped least tells most of it:
    the maximum.
    """
    difference = as_float(rainy) - as_float(clean)
    layer: Grey = np.clip(difference.max(axis=2), 0.0, 1.0).astype(np.float32)
    return layer


def direction(layer: Grey) -> float:
    """Dominant direction of the streaks in an (H, W) layer, in degrees as in `StreakStatistics`: structure tensor.

    Gradients point across a streak; the direction is the eigenvector of the smaller eigenvalue of the tensor summed
    over the layer (Bigün and Granlund, 1987).
    """
    if layer.max() == layer.min():
        return float("nan")
    values = layer.astype(np.float64)
    # Derivatives of a Gaussian: central differences see a streak of one pixel as less steep than it is (by 5 degrees
    # at 60).
    dx, dy = (scipy.ndimage.gaussian_filter(values, sigma=1.0, order=order) for order in ((0, 1), (1, 0)))
    j_xx, j_yy, j_xy = float((dx * dx).sum()), float((dy * dy).sum()), float((dx * dy).sum())
    across = 0.5 * np.arctan2(2.0 * j_xy, j_xx - j_yy)  # image axes, y downwards
    return float((90.0 - np.degrees(across)) % 180.0)


def half_correlation_lengths(layer: Grey, angle: float) -> tuple[float, float]:
    """Lags in pixels, along and across `angle` (degrees), at which the autocorrelation of an (H, W) layer is 0.5.

    The layer's mean is taken off first; the lag is interpolated linearly between pixels. NaN for a constant layer,
    and where the correlation never falls to one half within the layer.
    """
    if layer.max() == layer.min() or np.isnan(angle):
        return float("nan"), float("nan")
    centred = layer.astype(np.float64) - layer.mean(dtype=np.float64)
    height, width = layer.shape
    # Padded to twice the size: correlation, not circular correlation; lags below zero count from the end.
    rows, columns = (scipy.fft.next_fast_len(2 * side, real=True) for side in (height, width))
    power = np.abs(scipy.fft.rfft2(centred, s=(rows, columns))) ** 2
    sums = scipy.fft.irfft2(power, s=(rows, columns))
    radians = np.radians(angle)
    return (
        _half_lag(sums, (height, width), np.cos(radians), -np.sin(radians)),
        _half_lag(sums, (height, width), np.sin(radians), np.cos(radians)),
    )


def _half_lag(sums: NDArray[np.float64], size: tuple[int, int], dx: float, dy: float) -> float:
    """First lag along (dx, dy) at which the mean product of a layer and its shifted self is half of its variance."""
    height, width = size
    lags = np.arange(0.0, min(height, width) / 2, 0.25)
    products = scipy.ndimage.map_coordinates(sums, [lags * dy, lags * dx], order=1, mode="grid-wrap")
    profile = products / ((height - np.abs(lags * dy)) * (width - np.abs(lags * dx)))
    profile = profile / profile[0]
    below = np.flatnonzero(profile <= 0.5)
    if below.size == 0:
        return float("nan")
    last = int(below[0])
    fraction = (profile[last - 1] - 0.5) / (profile[last - 1] - profile[last])
    return float(lags[last - 1] + fraction * 0.25)
