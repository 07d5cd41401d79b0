"""The signed-rank test and Holm's correction: exactness, zeros, infinite scores, gaps, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from derainbench.stats import LEAST_UNITS, Clusters, Paired, Refusal, holm, paired_test


def paired(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray, scenes: Clusters | None = None) -> Paired:
    """The result, where one is expected; each image a scene of its own unless said otherwise."""
    found = paired_test(np.asarray(a, float), np.asarray(b, float), np.arange(len(a)) if scenes is None else scenes)
    assert isinstance(found, Paired), found
    return found


def test_what_is_counted() -> None:
    ours = [31.0, 32.0, 33.0, 34.0, 35.0, 36.0, 30.0, 30.0]
    theirs = [30.0] * 6 + [30.5, 30.0]
    found = paired(ours, theirs)
    assert (found.wins, found.ties, found.losses, found.images) == (6, 1, 1, 8)
    assert found.mean_difference == pytest.approx((21 - 0.5) / 8)
    assert found.median_difference == pytest.approx(2.5)
    assert found.effect == pytest.approx((2 + 3 + 4 + 5 + 6 + 7 - 1) / 28)
    assert found.p == pytest.approx(4 / 2**7), "seven scenes that differ; a sum of 0 or 1 against, twice"
    assert (found.units, found.missing) == (8, 0)


@given(st.lists(st.integers(-3, 3), min_size=6, max_size=9).filter(lambda d: sum(map(bool, d)) >= LEAST_UNITS))
def test_p_is_exact_with_ties_and_zeros(differences: list[int]) -> None:
    """Against all ways to flip the signs."""
    found = paired(differences, [0.0] * len(differences))
    differing = np.array([d for d in differences if d])
    ranks = stats.rankdata(abs(differing))
    signs = np.array([*product((0, 1), repeat=len(ranks))])
    sums = signs @ ranks
    least = min(ranks[differing > 0].sum(), ranks[differing < 0].sum())
    assert found.p == pytest.approx(min(1, 2 * (sums <= least + 1e-9).mean()))


@given(st.integers(0, 10**6), st.integers(6, 80))
def test_exchanging_the_methods_mirrors_all(seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(30, 1, (2, images))
    scenes = np.r_[np.arange(6), random.integers(0, 60, images - 6)]
    one, other = paired(a, b, scenes), paired(b, a, scenes)
    assert (one.p, one.wins, one.ties, one.units) == (other.p, other.losses, other.ties, other.units)
    assert (one.effect, one.mean_difference) == pytest.approx((-other.effect, -other.mean_difference))
    assert 0 < one.p <= 1
    assert abs(one.effect) <= 1


def test_the_unit_is_the_scene() -> None:
    """The same images a hundred times over are no evidence, though each copy counts as a win."""
    a, b = np.array([3.0, 1, 2, 4, 5, 6, -1]), np.zeros(7)
    copies = paired(np.repeat(a, 100), np.repeat(b, 100), np.repeat(np.arange(7), 100))
    assert copies.p == paired(a, b).p
    assert (copies.wins, copies.losses, copies.units) == (600, 100, 7)


def test_infinite_scores() -> None:
    """Both infinite: a tie. One: it wins, with the largest rank, and is in no mean."""
    ours = [np.inf, np.inf, 31, 31, 31, 31, 29.5]
    theirs = [np.inf, 50.0, 30, 30, 30, 30, 30]
    found = paired(ours, theirs)
    assert (found.wins, found.ties, found.losses) == (5, 1, 1)
    assert found.mean_difference == pytest.approx(3.5 / 6)
    assert found.effect == pytest.approx((6 + 4 * 3.5 - 1) / 21)
    scenes = np.array([0, 0, 1, 2, 3, 4, 5])
    assert paired(ours, theirs, scenes).units == 6
    cancelled = paired([np.inf, 50.0, *range(1, 7)], [50.0, np.inf, *[0] * 6], np.array([0, 0, *range(1, 7)]))
    assert (cancelled.wins, cancelled.losses, cancelled.units) == (7, 1, 7)
    assert cancelled.effect == 1, "an infinite win and an infinite loss in one scene cancel out"
    only = paired([np.inf] * 6, [1.0] * 6)
    assert np.isnan(only.mean_difference)
    assert (only.wins, only.p) == (6, 2 / 2**6)


def test_only_common_images_are_compared() -> None:
    a = np.array([31.0, 32, 33, 34, 35, 36, np.nan, 1, np.nan])
    b = np.array([30.0, 30, 30, 30, 30, 30, 90, np.nan, np.nan])
    found = paired(a, b)
    assert (found.images, found.missing, found.units) == (6, 2, 6)
    assert found == paired_test(np.r_[a[:6], np.nan, np.nan], np.r_[b[:6], 1, 2], np.arange(8))


@pytest.mark.parametrize(
    ("a", "b", "scenes", "reason"),
    [
        ([1, 2, 3, 4, 5], [0] * 5, range(5), "only 5 scenes, a test needs 6"),
        ([1, 2, 3, 4, 5, 0, 0], [0] * 7, range(7), "only 5 scenes differ, a test needs 6"),
        ([1] * 10, [0] * 10, [0] * 10, "only 1 scene, a test needs 6"),
        ([30] * 10, [30] * 10, range(10), "all differences are zero"),
        ([np.inf] * 10, [np.inf] * 10, range(10), "all differences are zero"),
        ([1, np.nan], [np.nan, 1], range(2), "no image that both have a score for"),
        ([], [], [], "no image that both"),
    ],
)
def test_refusals(a: list[float], b: list[float], scenes: object, reason: str) -> None:
    found = paired_test(np.array(a, float), np.array(b, float), np.array(scenes))
    assert isinstance(found, Refusal)
    assert reason in found.reason


def test_with_fewer_units_no_difference_could_be_significant() -> None:
    """Where the limit comes from: scipy's exact p of scenes that all favour one method."""
    assert stats.wilcoxon(np.arange(1.0, LEAST_UNITS), method="exact").pvalue > 0.05
    assert paired(np.arange(1.0, LEAST_UNITS + 1), np.zeros(LEAST_UNITS)).p < 0.05


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_test(np.zeros(3), np.zeros(4), np.arange(3))


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_never_lowers(p: list[float]) -> None:
    adjusted = holm(p)
    assert ((adjusted >= p) & (adjusted <= 1)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    if p:
        assert adjusted.min() == min(1, len(p) * min(p))


@pytest.mark.parametrize("p", [[np.nan], [1.5], [-0.1], [[0.5]]])
def test_holm_takes_probabilities_only(p: list[float]) -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm(p)
