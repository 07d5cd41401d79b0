"""Eq. 1, R = B + S: what the layer obeys whatever the parameters, and how its parameters show in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from derainbench.errors import UserError
from derainbench.rain import StreakParameters, streak, streak_statistics

HALF_A_LEVEL = 0.5 + 1e-3  # in grey levels; the slack is float32's

parameters = st.builds(
    StreakParameters,
    directions=st.lists(st.floats(0.0, 179.0), min_size=1, max_size=4).map(tuple),
    length=st.floats(1.0, 60.0),
    width=st.floats(0.3, 3.0),
    coverage=st.floats(0.02, 0.98),
    brightness=st.floats(6.0, 200.0),
)
sides = st.integers(8, 48)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(height=sides, width=sides, chosen=parameters, seed=st.integers(0, 2**63), as_float=st.booleans())
@settings(max_examples=60, deadline=None)
def test_rainy_is_its_layers_and_never_darker(
    height: int, width: int, chosen: StreakParameters, seed: int, as_float: bool
) -> None:
    levels = noise(height, width, seed % 97)
    clean = levels / 255.0 if as_float else levels
    rain = streak(clean, chosen, seed)
    layer = rain.layers["S"]
    assert rain.rainy.dtype == np.uint8
    assert rain.rainy.shape == clean.shape
    assert layer.dtype == np.float32
    assert layer.shape == (height, width, 1)
    assert layer.min() >= 0.0
    assert layer.max() <= 1.0
    # The equation written out here, not called: B + S, clipped at white.
    expected = np.minimum(255.0, levels + 255.0 * layer.astype(np.float64))
    assert np.abs(expected - rain.rainy).max() <= HALF_A_LEVEL
    assert np.abs(255.0 * rain.recompose(clean, rain.layers) - rain.rainy).max() <= HALF_A_LEVEL
    assert (rain.rainy >= levels).all()


def test_streaks_are_achromatic() -> None:
    clean = np.full((64, 64, 3), (20, 60, 90), np.uint8)
    rainy = streak(clean, StreakParameters(brightness=25.0), 3).rainy
    assert rainy.max() < 255  # each channel would clip by itself
    added = rainy.astype(int) - clean
    assert added.max() > 20
    assert (added[..., 0] == added[..., 1]).all()
    assert (added[..., 1] == added[..., 2]).all()


def test_the_seed_decides() -> None:
    clean = noise(64, 80)
    chosen = StreakParameters()
    first, again, other = (streak(clean, chosen, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.rainy, again.rainy)
    np.testing.assert_array_equal(first.layers["S"], again.layers["S"])
    assert (first.layers["S"] != other.layers["S"]).mean() > 0.1


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(1)  # noqa: NPY002  # the very state that must not be touched
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    streak(noise(32, 32), StreakParameters(), 0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("angle", [60.0, 75.0, 90.0, 110.0, 150.0])
def test_direction_shows_in_the_layer(angle: float) -> None:
    black = np.zeros((160, 160, 3), np.uint8)
    rain = streak(black, StreakParameters(directions=(angle,), length=30.0), 0)
    assert streak_statistics(rain.rainy, black).direction == pytest.approx(angle, abs=2.5)


def test_streaks_lean_the_way_the_angle_says() -> None:
    # 60 degrees anticlockwise from the horizontal leans like a slash: what is higher up lies farther to the right.
    black = np.zeros((160, 160, 3), np.uint8)
    layer = streak(black, StreakParameters(directions=(60.0,), length=40.0), 0).layers["S"][..., 0]
    shift = round(10 / np.tan(np.radians(60.0)))
    like_a_slash = float((layer[:-10, shift:] * layer[10:, :-shift]).mean())
    like_a_backslash = float((layer[:-10, :-shift] * layer[10:, shift:]).mean())
    assert like_a_slash > 2.0 * like_a_backslash


@pytest.mark.parametrize(("coverage", "brightness"), [(0.1, 15.0), (0.2, 25.0), (0.4, 60.0)])
def test_coverage_and_brightness_are_met(coverage: float, brightness: float) -> None:
    black = np.zeros((200, 300, 3), np.uint8)
    rain = streak(black, StreakParameters(coverage=coverage, brightness=brightness), 1)
    measured = streak_statistics(rain.rainy, black)
    assert measured.coverage == pytest.approx(coverage, rel=0.05)
    assert measured.mean_on_rain == pytest.approx(brightness, rel=0.05)


def test_sheets_together_keep_to_coverage_and_brightness() -> None:
    black = np.zeros((200, 300, 3), np.uint8)
    chosen = StreakParameters(directions=(65.0, 80.0, 95.0, 110.0), coverage=0.8, brightness=50.0)
    measured = streak_statistics(streak(black, chosen, 1).rainy, black)
    assert measured.coverage == pytest.approx(0.8, abs=0.05)
    assert measured.mean_on_rain == pytest.approx(50.0, rel=0.1)


def test_longer_blur_makes_longer_streaks_and_wider_grain_wider_ones() -> None:
    black = np.zeros((200, 200, 3), np.uint8)

    def measure(length: float, width: float) -> tuple[float, float]:
        rain = streak(black, StreakParameters(length=length, width=width), 2)
        measured = streak_statistics(rain.rainy, black)
        return measured.length, measured.width

    assert measure(50.0, 0.7)[0] > 1.8 * measure(15.0, 0.7)[0]
    assert measure(30.0, 2.0)[1] > 1.8 * measure(30.0, 0.7)[1]


@pytest.mark.parametrize(
    ("clean", "said"),
    [
        (np.zeros((7, 20, 3), np.uint8), "7x20"),
        (np.zeros((20, 20), np.uint8), "RGB"),
        (np.zeros((20, 20, 4), np.uint8), "RGB"),
        (np.zeros((20, 20, 3), np.int32), "int32"),
        (np.full((20, 20, 3), 1.5), r"outside \[0, 1\]"),
        (np.full((20, 20, 3), np.nan), "not finite"),
    ],
)
def test_unusable_images_are_refused_in_one_line(clean: NDArray[np.uint8], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        streak(clean, StreakParameters(), 0)
    assert "\n" not in str(caught.value)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(UserError, match="seed -1"):
        streak(noise(16, 16), StreakParameters(), -1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"directions": ()},
        {"directions": (180.0,)},
        {"length": 0.5},
        {"coverage": 0.0},
        {"brightness": 4.0},
        {"wind": 1},
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StreakParameters.model_validate(wrong)
