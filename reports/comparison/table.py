"""The comparison as plain data: a table for each metric protocol, methods down, datasets and metrics across."""

from __future__ import annotations

from dataclasses import replace

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.kinds import METRICS

from .cells import FAILED_SCORE, NO_SCORE, Cell, Column, ComparisonTable, Row, pooled, protocol_title, ranked
from .entries import Entry, failed_seeds
from .measured import Measured
from .notes import table_notes
from .seen import is_seen


def comparison_tables(run: Measured) -> tuple[ComparisonTable, ...]:
    """One table for each protocol of the run, never two protocols in one."""
    return tuple(comparison_table(run, name) for name in run.protocols)


def comparison_table(run: Measured, protocol: str) -> ComparisonTable:
    """The comparison under ``protocol``: a mean over images, then seeds. UserError if the run has no such scores."""
    if protocol not in run.protocols:
        raise UserError(
            f"no scores under protocol {protocol!r} in {run.results.folder}: {did_you_mean(protocol, [*run.protocols])}"
        )
    columns = tuple(Column(dataset, metric) for dataset in run.results.datasets for metric in METRICS)
    grid = [[_cell(run, protocol, entry, column) for column in columns] for entry in run.lines]
    cells_of = zip(*grid, strict=True) if grid else ()
    by_column = [ranked(cells, column.metric) for cells, column in zip(cells_of, columns, strict=False)]
    rows = tuple(Row(entry, tuple(cells[number] for cells in by_column)) for number, entry in enumerate(run.lines))
    notes = table_notes(run.results, protocol, rows, columns)
    return ComparisonTable(protocol, protocol_title(protocol), columns, rows, notes)


def _cell(run: Measured, protocol: str, entry: Entry, column: Column) -> Cell:
    name = column.dataset.name
    if entry.trained_on == name:  # stands in the method's own row, and once is enough
        return NO_SCORE
    for source in entry.sources(name):
        of_seeds = run.means.of_seeds(entry.method.name, source, name, protocol, column.metric)
        if of_seeds:
            return replace(pooled(of_seeds, column.metric), seen=is_seen(run.copies, entry.method, source, name))
    if failed_seeds(run.results, entry, name):
        return FAILED_SCORE
    return NO_SCORE
