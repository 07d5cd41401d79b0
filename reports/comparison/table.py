"""The comparison as plain data: a table for each metric protocol, methods down, datasets and metrics across."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from derainbench.errors import UserError, did_you_mean
from derainbench.results.results import Results
from derainbench.stats.means import finite_mean

from .cells import (
    FAILED,
    METRICS,
    MISSING,
    Cell,
    Column,
    ComparisonTable,
    Metric,
    Row,
    pooled,
    protocol_title,
    protocols,
    ranked,
)
from .entries import Entry, entries, failed_seeds
from .notes import table_notes
from .seen import Copies, copies_in_training, is_seen


def comparison_tables(results: Results) -> tuple[ComparisonTable, ...]:
    """One table for each protocol of the run, never two protocols in one."""
    return tuple(comparison_table(results, name) for name in protocols(results))


def comparison_table(results: Results, protocol: str) -> ComparisonTable:
    """The comparison under ``protocol``: a mean over images, then seeds. UserError if the run has no such scores."""
    known = protocols(results)
    if protocol not in known:
        raise UserError(
            f"no scores under protocol {protocol!r} in {results.folder}: {did_you_mean(protocol, [*known])}"
        )
    columns = tuple(Column(dataset, metric) for dataset in results.datasets for metric in METRICS)
    means = _means_by_seed(results.scores[results.scores["protocol"] == protocol])
    lines = entries(results)
    copies = copies_in_training(results)
    grid = [[_cell(results, means, copies, entry, column) for column in columns] for entry in lines]
    by_column = [ranked(cells) for cells in zip(*grid, strict=True)] if grid else []
    rows = tuple(Row(entry, tuple(cells[number] for cells in by_column)) for number, entry in enumerate(lines))
    notes = table_notes(results, protocol, rows, columns)
    return ComparisonTable(protocol, protocol_title(protocol), columns, rows, notes)


def _means_by_seed(scores: pd.DataFrame) -> dict[tuple[str, str, str], dict[Metric, list[tuple[float, int]]]]:
    """For each (method, training set, dataset) and metric: a mean over images and its infinite ones, for each seed."""
    means: dict[tuple[str, str, str], dict[Metric, list[tuple[float, int]]]] = {}
    values = {metric: scores[metric].to_numpy(dtype=float, na_value=math.nan) for metric in METRICS}
    groups: Mapping[Any, Any] = scores.groupby(["method", "trained_on", "dataset", "seed"]).indices
    for (method, trained_on, dataset, _), group in sorted(groups.items()):
        cell = means.setdefault((str(method), str(trained_on), str(dataset)), {metric: [] for metric in METRICS})
        for metric in METRICS:
            cell[metric].append(finite_mean(values[metric][group].tolist()))
    return means


def _cell(
    results: Results,
    means: dict[tuple[str, str, str], dict[Metric, list[tuple[float, int]]]],
    copies: Copies,
    entry: Entry,
    column: Column,
) -> Cell:
    name = column.dataset.name
    if entry.trained_on == name:  # stands in the method's own row, and once is enough
        return Cell("missing", math.nan, MISSING)
    for source in entry.sources(name):
        by_metric = means.get((entry.method.name, source, name))
        if by_metric is not None:
            of_seeds = by_metric[column.metric]
            cell = pooled([mean for mean, _ in of_seeds], column.metric, sum(count for _, count in of_seeds))
            return replace(cell, seen=is_seen(copies, entry.method, source, name))
    if failed_seeds(results, entry, name):
        return Cell("failed", math.nan, FAILED)
    return Cell("missing", math.nan, MISSING)
