"""A run as every part of a report looks at it: its rows, protocols, means and leaks, worked out once."""

from __future__ import annotations

from dataclasses import dataclass

from derainbench.results.results import Results

from .cells import protocols
from .entries import Entry, entries
from .means import Means, score_means
from .seen import Copies, copies_in_training


@dataclass(frozen=True)
class Measured:
    """``lines`` are the rows of a comparison, ``copies`` what training sets have of test sets."""

    results: Results
    lines: tuple[Entry, ...]
    protocols: tuple[str, ...]
    means: Means
    copies: Copies


def measured(results: Results) -> Measured:
    """All of it, of a run."""
    return Measured(
        results,
        entries(results),
        protocols(results),
        score_means(results.scores, results.datasets),
        copies_in_training(results),
    )
