"""Holm's correction of several p-values (S. Holm, Scandinavian Journal of Statistics 6, 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def holm(p: Sequence[float] | Floats) -> Floats:
    """The adjusted p-values, (tests,), in the order given: below 0.05, the family's error rate is at most 0.05.

    The smallest is multiplied by the number of tests, the next by one less, and so on; none is above 1 or below a
    smaller one's. ValueError for what is no probability.
    """
    raw = np.asarray(p, np.float64)
    if raw.ndim != 1 or not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError(f"p-values are a row of numbers from 0 to 1, got {raw}")
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
