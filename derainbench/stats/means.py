"""A mean of scores of which some may be infinite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import SupportsFloat


def finite_mean(values: Iterable[SupportsFloat]) -> tuple[float, int]:
    """The mean of the finite values and how many were infinite (identical images under PSNR), for a table to say so.

    (``inf``, n) if all n are infinite; (``nan``, 0) for no value at all. A NaN among them makes the mean NaN: leaving
    out the images on which a method failed would flatter it.
    """
    listed = [float(v) for v in values]
    finite = [v for v in listed if not math.isinf(v)]
    infinite = len(listed) - len(finite)
    if not finite:
        return (math.inf if infinite else math.nan), infinite
    try:
        return math.fsum(finite) / len(finite), infinite
    except OverflowError:  # of values that no metric has
        return float(sum(map(Fraction, finite)) / len(finite)), infinite
