"""Friedman, Nemenyi's cliques, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.stats import Ranks, Refusal, critical_difference, friedman, scene_means


def ranked(scores: np.ndarray) -> Ranks:
    """The result, where one is expected."""
    found = friedman(scores)
    assert isinstance(found, Ranks), found
    return found


def test_the_highest_score_has_rank_one_and_equal_ones_share() -> None:
    found = ranked(np.tile([1.0, 3.0, np.inf, np.inf, 2.0], (20, 1)))
    assert found.mean_ranks == (5.0, 3.0, 1.5, 1.5, 4.0)
    assert found.units == 20
    assert found.critical_difference == critical_difference(5, 20)
    assert found.critical_difference == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 20)), rel=1e-3)


def test_cliques_are_the_largest_groups_within_the_critical_difference() -> None:
    """Ranks 1, 2, 3, 4 in all of 20 scenes: neighbours are within 1.05, others are not."""
    assert critical_difference(4, 20) == pytest.approx(1.0488, abs=1e-3)
    found = ranked(np.tile([10.0, 40.0, 30.0, 20.0], (20, 1)))
    assert found.cliques == ((1, 2), (2, 3), (3, 0))
    assert ranked(np.tile([10.0, 40.0, 30.0, 20.0], (200, 1))).cliques == (), "all told apart"


def test_without_a_difference_all_are_one_clique() -> None:
    """Nemenyi's test is asked only where Friedman's found something."""
    found = ranked(np.random.default_rng(0).normal(size=(30, 4)))
    assert found.p >= 0.05
    assert [sorted(clique) for clique in found.cliques] == [[0, 1, 2, 3]]


@given(st.integers(0, 10**6), st.integers(3, 8), st.integers(6, 40))
def test_cliques_say_just_which_pairs_are_together(seed: int, methods: int, units: int) -> None:
    random = np.random.default_rng(seed)
    found = ranked(random.normal(size=(units, methods)) + np.arange(methods) * random.choice([0.2, 1.0]))
    assert sum(found.mean_ranks) == pytest.approx(methods * (methods + 1) / 2)
    for i in range(methods):
        for j in range(i):
            apart = abs(found.mean_ranks[i] - found.mean_ranks[j])
            together = found.p >= 0.05 or apart < found.critical_difference
            assert together == any({i, j} <= set(clique) for clique in found.cliques)
    for clique in found.cliques:
        assert not any(set(clique) < set(other) for other in found.cliques)
        assert [found.mean_ranks[n] for n in clique] == sorted(found.mean_ranks[n] for n in clique)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.zeros((50, 2)), "only 2 methods, ranks need 3"),
        (np.zeros((50, 0)), "only 0 methods"),
        (np.arange(15.0).reshape(5, 3), "only 5 scenes, ranks need 6"),
        (np.full((9, 3), np.nan), "no score"),
        (np.repeat(np.arange(9.0)[:, None], 3, axis=1), "all methods score the same"),
        (np.full((9, 3), np.inf), "all methods score the same"),
        (np.eye(50, 3), "only 3 scenes with different scores, ranks need 6"),
        (np.eye(200, 12), "mean ranks differ by 0.36 at most, Nemenyi's test needs 1.18"),
    ],
)
def test_refusals(scores: np.ndarray, reason: str) -> None:
    found = friedman(scores)
    assert isinstance(found, Refusal)
    assert reason in found.reason


@given(st.integers(0, 10**6), st.integers(3, 12), st.integers(6, 30), st.integers(2, 4))
def test_what_is_not_refused_could_have_been_told_apart(seed: int, methods: int, units: int, levels: int) -> None:
    """With as many equal scores in each scene, but all scenes in one order, both tests find a difference."""
    scores = np.random.default_rng(seed).integers(0, levels, (units, methods)).astype(float)
    one_order = friedman(np.sort(scores, axis=1))
    assert isinstance(friedman(scores), Refusal) == isinstance(one_order, Refusal)
    if isinstance(one_order, Ranks):
        assert one_order.p < 0.05
        assert len(one_order.cliques) != 1 or len(one_order.cliques[0]) < methods


@pytest.mark.parametrize(("methods", "units"), [(3, 6), (5, 6), (9, 6), (9, 20)])
def test_false_alarms_are_as_rare_as_said(methods: int, units: int) -> None:
    """Methods that do not differ, 1,000 times: Friedman, and Nemenyi after it, find a difference in about 5 %."""
    random = np.random.default_rng(methods * units)
    found = [ranked(random.normal(size=(units, methods))) for _ in range(1000)]
    assert np.mean([each.p < 0.05 for each in found]) < 0.065
    assert np.mean([len(each.cliques) != 1 or len(each.cliques[0]) < methods for each in found]) < 0.065


def test_scene_means() -> None:
    scores = np.array([[1.0, 2], [3, np.inf], [5, 6], [7, np.nan]])
    np.testing.assert_array_equal(scene_means(scores, ["b", "b", "a", "c"]), [[5, 6], [2, np.inf], [7, np.nan]])
    assert scene_means(np.empty((0, 3)), []).shape == (0, 3)
