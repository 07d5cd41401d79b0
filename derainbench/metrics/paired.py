"""The paired test of two methods by the scores of one metric, whichever direction is better. Needs no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from derainbench.metrics.kinds import Metric
from derainbench.stats import Clusters, Paired, Refusal, paired_test

Floats = NDArray[np.float64]


def paired_by(metric: Metric, a: Floats, b: Floats, clusters: Clusters) -> Paired | Refusal:
    """:func:`derainbench.stats.paired_test` of the scores ``a`` against ``b``, each (images,).

    Wins and effect are those of the better one; differences are in the metric's own values, ``a`` less ``b``.
    """
    test = paired_test(metric.goodness(a), metric.goodness(b), clusters)
    if isinstance(test, Refusal):
        return test
    mean, median = metric.goodness(test.mean_difference), metric.goodness(test.median_difference)
    return replace(test, mean_difference=mean, median_difference=median)
