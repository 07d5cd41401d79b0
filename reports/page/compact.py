"""Scores as the page's data holds them: integers in units of the last printed digit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from derainbench.metrics.kinds import METRICS

from ..comparison.cells import Metric, printed

#: How a number stands in the data: an integer, ``inf`` for an identical image, None for no number.
Compact = int | str | None

#: A product this near to a tie may have crossed it in floating point.
_NEAR_A_TIE = 1e-6


def compact(values: NDArray[np.float64], metric: Metric) -> list[Compact]:
    """``values`` (n,) in units of the last digit of ``metric``, such as hundredths of a dB: those that :func:`printed`
    shows."""
    scaled = values * 10 ** METRICS[metric].digits
    finite = np.isfinite(scaled)
    safe = np.where(finite, scaled, 0.0)
    whole = np.rint(safe).astype(np.int64)
    numbers: list[Compact] = whole.tolist()
    for place in np.flatnonzero(np.abs(np.abs(safe - whole) - 0.5) < _NEAR_A_TIE):
        numbers[place] = int(printed(float(values[place]), metric).replace(".", ""))
    for place in np.flatnonzero(~finite):
        numbers[place] = None if np.isnan(values[place]) else "inf" if values[place] > 0 else "-inf"
    return numbers
