"""Whether one method scores higher than another on the same images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray

from derainbench.stats.refusal import Refusal
from derainbench.stats.scenes import Clusters, Floats, scene_numbers
from derainbench.support.words import counted

#: The least two-sided p of n scenes that differ is 2 / 2^n: of five 0.0625, of six 0.031.
LEAST_UNITS = 6

_MOST_EXACT = 50  # beyond, the normal approximation; scipy's limit


@dataclass(frozen=True)
class Paired:
    """The first method against the second.

    ``wins``, ``ties`` and ``losses`` count images, ``missing`` those that only one of the two has a score for; the
    differences in score (first minus second) are over images, those between an infinite and a finite score left out
    (NaN if none remains). The test is over ``units`` scenes, ``differing`` of which show a difference: ``p`` is
    two-sided, ``effect`` the matched-pairs rank-biserial correlation, from -1 (lower in every scene) to 1 (higher in
    every scene).
    """

    wins: int
    ties: int
    losses: int
    mean_difference: float
    median_difference: float
    p: float
    effect: float
    units: int
    differing: int
    missing: int = 0

    @property
    def images(self) -> int:
        """How many images both methods have a score for."""
        return self.wins + self.ties + self.losses

    @property
    def least_p(self) -> float:
        """What p would be if all scenes that differ favoured one method (:func:`least_p`)."""
        return least_p(self.differing)


def paired_test(a: Floats, b: Floats, clusters: Clusters) -> Paired | Refusal:
    """Wilcoxon's signed-rank test of the scores ``a`` against ``b``, each (images,), higher is better.

    The unit is the scene's mean difference. Scenes without any are left out (F. Wilcoxon, Biometrics Bulletin 1,
    1945), equal ones share their mean rank. p is exact, ties included, up to 50 scenes and from the normal
    approximation beyond. An infinite score beats a finite one and ties with another: such a scene's difference is
    larger than every other. NaN is an image that the method has no score for; only images that both have are
    compared. Refuses where there are none, where nothing differs, and below :data:`LEAST_UNITS` scenes that do.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"paired scores are two rows of one length, got shapes {first.shape} and {second.shape}")
    numbers = scene_numbers(clusters, len(first))
    has_first, has_second = ~np.isnan(first), ~np.isnan(second)
    common = has_first & has_second
    if not common.any():
        return Refusal("no image that both have a score for")
    first, second, numbers = first[common], second[common], numbers[common]
    difference = np.subtract(first, second, out=np.zeros_like(first), where=first != second)
    scenes = _mean_by_scene(difference, numbers)
    differing = scenes[scenes != 0]
    if not len(differing):
        return Refusal("all differences are zero")
    if len(differing) < LEAST_UNITS:
        found = counted(len(differing), "scene")
        verb = "" if len(differing) == len(scenes) else " differs" if len(differing) == 1 else " differ"
        return Refusal(f"only {found}{verb}, a test needs {LEAST_UNITS}")
    p, effect = _signed_rank(differing)
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    finite = difference[np.isfinite(difference)]
    return Paired(
        wins=wins,
        ties=len(difference) - wins - losses,
        losses=losses,
        mean_difference=float(finite.mean()) if len(finite) else math.nan,
        median_difference=float(np.median(finite)) if len(finite) else math.nan,
        p=p,
        effect=effect,
        units=len(scenes),
        differing=len(differing),
        missing=int((has_first != has_second).sum()),
    )


def least_p(differing: int) -> float:
    """The smallest two-sided p that a signed-rank test over so many scenes with a difference can have: all of one sign.

    Exactly 2 / 2^n, whatever ranks are equal. Of the normal approximation, beyond 50 scenes, it is that without equal
    ranks, the largest of all.
    """
    if differing <= _MOST_EXACT:
        return min(1.0, 2.0 / 2.0**differing)
    return _signed_rank(np.arange(1.0, differing + 1))[0]


def _mean_by_scene(difference: Floats, numbers: NDArray[np.intp]) -> Floats:
    """(images,) to (scenes,); infinite differences for and against a method cancel out, those left over decide."""
    infinite = np.isinf(difference)
    numbers = np.unique(numbers, return_inverse=True)[1]
    count = np.bincount(numbers, ~infinite)
    total = np.bincount(numbers, np.where(infinite, 0.0, difference))
    means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    lead = np.bincount(numbers, np.where(infinite, np.sign(difference), 0.0))
    means[lead > 0], means[lead < 0] = np.inf, -np.inf
    return means


def _signed_rank(differences: Floats) -> tuple[float, float]:
    """Two-sided p of the signed-rank test, and the rank-biserial correlation, of differences that are not zero.

    The correlation is the rank sum in favour less that against, as a share of all ranks (D. Kerby, Comprehensive
    Psychology 3, 2014).
    """
    ranks = scipy.stats.rankdata(np.abs(differences))
    total = float(ranks.sum())
    against = min(favour := float(ranks[differences > 0].sum()), total - favour)
    if len(differences) <= _MOST_EXACT:
        p = _exact(ranks, against)
    else:
        p = 2 * float(scipy.stats.norm.cdf((against - total / 2) / math.sqrt(float((ranks**2).sum()) / 4)))
    return min(p, 1.0), (2 * favour - total) / total


def _exact(ranks: Floats, smaller: float) -> float:
    """Twice the chance that fair coins, one a rank, give a sum of ranks of at most ``smaller``.

    scipy's exact distribution knows no equal ranks. Here they are doubled, so that the mean ranks of equal differences
    are whole numbers too, and the number of ways to each sum is counted one coin after the other.
    """
    doubled = np.rint(2 * ranks).astype(int)
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    return 2 * float(ways[: round(2 * smaller) + 1].sum()) / 2.0 ** len(doubled)
