"""Plain words, and the spread over seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from derainbench.stats import OverSeeds, Paired, Ranks, Refusal, comparison_words, over_seeds, p_words, rank_words
from derainbench.support.words import listed

PAIR = Paired(93, 0, 7, 1.2345, 1.1, 1e-9, 0.9, 91, 91)


def test_better() -> None:
    assert (
        comparison_words("PReNet", "RESCAN", PAIR, "dB")
        == "PReNet is better than RESCAN on 93 of 100 images (mean +1.23 dB), p < 0.001."
    )


def test_the_subject_is_the_better_one() -> None:
    mirrored = replace(PAIR, wins=7, losses=93, mean_difference=-1.2345, effect=-0.9)
    assert comparison_words("RESCAN", "PReNet", mirrored, "dB") == comparison_words("PReNet", "RESCAN", PAIR, "dB")


def test_not_told_apart() -> None:
    pair = Paired(50, 10, 40, 0.00021, 0.0, 0.31, 0.1, 91, 91)
    assert (
        comparison_words("A", "B", pair, digits=4)
        == "A and B are not told apart: A is better than B on 50 of 100 images, equal on 10 (mean +0.0002), p = 0.310."
    )
    assert "(mean ±0.00 dB)" in comparison_words("A", "B", replace(pair, mean_difference=-1e-9), "dB")


def test_missing_images_are_said() -> None:
    text = comparison_words("A", "B", replace(PAIR, missing=3, mean_difference=np.nan), "dB")
    assert text == "A is better than B on 93 of 100 images that both have scores for, p < 0.001."


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0009, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0123, "p = 0.012"),
        (0.04996, "p = 0.04996"),
        (0.05, "p = 0.050"),
        (0.0500001, "p = 0.050"),
        (1.0, "p = 1.000"),
    ],
)
def test_p(p: float, text: str) -> None:
    assert p_words(p) == text


def test_thousands_are_set_apart() -> None:
    text = comparison_words("A", "B", replace(PAIR, wins=1500, losses=7, ties=0))
    assert "on 1,500 of 1,507 images" in text


def test_ranks() -> None:
    ranks = Ranks((1.2, 2.0, 2.8, 4.0), 42.31, 1e-8, 0.9, ((0, 1), (1, 2)), 91)
    assert rank_words("ABCD", ranks) == (
        "Over 91 scenes the ranks of the 4 methods differ: Friedman chi-square(3) = 42.3, p < 0.001; mean ranks: "
        "A 1.20, B 2.00, C 2.80 and D 4.00. Nemenyi's test does not tell apart: A and B; nor B and C "
        "(critical difference 0.90)."
    )
    assert "tells all of them apart" in rank_words("ABCD", replace(ranks, cliques=()))
    assert "A, B, C and D" in rank_words("ABCD", replace(ranks, cliques=((0, 1, 2, 3),)))
    nothing = rank_words("ABCD", replace(ranks, p=0.4, statistic=2.95))
    assert (
        nothing
        == "Over 91 scenes the ranks of the 4 methods are not told apart: Friedman chi-square(3) = 3.0, p = 0.400."
    )


def test_names_with_commas_stay_apart() -> None:
    assert listed(["A"]) == "A"
    assert listed(["A", "B", "C"]) == "A, B and C"
    assert listed(["A, small", "B", "C"]) == "A, small; B; and C"


def test_seeds() -> None:
    found = over_seeds([37.0, 37.5, 38.0])
    assert isinstance(found, OverSeeds)
    assert (found.mean, found.deviation, found.seeds) == (37.5, 0.5, 3)
    half = 4.302652729911275 * 0.5 / np.sqrt(3)  # the t table's 4.303 for two degrees of freedom
    assert (found.low, found.high) == pytest.approx((37.5 - half, 37.5 + half))
    assert over_seeds([37.0, np.inf, 37.5, 38.0]) == found


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([37.0], "1 seed, a deviation needs 2"),
        ([], "0 seeds"),
        ([np.inf, 37.0], "1 seed,"),
        ([np.nan, 37.0, 38.0], "undefined"),
        ([37.5, 37.5], "2 seeds of the same score"),
    ],
)
def test_seeds_refuse(values: list[float], reason: str) -> None:
    found = over_seeds(values)
    assert isinstance(found, Refusal)
    assert reason in found.reason
