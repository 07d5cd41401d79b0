"""The best of a column against the next best, in one sentence."""

from __future__ import annotations

import numpy as np

from derainbench.metrics.kinds import METRICS
from derainbench.stats import Refusal, comparison_words

from .statistics import DatasetStatistics, by_mean


def leader_words(found: DatasetStatistics | None) -> str:
    """What the paired test says of the two best means; empty where there are no two, or nothing was worked out.

    Rows whose training had test images, and rows without a mean, take no part.
    """
    if found is None:
        return ""
    kind = METRICS[found.metric]
    contenders = set(np.flatnonzero(~np.isnan(found.scores).any(axis=0)).tolist()) - found.seen
    order = [line for line in by_mean(kind.goodness(found.scores)) if line in contenders]
    if len(order) < 2:
        return ""
    first, second = sorted(order[:2])
    pair = found.pairs[first, second]
    if isinstance(pair, Refusal):
        return f"{found.names[order[0]]} is not tested against {found.names[order[1]]}: {pair.reason}."
    return comparison_words(found.names[first], found.names[second], pair, kind.unit, kind.digits)
