"""Intervals by resampling scenes: coverage by simulation, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.stats import LEAST_SCENES, Interval, Refusal, mean_interval, mean_intervals
from derainbench.stats.means import finite_mean

SETS = 2000


def simulated(kind: str, sizes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(images, SETS) scores whose expectation is 0, and their scenes: a part that images of a scene share, and noise.

    ``skewed``: the shared part is gamma distributed with a skewness of 1.4.
    """
    random = np.random.default_rng(seed)
    scenes = np.repeat(np.arange(len(sizes)), sizes)
    if kind == "normal":
        shared = random.normal(0, 1, (len(sizes), SETS))
    else:
        shared = random.gamma(2.0, 1 / np.sqrt(2.0), (len(sizes), SETS)) - np.sqrt(2.0)
    return shared[scenes] + random.normal(0, 0.5, (len(scenes), SETS)), scenes


def coverage(kind: str, sizes: np.ndarray, seed: int = 0) -> float:
    """In how many of the sets, in percent, the interval of the mean holds the truth."""
    scores, scenes = simulated(kind, sizes, seed)
    held = 0
    for start in range(0, SETS, 200):
        for each in mean_intervals(scores[:, start : start + 200], scenes, draws=2000):
            assert isinstance(each, Interval)
            held += each.low <= 0 <= each.high
    return 100 * held / SETS


def unequal(scenes: int) -> np.ndarray:
    """Scenes of one to three images."""
    return np.random.default_rng(scenes).integers(1, 4, scenes)


def heavy(scenes: int) -> np.ndarray:
    """The same, but one scene in ten has ten images."""
    sizes = unequal(scenes)
    sizes[::10] = 10
    return sizes


SIZES = [(np.ones(n, int), f"one image in each of {n}") for n in (20, 50, 100, 200)]
SIZES += [(unequal(n), f"unequal {n}") for n in (24, 50, 100, 200)] + [(heavy(n), f"heavy {n}") for n in (100, 200)]


@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("sizes", [pytest.param(sizes, id=name) for sizes, name in SIZES])
def test_coverage(kind: str, sizes: np.ndarray) -> None:
    assert coverage(kind, sizes) == pytest.approx(95, abs=1.5)


def test_scenes_seen_more_than_once_widen_the_interval() -> None:
    """Ten copies of every image are no more data, and images that share nothing are independent."""
    random = np.random.default_rng(1)
    scores = random.normal(30, 3, 40)
    once = mean_interval(scores, np.arange(40))
    copied = mean_interval(np.repeat(scores, 10), np.repeat(np.arange(40), 10))
    naive = mean_interval(np.repeat(scores, 10), np.arange(400))
    assert isinstance(once, Interval)
    assert isinstance(copied, Interval)
    assert isinstance(naive, Interval)
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert (copied.images, copied.clusters) == (400, 40)
    assert (copied.high - copied.low) / (naive.high - naive.low) == pytest.approx(np.sqrt(10), rel=0.1)
    assert once.error == pytest.approx(scores.std(ddof=1) / np.sqrt(40))


RAIN100L = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rain100l" / "scores.csv"
CHECKED = ("identity", "prenet@rain100l")


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
@pytest.mark.parametrize("protocol", ["y", "rgb", "rgb-float-u7"])
def test_on_rain100l_scenes_give_wider_intervals_than_images(protocol: str, metric: str) -> None:
    """100 test images show 91 scenes. The standard error is larger for all five methods, the interval at least for
    the input and for PReNet (docs/statistics.md has the others)."""
    table = pd.read_csv(RAIN100L, dtype={"scene": str, "image": str}).query("protocol == @protocol")
    by_image = table.pivot_table(index=["image", "scene"], columns="method", values=metric).reset_index()
    methods = [*table["method"].unique()]
    scores = by_image[methods].to_numpy()
    clustered = mean_intervals(scores, by_image["scene"].to_numpy(str))
    naive = mean_intervals(scores, by_image["image"].to_numpy(str))
    assert len(methods) == 5
    for method, wide, narrow in zip(methods, clustered, naive, strict=True):
        assert isinstance(wide, Interval)
        assert isinstance(narrow, Interval)
        assert (wide.images, wide.clusters, narrow.clusters) == (100, 91, 100)
        assert wide.mean == narrow.mean
        assert wide.error > narrow.error
        if method in CHECKED:
            assert wide.high - wide.low > narrow.high - narrow.low


