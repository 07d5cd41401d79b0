"""What samples of few scenes let tests say, by simulation: ``python -m benchmarks.conclusions``.

The numbers of docs/statistics.md. Of methods that do not differ: how often any pair is told apart, and how often
Friedman's test finds a difference. Of methods in one order in every scene, the clearest sample there is: how many pairs
are told apart, and how many a correction without refusals would call "not told apart".
"""

from __future__ import annotations

import argparse
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from derainbench.stats import ALPHA, Paired, Ranks, Refusal, adjusted_family, friedman, holm, paired_test

SCENES = (6, 8, 10, 20)
METHODS = range(2, 13)


def tests_of(scores: NDArray[np.float64]) -> dict[tuple[int, int], Paired | Refusal]:
    """The test of every pair of methods by itself; ``scores`` are (scenes, methods)."""
    scenes, methods = scores.shape
    return {
        (i, j): paired_test(scores[:, i], scores[:, j], np.arange(scenes)) for i, j in combinations(range(methods), 2)
    }


def told_apart(tests: dict[tuple[int, int], Paired | Refusal]) -> int:
    """How many pairs have a p below 0.05 after adjustment."""
    return sum(isinstance(test, Paired) and test.p < ALPHA for test in adjusted_family(tests).values())


def alarms(scenes: int, methods: int, sets: int, tested: bool) -> tuple[float, float]:
    """In how many sets of scores without a difference, in percent, a pair is told apart (never, where none is tested);
    and the ranks.
    """
    random = np.random.default_rng(100 * scenes + methods)
    pairs = ranks = 0
    for _ in range(sets):
        scores = random.normal(size=(scenes, methods))
        pairs += tested and told_apart(tests_of(scores)) > 0
        found = friedman(scores)
        ranks += isinstance(found, Ranks) and found.p < ALPHA
    return 100 * pairs / sets, 100 * ranks / sets


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few sets: does it run at all?")
    sets = 20 if parser.parse_args().quick else 1000
    print("| scenes | methods | pairs | clearest: told apart | refused | else unclear | alarms: pairs | ranks |")
    print("|---|---|---|---|---|---|---|---|")
    for scenes in SCENES:
        for methods in METHODS:
            clear = tests_of(np.arange(scenes)[:, None] + 100.0 * np.arange(methods) ** 1.5)
            found, pairs = told_apart(clear), len(clear)
            refused = sum(isinstance(test, Refusal) for test in adjusted_family(clear).values())
            naive = holm([test.p for test in clear.values() if isinstance(test, Paired)])
            of_pairs, of_ranks = alarms(scenes, methods, sets, refused < pairs)
            ranks = f"{of_ranks:.1f}" if methods > 2 else "-"
            print(
                f"| {scenes} | {methods} | {pairs} | {found} | {refused} | {int((naive >= ALPHA).sum())} "
                f"| {of_pairs:.1f} | {ranks} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
