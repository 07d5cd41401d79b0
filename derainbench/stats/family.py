"""Several paired tests that are read together: which of them the sample supports, and their p-values adjusted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TypeVar

from derainbench.stats.holm import holm
from derainbench.stats.paired import LEAST_UNITS, Paired, least_p
from derainbench.stats.ranks import ALPHA
from derainbench.stats.refusal import Refusal
from derainbench.stats.words import p_words
from derainbench.support.words import counted

Key = TypeVar("Key", bound=Hashable)


def adjusted_family(tests: Mapping[Key, Paired | Refusal]) -> dict[Key, Paired | Refusal]:
    """``tests`` with the p of each adjusted by Holm's method for all that remain, and a refusal where none can find
    anything.

    A test over n scenes with a difference has no p below :func:`derainbench.stats.paired.least_p` of n, and Holm's
    method multiplies the smallest of m by m. A test is kept if the product is below 0.05: then a method that is worse
    in every scene is told apart, whatever the other tests show. (Later steps of Holm's method multiply by less, but
    only after other tests have found something: what could be found would depend on what was.)

    What is refused no longer counts, so that others may be kept. Tests over fewer scenes go first, all of one number
    together, until what remains is kept; since fewer scenes make a larger p, that is the largest family of which every
    test can find something. It depends on how many scenes differ in each test, never on the direction of a difference:
    leaving tests out this way makes no false alarm more likely.
    """
    kept = {key: test for key, test in tests.items() if isinstance(test, Paired)}
    found = dict(tests)
    while kept:
        fewest = min(test.differing for test in kept.values())
        comparisons = len(kept)
        if comparisons * least_p(fewest) < ALPHA:
            break
        for key in [key for key, test in kept.items() if test.differing == fewest]:
            found[key] = _refusal(kept.pop(key), comparisons)
    adjusted = holm([test.p for test in kept.values()]).tolist()
    return found | {key: replace(test, p=p) for (key, test), p in zip(kept.items(), adjusted, strict=True)}


def _refusal(test: Paired, comparisons: int) -> Refusal:
    scenes = counted(test.differing, "scene") + (" that differ" if test.differing < test.units else "")
    needed = next(n for n in range(LEAST_UNITS, test.differing + 100) if comparisons * least_p(n) < ALPHA)
    smallest = p_words(min(1.0, comparisons * test.least_p)).removeprefix("p = ")
    return Refusal(
        f"{scenes} allow no p below {smallest} among {counted(comparisons, 'comparison')}, which need {needed}"
    )