def test_infinite_scores_are_left_out_as_of_means() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(30, 3, 60)
    scenes = np.repeat(np.arange(30), 2)
    with_infinite = scores.copy()
    with_infinite[[0, 1, 5]] = np.inf  # all of a scene, and one of another
    found = mean_interval(with_infinite, scenes)
    kept = np.isfinite(with_infinite)
    without = mean_interval(scores[kept], scenes[kept])
    assert isinstance(found, Interval)
    assert isinstance(without, Interval)
    assert (found.mean, found.infinite) == pytest.approx(finite_mean(with_infinite))
    assert (found.images, found.clusters) == (57, 29)
    assert (found.low, found.high) == (without.low, without.high)


@given(st.integers(0, 10**6))
def test_the_order_of_images_does_not_matter(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(30, 3, (50, 2))
    scenes = np.array([f"s{n}" for n in range(25)]).repeat(2)
    shuffled = random.permutation(50)
    first = mean_intervals(scores, scenes, draws=200)
    second = mean_intervals(scores[shuffled], scenes[shuffled], draws=200)
    for one, other in zip(first, second, strict=True):
        assert isinstance(one, Interval)
        assert isinstance(other, Interval)
        assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high))
        assert one.low < one.mean < one.high


def test_a_higher_level_is_wider_and_units_do_not_matter() -> None:
    scores = np.random.default_rng(3).normal(30, 3, 40)
    low, high, scaled = (
        mean_interval(values, np.arange(40), level)
        for values, level in ((scores, 0.9), (scores, 0.99), (-2 * scores, 0.9))
    )
    assert isinstance(low, Interval)
    assert isinstance(high, Interval)
    assert isinstance(scaled, Interval)
    assert high.low < low.low < low.high < high.high
    assert (scaled.low, scaled.high) == pytest.approx((-2 * low.high, -2 * low.low))


@pytest.mark.parametrize(
    ("scores", "scenes", "reason"),
    [
        (np.arange(19.0), np.arange(19), "only 19 scenes, an interval needs 20"),
        (np.arange(100.0), np.zeros(100), "only 1 scene, an interval needs 20"),
        (np.arange(80.0), np.r_[np.arange(30), np.zeros(50)], "30 scenes of so unequal sizes that they count as 2"),
        (np.r_[np.arange(19.0), np.inf], np.arange(20), "only 19 scenes with finite scores"),
        (np.full(30, np.inf), np.arange(30), "only 0 scenes with finite scores"),
        (np.r_[np.arange(29.0), np.nan], np.arange(30), "no score, or an undefined one"),
        (np.full(30, 0.1), np.arange(30), "nearly all scenes score the same"),
        (np.r_[np.ones(29), 2.0], np.arange(30), "nearly all scenes score the same"),
    ],
)
def test_refusals(scores: np.ndarray, scenes: np.ndarray, reason: str) -> None:
    found = mean_interval(scores, scenes)
    assert isinstance(found, Refusal)
    assert reason in found.reason
    assert LEAST_SCENES == 20, "the cases are made for it"


def test_one_undefined_method_does_not_take_the_others_with_it() -> None:
    scores = np.random.default_rng(4).normal(30, 3, (30, 3))
    alone = mean_interval(scores[:, 2], np.arange(30))
    scores[4, 0], scores[5, 1] = np.nan, np.inf
    undefined, infinite, sound = mean_intervals(scores, np.arange(30))
    assert isinstance(undefined, Refusal)
    assert isinstance(infinite, Interval)
    assert infinite.infinite == 1
    assert isinstance(sound, Interval)
    assert isinstance(alone, Interval)
    assert (sound.low, sound.high) == pytest.approx((alone.low, alone.high))
    assert mean_intervals(np.empty((30, 0)), np.arange(30)) == ()


def test_scenes_must_be_one_an_image() -> None:
    with pytest.raises(ValueError, match="30 images need as many scenes"):
        mean_interval(np.arange(30.0), np.arange(29))
