"""Plain words for what the tests find."""

from __future__ import annotations

import math
from collections.abc import Sequence

from derainbench.stats.paired import Paired
from derainbench.stats.ranks import ALPHA, Ranks
from derainbench.support.words import counted, listed


def p_words(p: float) -> str:
    """``p < 0.001`` or ``p = 0.012``; with more digits where three would put it on the wrong side of 0.05."""
    if p < 0.001:
        return "p < 0.001"
    digits = next(n for n in (3, 4, 5, 6, 17) if (float(f"{p:.{n}f}") < ALPHA) == (p < ALPHA))
    return f"p = {p:.{digits}f}"


def comparison_words(first: str, second: str, pair: Paired, unit: str = "", digits: int = 2) -> str:
    """One sentence on ``first`` against ``second``, such as "PReNet is better than RESCAN on 93 of 100 images (mean
    +1.23 dB), p < 0.001."

    The subject is the method that the signed ranks favour. ``unit`` and ``digits`` are those of the mean difference.
    """
    wins, difference = pair.wins, pair.mean_difference
    if pair.effect < 0:
        first, second, wins, difference = second, first, pair.losses, -difference
    where = f"on {wins:,} of {counted(pair.images, 'image')}"
    if pair.missing:
        where += " that both have scores for"
    mean = "" if math.isnan(difference) else f" (mean {_signed(difference, digits)}{unit and ' ' + unit})"
    ties = f", equal on {pair.ties:,}" if pair.ties else ""
    better = f"better than {second} {where}{ties}{mean}, {p_words(pair.p)}."
    if pair.p < ALPHA:
        return f"{first} is {better}"
    return f"{first} and {second} are not told apart: {first} is {better}"


def rank_words(labels: Sequence[str], ranks: Ranks) -> str:
    """One or two sentences on Friedman's and Nemenyi's outcome over methods of these ``labels``."""
    test = f"Friedman chi-square({len(labels) - 1}) = {ranks.statistic:.1f}, {p_words(ranks.p)}"
    over = f"{counted(ranks.units, 'scene')} the ranks of the {len(labels)} methods"
    if ranks.p >= ALPHA:
        return f"Over {over} are not told apart: {test}."
    order = sorted(range(len(labels)), key=lambda n: ranks.mean_ranks[n])
    means = listed([f"{labels[n]} {ranks.mean_ranks[n]:.2f}" for n in order])
    groups = [listed([labels[n] for n in group]) for group in ranks.cliques]
    found = f"does not tell apart: {'; nor '.join(groups)}" if groups else "tells all of them apart"
    least = f"critical difference {ranks.critical_difference:.2f}"
    return f"Over {over} differ: {test}; mean ranks: {means}. Nemenyi's test {found} ({least})."


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text if float(text) else f"±{0:.{digits}f}"
