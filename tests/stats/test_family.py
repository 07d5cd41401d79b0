"""Tests that are read together: which of them could find anything, and what is said of the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.stats import Paired, Refusal, adjusted_family, holm, least_p, paired_test


def lower(scenes: int, differing: int) -> Paired | Refusal:
    """A method that is lower in each of the scenes that differ."""
    differences = np.zeros(scenes)
    differences[:differing] = np.arange(1.0, differing + 1)
    return paired_test(np.zeros(scenes), differences, np.arange(scenes))


def reasons(tests: dict[int, Paired | Refusal]) -> list[str | None]:
    """Why each was refused, None where it was not."""
    return [test.reason if isinstance(test, Refusal) else None for test in tests.values()]


def test_ten_comparisons_of_eight_scenes_find_nothing_and_say_so() -> None:
    found = adjusted_family({n: lower(8, 8) for n in range(10)})
    assert reasons(found) == ["8 scenes allow no p below 0.078 among 10 comparisons, which need 9"] * 10


def test_six_comparisons_of_eight_scenes_are_told_apart() -> None:
    found = adjusted_family({n: lower(8, 8) for n in range(6)})
    assert [test.p for test in found.values() if isinstance(test, Paired)] == [pytest.approx(6 / 128)] * 6


def test_a_test_of_fewer_scenes_leaves_the_family_and_the_others_stay() -> None:
    """With all seven, six scenes could find something only if the other six tests did."""
    tests = {n: lower(8, 8) for n in range(6)} | {6: lower(9, 6)}
    found = adjusted_family(tests)
    assert reasons(found)[6] == "6 scenes that differ allow no p below 0.219 among 7 comparisons, which need 9"
    assert [test.p for test in found.values() if isinstance(test, Paired)] == [pytest.approx(6 / 128)] * 6
    assert list(found) == list(tests)


def test_refused_tests_do_not_count() -> None:
    """Nine pairs of the same scores take nothing from the tenth."""
    found = adjusted_family({n: lower(8, 8 if n == 4 else 0) for n in range(10)})
    assert [test.p for test in found.values() if isinstance(test, Paired)] == [pytest.approx(1 / 128)]
    assert reasons(found)[0] == "all differences are zero"


@given(st.lists(st.integers(4, 14), max_size=40))
def test_what_is_kept_would_be_told_apart_and_no_more_could_be_kept(differing: list[int]) -> None:
    """By the numbers of scenes alone, in any order; against trying every family that fewer scenes leave first."""
    found = adjusted_family({n: lower(20, number) for n, number in enumerate(differing)})
    kept = {n for n, test in found.items() if isinstance(test, Paired)}
    assert all(test.p < 0.05 for test in found.values() if isinstance(test, Paired))
    families = [[n for n, number in enumerate(differing) if number >= least] for least in range(6, 16)]
    supported = [family for family in families if all(len(family) * 2 / 2 ** differing[n] < 0.05 for n in family)]
    largest = max(supported, key=len)
    assert kept == set(largest)
    remaining = [lower(20, differing[n]) for n in sorted(kept)]
    assert [found[n].p for n in sorted(kept)] == pytest.approx(holm([test.p for test in remaining]))  # type: ignore[union-attr]


@given(st.lists(st.integers(-3, 3).filter(bool), min_size=6, max_size=60))
def test_no_outcome_has_a_smaller_p(differences: list[int]) -> None:
    """Equal ranks or not. Beyond 50 scenes equal ranks make the approximate p smaller, but none of these is near."""
    found = paired_test(np.array(differences, float), np.zeros(len(differences)), np.arange(len(differences)))
    assert isinstance(found, Paired)
    assert found.least_p == least_p(len(differences))
    assert found.least_p < 1e-9 if len(differences) > 50 else found.p >= found.least_p


@pytest.mark.parametrize("differing", [6, 9, 50, 51, 80])
def test_all_scenes_of_one_sign_have_the_least_p(differing: int) -> None:
    found = lower(differing, differing)
    assert isinstance(found, Paired)
    assert found.p == pytest.approx(found.least_p)
    assert differing > 50 or found.least_p == 2 / 2**differing
