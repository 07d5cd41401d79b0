"""The whole per-image score table as CSV, for whoever wants to compute something else."""

from __future__ import annotations

from derainbench.results import SCORE_COLUMNS, Results


def scores_csv(results: Results) -> str:
    """One row an image and protocol, all digits, ``inf`` for identical images and an empty field for NaN."""
    return results.scores[[*SCORE_COLUMNS]].to_csv(index=False, lineterminator="\n")
