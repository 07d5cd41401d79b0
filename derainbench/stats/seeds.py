"""How much a score depends on the training's seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray

from derainbench.stats.refusal import Refusal
from derainbench.support.words import counted


@dataclass(frozen=True)
class OverSeeds:
    """``deviation`` is the sample standard deviation (divided by n - 1), ``low`` to ``high`` a t-interval of the mean.

    The interval takes scores over seeds as normal: with two seeds it is 18 deviations wide.
    """

    mean: float
    deviation: float
    low: float
    high: float
    seeds: int


def over_seeds(values: Sequence[float] | NDArray[np.float64], level: float = 0.95) -> OverSeeds | Refusal:
    """Mean and deviation of one score a seed, (seeds,). Infinite ones are left out, as of means over images.

    Refuses below two finite values, where they are all the same (an interval without width says that no other seed
    would differ) and where one is undefined (NaN).
    """
    scores = np.asarray(values, np.float64)
    if np.isnan(scores).any():
        return Refusal("the score of a seed is undefined")
    finite = scores[np.isfinite(scores)]
    if len(finite) < 2:
        return Refusal(f"{counted(len(finite), 'seed')}, a deviation needs 2")
    if (finite == finite[0]).all():
        return Refusal(f"{counted(len(finite), 'seed')} of the same score")
    mean, deviation = float(finite.mean()), float(finite.std(ddof=1))
    half = float(scipy.special.stdtrit(len(finite) - 1, (1 + level) / 2)) * deviation / len(finite) ** 0.5
    return OverSeeds(mean, deviation, mean - half, mean + half, len(finite))
