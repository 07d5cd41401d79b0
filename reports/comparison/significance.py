"""Marks in a comparison the values that a paired test does not find worse than the best of their column."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from derainbench.stats.refusal import Refusal
from derainbench.support.words import listed

from .cells import Column, ComparisonTable, Metric
from .grids import ScoreGrid
from .statistics import DatasetStatistics

#: How a marked value looks in text.
MARK = "†"
EXPLAINED = (
    f"{MARK} not worse than the best of its column at the 0.05 level (two-sided Wilcoxon signed-rank test over scenes, "
    "Holm's correction over all tested pairs of the column)."
)


def marked_tables(
    tables: Iterable[ComparisonTable],
    grids: Mapping[tuple[str, str], ScoreGrid],
    statistics: Mapping[tuple[str, str, Metric], DatasetStatistics],
) -> tuple[ComparisonTable, ...]:
    """The comparisons with :attr:`Cell.tied` set, with notes on what that means and on what could not be tested."""
    return tuple(_marked(table, grids, statistics) for table in tables)


def _marked(
    table: ComparisonTable,
    grids: Mapping[tuple[str, str], ScoreGrid],
    statistics: Mapping[tuple[str, str, Metric], DatasetStatistics],
) -> ComparisonTable:
    places = {(row.entry.method.name, row.entry.trained_on): number for number, row in enumerate(table.rows)}
    grid = [list(row.cells) for row in table.rows]
    refused: dict[str, list[Column]] = defaultdict(list)
    for number, column in enumerate(table.columns):
        where = (column.dataset.name, table.protocol)
        found = statistics.get((*where, column.metric))
        if found is None:
            continue
        rows = [places[line.method.name, line.trained_on] for line in grids[where].lines]
        tied, reasons = _verdict(found)
        for line in tied:
            cell = grid[rows[line]][number]
            grid[rows[line]][number] = replace(cell, tied=cell.rank != "best" and not math.isnan(cell.value))
        for reason in reasons:
            refused[reason].append(column)
    marked = tuple(replace(row, cells=tuple(cells)) for row, cells in zip(table.rows, grid, strict=True))
    explained = [EXPLAINED] if any(cell.tied for cells in grid for cell in cells) else []
    return replace(table, rows=marked, notes=(*table.notes, *explained, *_untested(refused)))


def _verdict(found: DatasetStatistics) -> tuple[set[int], list[str]]:
    """The lines that are not worse than the best, and why others could not be tested against it."""
    others = set(range(len(found.labels))) - found.not_worse - found.seen
    best = found.best
    tests = [] if best is None else [found.pairs[min(line, best), max(line, best)] for line in sorted(others)]
    reasons = dict.fromkeys(test.reason for test in tests if isinstance(test, Refusal))
    return set(found.not_worse) - {best}, list(reasons)


def _untested(refused: Mapping[str, Sequence[Column]]) -> list[str]:
    """A sentence for each reason: of which columns some values could not be tested against the best."""
    notes = []
    for reason, columns in refused.items():
        by_dataset: dict[str, list[str]] = defaultdict(list)
        for column in columns:
            by_dataset[column.dataset.title].append(column.title)
        names = ", ".join(f"{title} ({listed(metrics)})" for title, metrics in by_dataset.items())
        notes.append(f"No significance mark where the test was refused, {reason}: {names}.")
    return notes
