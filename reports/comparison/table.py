"""The comparison as plain data: a table for each metric protocol, methods down, datasets and metrics across."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics import finite_mean
from derainbench.protocols import PROTOCOLS
from derainbench.results import DatasetInRun, Results

from .entries import Entry, entries, failed_seeds
from .notes import table_notes
from .seen import Copies, copies_in_training, is_seen

Metric = Literal["psnr", "ssim"]
METRICS: tuple[Metric, ...] = ("psnr", "ssim")
#: Decimal places that the field prints.
DIGITS: dict[Metric, int] = {"psnr": 2, "ssim": 4}
MISSING = "–"
FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One number of a table: ``value`` is exact (NaN unless finished), ``text`` is what is printed.

    ``deviation`` is the sample standard deviation over seeds (None below two seeds), ``infinite`` the number of
    infinite scores of all seeds, which the mean leaves out, ``seeds`` how many seeds the mean covers. ``tied`` says
    that the value is not the best of its column, and that a test does not find it worse than the best. ``seen`` says
    that the training had exact copies of test images: such a value takes no part in ranks.
    """

    state: Literal["finished", "failed", "missing"]
    value: float
    text: str
    deviation: float | None = None
    deviation_text: str = ""
    infinite: int = 0
    seeds: int = 0
    rank: Literal["best", "second"] | None = None
    tied: bool = False
    seen: bool = False


@dataclass(frozen=True)
class Column:
    """The scores of one metric on one dataset; both metrics are better when higher."""

    dataset: DatasetInRun
    metric: Metric


@dataclass(frozen=True)
class Row:
    """An entry of the comparison and its cells, one a column."""

    entry: Entry
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ComparisonTable:
    """All methods on all datasets under one protocol. ``notes`` are sentences that belong under the table."""

    protocol: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def protocols(results: Results) -> tuple[str, ...]:
    """The protocols of the run in the order of its plan, then any other that has scores."""
    planned = [str(name) for name in results.info.get("protocols", ())]
    return tuple(dict.fromkeys([*planned, *(str(name) for name in results.scores["protocol"].unique())]))


def protocol_title(name: str) -> str:
    """What readers call the protocol: its title, or its name where a newer version wrote the run."""
    return PROTOCOLS[name].title if name in PROTOCOLS else name


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


def printed(value: float, metric: Metric) -> str:
    """``value`` rounded half to even to the digits of ``metric``; ``∞`` for an identical image, ``–`` for NaN."""
    return rounded(value, DIGITS[metric])


def rounded(value: float, digits: int) -> str:
    """``value`` rounded half to even to so many decimal places; ``∞`` where it is infinite, ``–`` for NaN."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    # repr gives the shortest decimal that is this float: 0.125 is a tie, and so is the 2.675 a reader sees
    nearest = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return str(nearest + 0)  # no minus sign before a zero


def ranked(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """``cells`` of one column with the best and the second best marked.

    What is printed decides, so two cells that look equal share a rank. Only finished cells with a number take part,
    and of these not those of images that were seen in training.
    """
    cells = tuple(cells)

    def height(cell: Cell) -> float:
        return float(cell.text.replace("∞", "inf"))

    def contends(cell: Cell) -> bool:
        return cell.state == "finished" and not math.isnan(cell.value) and not cell.seen

    order = sorted({height(cell) for cell in cells if contends(cell)}, reverse=True)
    ranks: dict[float, Literal["best", "second"]] = dict(zip(order, ("best", "second"), strict=False))
    return tuple(replace(cell, rank=ranks.get(height(cell))) if contends(cell) else cell for cell in cells)


def pooled(values: Sequence[float], metric: Metric, infinite: int = 0) -> Cell:
    """The finished cell of one mean a seed: their mean, and their deviation where two or more are finite."""
    value, _ = finite_mean(values)
    finite = [each for each in values if math.isfinite(each)]
    deviation = float(np.std(finite, ddof=1)) if len(finite) > 1 and math.isfinite(value) else None
    text = "" if deviation is None else printed(deviation, metric)
    return Cell("finished", value, printed(value, metric), deviation, text, infinite, len(values))


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
