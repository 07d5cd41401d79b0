"""Eq. 3, R = B * t + A * (1 - t) + S: the equation, its limits, and depths for photographs without one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from derainbench.errors import UserError
from derainbench.rain import MistParameters, StreakParameters, mist, plane_depth, streak_statistics

HALF_A_LEVEL = 0.5 + 1e-3


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(
    height=st.integers(8, 48),
    width=st.integers(8, 48),
    beta=st.floats(0.0, 5.0),
    light=st.floats(0.0, 1.0),
    streaks=st.none() | st.just(StreakParameters()),
    seed=st.integers(0, 2**63),
)
@settings(max_examples=60, deadline=None)
def test_rainy_is_its_layers(
    *, height: int, width: int, beta: float, light: float, streaks: StreakParameters | None, seed: int
) -> None:
    clean = noise(height, width, seed % 97)
    depth = plane_depth(height, width, seed)
    rain = mist(clean, depth, MistParameters(beta=beta, light=light, streaks=streaks), seed)
    t, A, S = (rain.layers[key].astype(np.float64) for key in ("t", "A", "S"))
    np.testing.assert_allclose(t[..., 0], np.exp(-beta * depth), rtol=1e-5)
    assert A.shape == (1, 1, 1)
    assert float(A[0, 0, 0]) == pytest.approx(light)
    assert S.min() >= 0.0
    expected = np.minimum(255.0, clean * t + 255.0 * (A * (1.0 - t) + S))
    assert np.abs(expected - rain.rainy).max() <= HALF_A_LEVEL
    assert np.abs(255.0 * rain.recompose(clean, rain.layers) - rain.rainy).max() <= HALF_A_LEVEL


def test_without_scattering_only_streaks_remain() -> None:
    clean = noise(40, 50) // 2
    rain = mist(clean, plane_depth(40, 50, 0), MistParameters(beta=0.0, streaks=StreakParameters()), 0)
    S = 255.0 * rain.layers["S"]
    assert S.max() > 20.0
    np.testing.assert_array_equal(rain.layers["t"], 1.0)
    assert np.abs(np.minimum(255.0, clean + S) - rain.rainy).max() <= HALF_A_LEVEL


def test_through_endless_mist_only_its_light_is_seen() -> None:
    rain = mist(noise(40, 50), plane_depth(40, 50, 0), MistParameters(beta=1000.0, light=0.8), 0)
    np.testing.assert_array_equal(rain.rainy, 204)


def test_mist_grows_with_depth() -> None:
    black = np.zeros((50, 40, 3), np.uint8)
    depth = np.broadcast_to(np.linspace(1.0, 0.0, 50)[:, np.newaxis], (50, 40))
    rows = mist(black, depth, MistParameters(beta=1.5, light=0.9), 0).rainy[:, 0, 0].astype(int)
    assert (np.diff(rows) <= 0).all()
    assert rows[0] == round(255 * 0.9 * (1 - np.exp(-1.5)))
    assert rows[-1] == 0


def test_unit_of_depth_is_the_callers() -> None:
    clean, depth = noise(30, 30), plane_depth(30, 30, 1)
    normalised = mist(clean, depth, MistParameters(beta=1.6), 0)
    metres = mist(clean, 400.0 * depth, MistParameters(beta=1.6 / 400.0), 0)
    assert np.abs(normalised.rainy.astype(int) - metres.rainy).max() <= 1
    np.testing.assert_allclose(normalised.layers["t"], metres.layers["t"], rtol=1e-5)


def test_streaks_lie_before_the_mist() -> None:
    # Eq. 3 adds S after the veil: where the mist is endless, streaks are still there.
    black = np.zeros((100, 100, 3), np.uint8)
    chosen = MistParameters(beta=1000.0, light=0.5, streaks=StreakParameters(coverage=0.2, brightness=25.0))
    rainy = mist(black, np.ones((100, 100)), chosen, 0).rainy
    veil = np.full_like(rainy, 128)
    assert streak_statistics(rainy, veil).coverage == pytest.approx(0.2, abs=0.05)


def test_the_seed_decides() -> None:
    clean, depth = noise(40, 40), plane_depth(40, 40, 0)
    chosen = MistParameters(streaks=StreakParameters())
    first, again, other = (mist(clean, depth, chosen, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.rainy, again.rainy)
    assert (first.layers["S"] != other.layers["S"]).mean() > 0.1


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        (np.ones((20, 21)), "20x21"),
        (np.ones((20, 20, 1)), "one channel"),
        (np.full((20, 20), -1.0), "negative"),
        (np.full((20, 20), np.nan), "not finite"),
    ],
)
def test_unusable_depth_is_refused_in_one_line(depth: NDArray[np.float64], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        mist(noise(20, 20), depth, MistParameters(), 0)
    assert "\n" not in str(caught.value)


@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 2**63))
@settings(max_examples=40, deadline=None)
def test_modelled_depth_is_normalised(height: int, width: int, seed: int) -> None:
    depth = plane_depth(height, width, seed)
    assert depth.shape == (height, width)
    assert depth.dtype == np.float32
    assert depth.min() > 0.0
    assert depth.max() == 1.0
    np.testing.assert_array_equal(depth, plane_depth(height, width, seed))


@pytest.mark.parametrize("seed", range(5))
def test_modelled_depth_recedes_upwards_and_is_smooth(seed: int) -> None:
    depth = plane_depth(128, 192, seed)
    assert depth[:32].mean() > 2.0 * depth[-32:].mean()
    assert np.abs(np.diff(depth, axis=1)).max() < 0.02
