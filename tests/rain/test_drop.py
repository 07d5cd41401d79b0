"""Eq. 2, R = (1 - M) * B + D: the equation, the optics of a drop, and that nothing happens beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage

from derainbench.errors import UserError
from derainbench.rain import DropParameters, drop

HALF_A_LEVEL = 0.5 + 1e-3


def bright_above_dark(height: int, width: int) -> NDArray[np.uint8]:
    column = np.linspace(240, 20, height).astype(np.uint8)
    return np.broadcast_to(column[:, np.newaxis, np.newaxis], (height, width, 3)).copy()


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(
    height=st.integers(8, 48),
    width=st.integers(8, 48),
    count=st.integers(0, 12),
    radius=st.floats(1.0, 12.0),
    defocus=st.floats(0.0, 3.0),
    minification=st.floats(1.0, 8.0),
    seed=st.integers(0, 2**63),
)
@settings(max_examples=60, deadline=None)
def test_rainy_is_its_layers(
    *, height: int, width: int, count: int, radius: float, defocus: float, minification: float, seed: int
) -> None:
    chosen = DropParameters(
        count=count, radius_min=radius, radius_max=2.0 * radius, defocus=defocus, minification=minification
    )
    clean = noise(height, width, seed % 97)
    rain = drop(clean, chosen, seed)
    M, D = (rain.layers[key].astype(np.float64) for key in "MD")
    assert M.shape == (height, width, 1)
    assert D.shape == (height, width, 3)
    assert M.min() >= 0.0
    assert M.max() <= 1.0
    assert D.min() >= 0.0
    assert (M + 1e-6 >= D).all()  # a drop gives no more light than white through its own area
    expected = (1.0 - M) * clean + 255.0 * D
    assert np.abs(expected - rain.rainy).max() <= HALF_A_LEVEL
    assert np.abs(255.0 * rain.recompose(clean, rain.layers) - rain.rainy).max() <= HALF_A_LEVEL
    outside = M[..., 0] == 0.0
    np.testing.assert_array_equal(rain.rainy[outside], clean[outside])


def test_drops_turn_the_scene_upside_down() -> None:
    clean = bright_above_dark(120, 160)
    chosen = DropParameters(count=12, radius_min=8.0, radius_max=12.0, rim=0.0, glow=0.0, defocus=0.0)
    rain = drop(clean, chosen, 4)
    M, seen = rain.layers["M"][..., 0], rain.rainy[..., 0].astype(float)
    labels, found = ndimage.label(M > 0.99)
    checked = 0
    for k in range(1, found + 1):
        rows, columns = np.nonzero(labels == k)
        if rows.size < 80:  # cut by the border
            continue
        upper = rows < np.median(rows)
        background = clean[rows, columns, 0].astype(float)
        assert background[upper].mean() > background[~upper].mean() + 5.0
        inside = seen[rows, columns]
        assert inside[~upper].mean() > inside[upper].mean() + 5.0
        checked += 1
    assert checked >= 6


def test_drops_swap_left_and_right() -> None:
    clean = bright_above_dark(160, 120).transpose(1, 0, 2).copy()  # bright on the left
    chosen = DropParameters(count=1, radius_min=14.0, radius_max=14.0, rim=0.0, glow=0.0, defocus=0.0)
    rain = drop(clean, chosen, 1)
    rows, columns = np.nonzero(rain.layers["M"][..., 0] > 0.99)
    assert rows.size > 200
    left = columns < np.median(columns)
    inside = rain.rainy[rows, columns, 0].astype(float)
    assert inside[~left].mean() > inside[left].mean() + 5.0


def test_drops_minify() -> None:
    clean = bright_above_dark(200, 200)
    spans = []
    for minification in (1.0, 4.0):
        chosen = DropParameters(
            count=1, radius_min=15.0, radius_max=15.0, rim=0.0, glow=0.0, defocus=0.0, minification=minification
        )
        rain = drop(clean, chosen, 0)
        inside = rain.rainy[rain.layers["M"][..., 0] > 0.99][:, 0].astype(float)
        spans.append(inside.max() - inside.min())
    assert 2.5 < spans[1] / spans[0] < 5.0


def test_the_rim_is_darker_than_the_middle() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    rain = drop(grey, DropParameters(count=6, radius_min=10.0, radius_max=10.0, rim=0.6, glow=0.0, defocus=0.0), 2)
    inside = rain.layers["M"][..., 0] > 0.99
    distance = ndimage.distance_transform_edt(inside)
    seen = rain.rainy[..., 0].astype(float)
    middle, rim = seen[distance > 6.0], seen[inside & (distance < 1.5)]
    assert middle.mean() == pytest.approx(128.0, abs=3.0)
    assert rim.mean() < 90.0


def test_glow_brightens_by_its_share() -> None:
    grey = np.full((100, 100, 3), 100, np.uint8)
    rain = drop(grey, DropParameters(count=6, radius_min=10.0, radius_max=10.0, rim=0.0, glow=0.1, defocus=0.0), 2)
    assert np.median(rain.rainy[rain.layers["M"][..., 0] > 0.99]) == 110


def test_defocus_softens_the_edge() -> None:
    grey = noise(80, 80)
    shares = []
    for defocus in (0.0, 2.0):
        M = drop(grey, DropParameters(count=5, radius_min=8.0, radius_max=8.0, defocus=defocus), 3).layers["M"]
        shares.append(((M > 0.05) & (M < 0.95)).sum() / (M > 0.5).sum())
    assert shares[1] > 2.0 * shares[0]


def test_the_seed_decides() -> None:
    clean = noise(64, 64)
    first, again, other = (drop(clean, DropParameters(count=8), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.rainy, again.rainy)
    for key in "MD":
        np.testing.assert_array_equal(first.layers[key], again.layers[key])
    assert (first.layers["M"] != other.layers["M"]).mean() > 0.02


def test_no_drops_no_change() -> None:
    clean = noise(16, 20)
    np.testing.assert_array_equal(drop(clean, DropParameters(count=0), 0).rainy, clean)


def test_unusable_input_is_refused() -> None:
    with pytest.raises(UserError, match="8x7"):
        drop(np.zeros((8, 7, 3), np.uint8), DropParameters(), 0)
    with pytest.raises(ValidationError, match="swap them"):
        DropParameters(radius_min=9.0, radius_max=3.0)
