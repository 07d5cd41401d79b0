"""The measures of rain, on layers whose answer is known and on the real Rain100L."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from derainbench.errors import UserError
from derainbench.rain import streak_statistics
from derainbench.rain.measure import direction, half_correlation_lengths


def read(path: Path) -> NDArray[np.uint8]:
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def test_a_layer_of_two_levels() -> None:
    clean = np.full((20, 50, 3), 100, np.uint8)
    rainy = clean.copy()
    rainy[:, :10] += 40  # a fifth of the pixels
    rainy[:, 10:20] += 5  # not above the threshold
    measured = streak_statistics(rainy, clean)
    assert measured.coverage == pytest.approx(0.2)
    assert measured.mean_on_rain == pytest.approx(40.0)
    assert measured.percentile_95 == pytest.approx(40.0)
    assert measured.mean == pytest.approx(9.0)
    assert measured.newly_saturated == 0.0


def test_newly_saturated_counts_pixels_that_turn_white() -> None:
    clean = np.full((10, 10, 3), 250, np.uint8)
    clean[0] = 255
    rainy = clean.copy()
    rainy[:3] = 255  # the first of these three rows was white before
    rainy[5, :, 0] = 255  # one channel alone is not white
    assert streak_statistics(rainy, clean).newly_saturated == pytest.approx(0.2)


def test_no_rain_is_measured_as_none() -> None:
    clean = np.full((10, 10, 3), 70, np.uint8)
    measured = streak_statistics(clean, clean)
    assert (measured.coverage, measured.mean_on_rain, measured.mean) == (0.0, 0.0, 0.0)
    assert np.isnan([measured.direction, measured.length, measured.width]).all()


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 120.0, 170.0])
def test_direction_of_a_grating(angle: float) -> None:
    y, x = np.mgrid[0:100, 0:100]
    radians = np.radians(angle)
    across = x * np.sin(radians) + y * np.cos(radians)  # constant along (cos, -sin), y downwards
    measured = direction((0.5 + 0.5 * np.sin(2 * np.pi * across / 9)).astype(np.float32))
    assert min(abs(measured - angle), 180.0 - abs(measured - angle)) < 1.0


def test_half_correlation_of_gaussian_noise() -> None:
    # Noise blurred by sigma has a Gaussian autocorrelation of sigma * sqrt(2), one half at sigma * 2 * sqrt(ln 2).
    layer = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((600, 600)), (6.0, 2.0), mode="wrap")
    length, width = half_correlation_lengths(layer.astype(np.float32), 90.0)
    assert length == pytest.approx(6.0 * 2.0 * np.sqrt(np.log(2.0)), rel=0.1)
    assert width == pytest.approx(2.0 * 2.0 * np.sqrt(np.log(2.0)), rel=0.1)


def test_sizes_must_match() -> None:
    with pytest.raises(UserError, match="10x11"):
        streak_statistics(np.zeros((10, 11, 3), np.uint8), np.zeros((10, 12, 3), np.uint8))


@pytest.mark.slow
def test_real_rain100l_measures_as_published_facts(shared: Path) -> None:
    folder = shared / "data" / "Rain100L"
    if not folder.is_dir():
        pytest.skip(f"no real Rain100L under {folder}")
    measured = [
        streak_statistics(read(folder / "rainy" / f"rain-{k:03d}.png"), read(folder / f"norain-{k:03d}.png"))
        for k in range(1, 101)
    ]
    coverage = [m.coverage for m in measured]
    percentile = [m.percentile_95 for m in measured]
    # facts/rain.md, section 2, as printed there: mean (min to max) over the 100 pairs.
    assert [round(float(np.mean(coverage)), 2), round(min(coverage), 2), round(max(coverage), 2)] == [0.21, 0.09, 0.40]
    assert round(float(np.mean([m.mean_on_rain for m in measured]))) == 25
    assert [np.mean(percentile), min(percentile), max(percentile)] == pytest.approx([35, 11, 76], abs=0.5)
    assert np.mean([m.newly_saturated for m in measured]) == pytest.approx(0.005, abs=0.001)
    assert np.mean([m.mean for m in measured]) == pytest.approx(5.7, abs=0.3)
    assert np.percentile([m.direction for m in measured], [5, 50, 95]) == pytest.approx([69, 90, 111], abs=3)
    assert 1.0 < np.median([m.width for m in measured]) < 2.0
    assert np.median([m.length for m in measured]) == pytest.approx(14, abs=4)
