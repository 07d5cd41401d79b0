"""What templates know of the metrics, whatever they write."""

from __future__ import annotations

from typing import Any

from derainbench.metrics.kinds import LEADING, METRICS

from ..comparison.cells import direction_words
from ..published.filled import printed_metrics


def metric_names() -> dict[str, Any]:
    """Names for the globals of a template: the records of all metrics, of the leading one, of those that papers print.

    ``metrics`` are always those of now, for the page keeps its templates.
    """
    return {
        "metrics": METRICS.values(),
        "leading": METRICS[LEADING],
        "printed_metrics": [METRICS[metric] for metric in printed_metrics()],
        "direction_words": direction_words,
    }
