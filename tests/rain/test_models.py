"""Presets against what was measured on the benchmarks they are named after, on photographs without rain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from derainbench.errors import UserError
from derainbench.rain import PRESETS, StreakStatistics, plane_depth, preset, streak_statistics
from derainbench.rain.photographs import PHOTOGRAPHS, photograph


def psnr_y(rainy: NDArray[np.uint8], clean: NDArray[np.uint8]) -> float:
    """PSNR of protocol `y`: BT.601 limited-range luma, not rounded, peak 255."""
    error = (rainy.astype(np.float64) - clean) @ np.array([65.481, 128.553, 24.966]) / 255.0
    return float(10.0 * np.log10(255.0**2 / np.mean(error**2)))


def rained(name: str, photographs: Iterator[NDArray[np.uint8]]) -> tuple[list[StreakStatistics], list[float]]:
    statistics, psnr = [], []
    for seed, clean in enumerate(photographs):
        rainy = preset(name)(clean, None, seed).rainy
        statistics.append(streak_statistics(rainy, clean))
        psnr.append(psnr_y(rainy, clean))
    return statistics, psnr


def embedded() -> Iterator[NDArray[np.uint8]]:
    """Thirty images: each photograph six times, by its top left 300x300 so that measuring is quick."""
    return (photograph(name)[:300, :300] for name in sorted(PHOTOGRAPHS) for _ in range(6))


def real(shared: Path) -> Iterator[NDArray[np.uint8]]:
    """Thirty clean photographs of the BSDS500, the backgrounds of the real sets' kind."""
    files = sorted((shared / "data" / "photographs").glob("*.jpg"))
    if not files:
        pytest.skip(f"no photographs under {shared / 'data'}")
    for file in files[::4]:
        with Pillow.open(file) as image:
            yield np.asarray(image.convert("RGB"), dtype=np.uint8)


def check_rain100l(statistics: list[StreakStatistics]) -> None:
    """facts/rain.md, section 2: every image within the range of the 100 real ones, the set near their mean."""
    assert all(0.09 <= s.coverage <= 0.40 for s in statistics)
    assert all(14.5 <= s.mean_on_rain <= 45.0 for s in statistics)
    assert all(11.0 <= s.percentile_95 <= 76.0 for s in statistics)
    assert all(1.5 <= s.mean <= 14.0 for s in statistics)
    assert np.mean([s.coverage for s in statistics]) == pytest.approx(0.21, abs=0.03)
    assert np.mean([s.mean_on_rain for s in statistics]) == pytest.approx(25.0, abs=3.0)
    assert np.mean([s.percentile_95 for s in statistics]) == pytest.approx(35.0, abs=5.0)
    assert np.mean([s.mean for s in statistics]) == pytest.approx(5.7, abs=1.0)
    directions = [s.direction for s in statistics]
    assert min(directions) >= 66.0
    assert max(directions) <= 114.0
    assert np.mean(directions) == pytest.approx(90.0, abs=6.0)
    assert np.std([s.mean for s in statistics]) > 1.5  # as varied as the real set


def check_rain100h(statistics: list[StreakStatistics]) -> None:
    assert all(0.51 <= s.coverage <= 0.96 for s in statistics)
    assert all(42.0 <= s.mean_on_rain <= 90.0 for s in statistics)
    assert all(85.0 <= s.percentile_95 <= 174.0 for s in statistics)
    assert all(28.0 <= s.mean <= 82.0 for s in statistics)
    assert np.mean([s.coverage for s in statistics]) == pytest.approx(0.85, abs=0.05)
    assert np.mean([s.mean for s in statistics]) == pytest.approx(53.0, abs=8.0)


def test_rain100l_on_embedded_photographs() -> None:
    statistics, psnr = rained("rain100l", embedded())
    check_rain100l(statistics)
    assert np.mean(psnr) == pytest.approx(26.9, abs=1.5)


def test_rain100h_on_embedded_photographs() -> None:
    statistics, psnr = rained("rain100h", embedded())
    check_rain100h(statistics)
    assert np.mean(psnr) == pytest.approx(13.6, abs=1.5)


def test_rain100l_on_real_backgrounds(shared: Path) -> None:
    statistics, psnr = rained("rain100l", real(shared))
    check_rain100l(statistics)
    assert np.mean(psnr) == pytest.approx(26.9, abs=1.5)
    assert np.mean([s.newly_saturated for s in statistics]) == pytest.approx(0.005, abs=0.004)
    assert 9.0 <= np.median([s.length for s in statistics]) <= 29.0
    assert 1.0 <= np.median([s.width for s in statistics]) <= 2.0


@pytest.mark.slow
def test_rain100h_on_real_backgrounds(shared: Path) -> None:
    statistics, psnr = rained("rain100h", real(shared))
    check_rain100h(statistics)
    assert np.mean(psnr) == pytest.approx(13.6, abs=1.5)
    assert np.mean([s.newly_saturated for s in statistics]) == pytest.approx(0.07, abs=0.03)


@pytest.mark.parametrize(("height", "width"), [(128, 192), (321, 481)])
def test_drops_cover_what_the_preset_says(height: int, width: int) -> None:
    clean = np.full((height, width, 3), 128, np.uint8)
    shares = [float((preset("drops")(clean, None, seed).layers["M"] > 0.5).mean()) for seed in range(20)]
    assert min(shares) >= 0.03
    assert max(shares) <= 0.15
    assert max(shares) > 1.5 * min(shares)


def test_mist_uses_the_depth_it_is_given() -> None:
    clean = photograph("astronaut")[:128, :192]
    depth = plane_depth(128, 192, 0)[::-1]  # far below
    t = preset("mist")(clean, depth, 0).layers["t"]
    assert t[:16].mean() > t[-16:].mean() + 0.2
    modelled = preset("mist")(clean, None, 0).layers["t"]
    assert modelled[:16].mean() < modelled[-16:].mean() - 0.1


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_named_and_decided_by_its_seed(name: str) -> None:
    chosen = preset(name)
    assert chosen.name == name
    assert {"streak": {"S"}, "drop": {"M", "D"}, "mist": {"t", "A", "S"}}[chosen.model] == set(
        chosen(photograph("coffee")[:64, :64], None, 0).layers
    )
    clean = photograph("chelsea")[:100, :140]
    first, again, other = (chosen(clean, None, seed).rainy for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.02


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_takes_the_smallest_image(name: str) -> None:
    assert preset(name)(np.full((8, 8, 3), 90, np.uint8), None, 0).rainy.shape == (8, 8, 3)


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(UserError, match=r"did you mean 'rain100l'.*drops, mist, rain100h, rain100l") as caught:
        preset("rain100")
    assert "\n" not in str(caught.value)
