"""The whole per-image score table as CSV, and what must be known beside it, for whoever computes something else."""

from __future__ import annotations

from derainbench.results import SCORE_COLUMNS, Results

from .provenance import provenance, warning_words
from .table import comparison_tables


def scores_csv(results: Results) -> str:
    """One row an image and protocol, all digits, ``inf`` for identical images and an empty field for NaN.

    The last column says whether somebody vouches for the weights (see :attr:`MethodInRun.unverified`).
    """
    unverified = {method.name for method in results.methods if method.unverified}
    scores = results.scores[[*SCORE_COLUMNS]]
    return scores.assign(verified=~scores["method"].isin(unverified)).to_csv(index=False, lineterminator="\n")


def scores_notes(results: Results) -> str:
    """What a CSV file cannot say, a line each: the recipe's warning, unverified weights, every note and notice."""
    source = provenance(results)
    lines = [] if source.comparable else ["".join(warning_words(source.recipe)) + "."]
    lines += [change.line for change in source.changes]
    lines += dict.fromkeys(note for table in comparison_tables(results) for note in table.notes)
    lines += [*source.notices, *(f"failed: {failure.cell}: {failure.error}" for failure in results.failures)]
    return "".join(f"{' '.join(line.split())}\n" for line in lines)
