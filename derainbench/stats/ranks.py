"""Whether several methods differ at all, and which can be told apart by their mean ranks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # loads its submodules when they are first used

from derainbench.stats.paired import LEAST_UNITS
from derainbench.stats.refusal import Refusal
from derainbench.stats.scenes import Floats
from derainbench.support.words import counted

#: Two methods are a paired test's.
LEAST_METHODS = 3

#: What is told apart has a p below.
ALPHA = 0.05


@dataclass(frozen=True)
class Ranks:
    """Friedman's test over ``units`` scenes and Nemenyi's comparison of all methods afterwards.

    ``mean_ranks`` has one a method, 1 the best; ``statistic`` is chi-square with methods - 1 degrees of freedom.
    Methods whose mean ranks lie at least ``critical_difference`` apart are told apart at 0.05. ``cliques`` are the
    largest groups that are not, each from its best method to its worst; all methods are one where Friedman's test finds
    no difference.
    """

    mean_ranks: tuple[float, ...]
    statistic: float
    p: float
    critical_difference: float
    cliques: tuple[tuple[int, ...], ...]
    units: int


def friedman(scores: Floats) -> Ranks | Refusal:
    """The ranks of ``scores``, (units, methods), higher is better; the units must be independent, such as scenes.

    Equal scores share their mean rank (corrected for, as scipy does); infinite ones are equal. J. Demsar, Statistical
    Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006, section 3.2. Refuses below three methods, where a
    score is NaN, below :data:`derainbench.stats.paired.LEAST_UNITS` units that rank the methods, and where Nemenyi's
    test could find nothing: the most that units with so many equal scores can show is all of them in one order.
    """
    table = np.asarray(scores, np.float64)
    units, methods = table.shape
    if (reason := _too_few(table)) is not None:
        return Refusal(reason)
    ranks = scipy.stats.rankdata(-table, axis=1)
    least = critical_difference(methods, units)
    if (reason := _too_equal(ranks, least)) is not None:
        return Refusal(reason)
    statistic, p = (float(each) for each in scipy.stats.friedmanchisquare(*ranks.T))
    mean_ranks = ranks.mean(axis=0)
    apart = least if p < ALPHA else np.inf
    return Ranks(tuple(mean_ranks.tolist()), statistic, p, least, _cliques(mean_ranks, apart), units)


def _too_few(table: Floats) -> str | None:
    """Why scores, (units, methods), cannot be ranked at all."""
    units, methods = table.shape
    if methods < LEAST_METHODS:
        return f"only {counted(methods, 'method')}, ranks need {LEAST_METHODS}"
    if units < LEAST_UNITS:
        return f"only {counted(units, 'scene')}, ranks need {LEAST_UNITS}"
    if np.isnan(table).any():
        return "a method has no score, or an undefined one"
    ranking = int((table != table[:, :1]).any(axis=1).sum())
    if not ranking:
        return "all methods score the same in every scene"
    if ranking < LEAST_UNITS:
        return f"only {counted(ranking, 'scene')} with different scores, ranks need {LEAST_UNITS}"
    return None


def _too_equal(ranks: Floats, least: float) -> str | None:
    """Why Nemenyi's test of these ranks, (units, methods), could tell no methods apart even if all units had one order.

    Six units without equal scores always could; many equal ones leave little to differ. Friedman's test could always.
    """
    alike = np.sort(ranks, axis=1)
    most = float((alike[:, -1] - alike[:, 0]).mean())
    if most < least:
        return f"with so many equal scores mean ranks differ by {most:.2f} at most, Nemenyi's test needs {least:.2f}"
    return None


def critical_difference(methods: int, units: int, alpha: float = ALPHA) -> float:
    """Nemenyi's: how far apart two of ``methods`` mean ranks over ``units`` units must lie (Demsar 2006, 3.2.2)."""
    return _studentized_range(methods, alpha) * float(np.sqrt(methods * (methods + 1) / (6 * units)))


@lru_cache(maxsize=64)
def _studentized_range(methods: int, alpha: float) -> float:
    """The upper ``alpha`` point for infinite degrees of freedom, divided by the root of two."""
    return float(scipy.stats.studentized_range.ppf(1 - alpha, methods, np.inf) / np.sqrt(2))


def _cliques(mean_ranks: Floats, apart: float) -> tuple[tuple[int, ...], ...]:
    """The groups of two or more methods within ``apart`` that are in no larger one, best first."""
    order = np.argsort(mean_ranks, kind="stable")
    ordered = mean_ranks[order]
    ends = [int(np.flatnonzero(ordered - rank < apart)[-1]) for rank in ordered]  # the last that each is together with
    return tuple(
        tuple(order[start : end + 1].tolist())
        for start, end in enumerate(ends)
        if end > start and (start == 0 or end > ends[start - 1])
    )
