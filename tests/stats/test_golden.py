"""Against scipy, statsmodels and scikit-posthocs, as stored by make_golden.py with their versions."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from derainbench.stats import Paired, Ranks, critical_difference, friedman, holm, paired_test, scene_means

HERE = Path(__file__).parent
METHODS = ("input", "ours", "close", "twin", "other")
DATA = pd.read_csv(HERE / "data.csv")
GOLDEN: dict[str, Any] = json.loads((HERE / "golden.json").read_text())
SCORES = DATA[[*METHODS]].to_numpy()
SCENES = DATA["scene"].to_numpy(str)
FIRST = np.unique(SCENES)[:25]
PAIRS = list(combinations(range(len(METHODS)), 2))


def _name(i: int, j: int) -> str:
    return f"{METHODS[i]}-{METHODS[j]}"


def _agrees(found: object, expected: dict[str, float]) -> None:
    assert isinstance(found, Paired)
    assert found.p == pytest.approx(expected["p"], rel=1e-9)
    ranks = expected["differing"] * (expected["differing"] + 1) / 2
    assert found.effect == pytest.approx(2 * expected["positive_ranks"] / ranks - 1, abs=1e-12)


@pytest.mark.parametrize(("i", "j"), PAIRS)
def test_wilcoxon_over_scenes(i: int, j: int) -> None:
    _agrees(paired_test(SCORES[:, i], SCORES[:, j], SCENES), GOLDEN["wilcoxon, scenes, approx"][_name(i, j)])


@pytest.mark.parametrize(("i", "j"), PAIRS)
def test_wilcoxon_of_few_scenes_is_exact(i: int, j: int) -> None:
    few = np.isin(SCENES, FIRST)
    found = paired_test(SCORES[few, i], SCORES[few, j], SCENES[few])
    _agrees(found, GOLDEN["wilcoxon, first 25 scenes, exact"][_name(i, j)])


@pytest.mark.parametrize(("i", "j"), PAIRS)
def test_wilcoxon_with_zeros_and_equal_differences(i: int, j: int) -> None:
    whole = SCORES.round(0)
    found = paired_test(whole[:, i], whole[:, j], DATA["image"].to_numpy(str))
    expected = GOLDEN["wilcoxon, whole decibels of images, approx"][_name(i, j)]
    _agrees(found, expected)


def test_holm() -> None:
    p = [each["p"] for each in GOLDEN["wilcoxon, scenes, approx"].values()]
    np.testing.assert_allclose(holm(p), GOLDEN["holm"], rtol=1e-12)
    np.testing.assert_allclose(holm(p[::-1]), GOLDEN["holm"][::-1], rtol=1e-12)


def test_friedman() -> None:
    for scores, name in ((scene_means(SCORES, SCENES), "friedman"), (SCORES.round(0), "friedman, whole decibels")):
        found = friedman(scores)
        assert isinstance(found, Ranks)
        assert found.statistic == pytest.approx(GOLDEN[name]["statistic"], rel=1e-12)
        assert found.p == pytest.approx(GOLDEN[name]["p"], rel=1e-9)


def test_nemenyi() -> None:
    """At a level of a pair's p-value, the critical difference is that pair's difference in mean rank."""
    found = friedman(scene_means(SCORES, SCENES))
    assert isinstance(found, Ranks)
    p = np.array(GOLDEN["nemenyi"])
    compared = 0
    for i, j in PAIRS:
        together = any({i, j} <= set(clique) for clique in found.cliques)
        assert together == (p[i, j] > 0.05)
        if 1e-6 < p[i, j] < 0.999:
            apart = abs(found.mean_ranks[i] - found.mean_ranks[j])
            assert critical_difference(len(METHODS), found.units, p[i, j]) == pytest.approx(apart, rel=1e-4)
            compared += 1
    assert compared >= 5


def test_critical_values_as_printed() -> None:
    """Demsar 2006, Table 5 (a): q at 0.05 for 2 to 10 classifiers; 6 units per k (k + 1) make the difference q."""
    printed = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    q = [critical_difference(k, 100) / (k * (k + 1) / 600) ** 0.5 for k in range(2, 11)]
    np.testing.assert_allclose(q, printed, atol=0.001)
