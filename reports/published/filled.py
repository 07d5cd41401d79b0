"""A published table with what a run scored beside it, as plain data: numbers, marks, and what fills each row."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from derainbench.metrics import finite_mean
from derainbench.results import Results

from ..comparison.table import DIGITS, FAILED, METRICS, MISSING, Cell, Metric, pooled, protocols, ranked, rounded
from .filled_notes import notes
from .fillings import Filling, Place, RunIndex, answers, filling, run_index
from .shipped import PaperTable, Published, TableColumn
from .unknown_methods import unknown

#: What stands where a row asks for a method that the run has no scores of.
NOT_RUN = "not run"


@dataclass(frozen=True)
class PublishedCell:
    """One row's published scores on one dataset; marked among the values under the same confirmed protocol.

    ``protocol`` is None where it is not known, ``guess`` where nobody confirmed it; ``source`` is a key of the table's.
    """

    psnr: Cell
    ssim: Cell
    protocol: str | None = None
    guess: bool = False
    source: str = ""
    note: str = ""

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """PSNR, then SSIM."""
        return self.psnr, self.ssim

    @property
    def tag(self) -> str:
        """The protocol in short, with a question mark where it is a guess; ``?`` where it is not known."""
        return "?" if self.protocol is None else f"{self.protocol}?" if self.guess else self.protocol


@dataclass(frozen=True)
class FilledRow:
    """A row: ``published`` has one entry a column, ``measured`` under each protocol PSNR and SSIM of each column.

    ``filled_by`` says which method, weights and recipe the measured ones are; empty where the run has none. In a table
    of parameters ``counts`` are the published number and the one counted here, as printed.
    """

    title: str
    published: tuple[PublishedCell, ...]
    measured: Mapping[str, tuple[Cell, ...]]
    filled_by: str = ""
    counts: tuple[str, str] | None = None


@dataclass(frozen=True)
class FilledTable:
    """A table of a paper beside a run. ``protocols`` are those of the run; ``notes`` belong under the table."""

    table: PaperTable
    protocols: tuple[str, ...]
    rows: tuple[FilledRow, ...]
    notes: tuple[str, ...]

    @property
    def filled(self) -> bool:
        """Whether the run has anything to show beside the published numbers."""
        return any(row.filled_by for row in self.rows)


#: For each evaluation and protocol, by metric: a mean over images and how many were infinite, for each seed.
_Means = Mapping[tuple[Place, str], Mapping[Metric, Sequence[tuple[float, int]]]]


def fill(table: PaperTable, results: Results) -> FilledTable:
    """``table`` with what ``results`` has for its rows."""
    return fill_all((table,), results)[0]


def fill_all(tables: Iterable[PaperTable], results: Results) -> tuple[FilledTable, ...]:
    """Every table with what ``results`` has for its rows; the scores are gone through once."""
    index = run_index(results)
    found = [(table, _fillings(index, table)) for table in tables]
    places = {each.place for _, by_cell in found for each in by_cell.values()}
    means = _means(results.scores, places)
    names = protocols(results)
    return tuple(
        _parameters(index, table) if table.kind == "parameters" else _scores(index, table, by_cell, names, means)
        for table, by_cell in found
    )


def _fillings(index: RunIndex, table: PaperTable) -> dict[tuple[int, int], Filling]:
    """What fills each cell, by row and column number."""
    return {
        (down, across): found
        for down, row in enumerate(table.rows)
        for across, column in enumerate(table.columns)
        if (found := filling(index, table, row, column)) is not None
    }


def _scores(
    index: RunIndex, table: PaperTable, found: Mapping[tuple[int, int], Filling], names: tuple[str, ...], means: _Means
) -> FilledTable:
    published = [_published_column(table, column) for column in table.columns]
    measured = {
        (name, across): _measured_column(table, across, found, name, means)
        for name in names
        for across in range(len(table.columns))
    }
    rows = tuple(
        FilledRow(
            row.title,
            tuple(column[down] for column in published),
            {name: tuple(c for n in range(len(table.columns)) for c in measured[name, n][down]) for name in names},
            _words(table, [found.get((down, across)) for across in range(len(table.columns))]),
        )
        for down, row in enumerate(table.rows)
    )
    infinite = any(cell.infinite for row in rows for cells in row.measured.values() for cell in cells)
    left_out = ["Images with infinite PSNR are left out of the means."] if infinite else []
    return FilledTable(
        table, names, rows, (*table.notes, *notes(index, table, found), *unknown(index, table), *left_out)
    )


def _published_column(table: PaperTable, column: TableColumn) -> list[PublishedCell]:
    printed = [row.published.get(column.dataset) for row in table.rows]
    groups = [None if each is None or each.guess else each.protocol for each in printed]
    by_metric = {metric: _marked([_as_printed(each, metric) for each in printed], groups) for metric in METRICS}
    return [
        PublishedCell(psnr, ssim)
        if each is None
        else PublishedCell(psnr, ssim, each.protocol, each.guess, each.source, each.note)
        for each, psnr, ssim in zip(printed, by_metric["psnr"], by_metric["ssim"], strict=True)
    ]


def _as_printed(published: Published | None, metric: Metric) -> Cell:
    text = None if published is None else getattr(published, metric)
    return Cell("missing", math.nan, MISSING) if text is None else Cell("finished", float(text), text)


def _measured_column(
    table: PaperTable, across: int, found: Mapping[tuple[int, int], Filling], protocol: str, means: _Means
) -> list[tuple[Cell, ...]]:
    fillings = [found.get((down, across)) for down in range(len(table.rows))]
    dataset = table.columns[across].dataset
    digits = {metric: _digits(table, dataset, metric) for metric in METRICS}
    by_metric = [
        _marked(
            [_measured(each, protocol, metric, digits[metric], means) for each in fillings],
            [None if each is None else each.dataset for each in fillings],
        )
        for metric in METRICS
    ]
    return list(zip(*by_metric, strict=True))


def _digits(table: PaperTable, dataset: str, metric: Metric) -> int:
    """The most decimal places to which a column is printed; the field's where nothing is printed in it."""
    printed = [row.published[dataset] for row in table.rows if dataset in row.published]
    texts = [text for each in printed if (text := getattr(each, metric)) is not None]
    return max((len(text.partition(".")[2]) for text in texts), default=DIGITS[metric])


def _measured(found: Filling | None, protocol: str, metric: Metric, digits: int, means: _Means) -> Cell:
    if found is None:
        return Cell("missing", math.nan, MISSING)
    if found.failed:
        return Cell("failed", math.nan, FAILED)
    by_metric = means.get((found.place, protocol))
    if by_metric is None:
        return Cell("missing", math.nan, MISSING)
    of_seeds = by_metric[metric]
    cell = pooled([mean for mean, _ in of_seeds], metric, sum(count for _, count in of_seeds))
    deviation = "" if cell.deviation is None else rounded(cell.deviation, digits)
    return replace(cell, text=rounded(cell.value, digits), deviation_text=deviation, seen=found.seen)


def _marked(cells: Sequence[Cell], groups: Sequence[str | None]) -> list[Cell]:
    """``cells`` with the best and second of each group marked where it has two or more; None is no group."""
    members: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        if group is not None and cells[number].state == "finished":
            members[group].append(number)
    marked = list(cells)
    for numbers in members.values():
        if len(numbers) > 1:
            for number, cell in zip(numbers, ranked(cells[n] for n in numbers), strict=True):
                marked[number] = cell
    return marked


def _means(scores: pd.DataFrame, places: set[Place]) -> _Means:
    """The means of the evaluations at ``places``, and of no other: a table looks at few of a run's scores."""
    methods, sources, datasets = ({place[n] for place in places} for n in range(3))
    here = scores["method"].isin(methods) & scores["trained_on"].isin(sources) & scores["dataset"].isin(datasets)
    found: dict[tuple[Place, str], dict[Metric, list[tuple[float, int]]]] = {}
    keys = ["method", "trained_on", "dataset", "protocol", "seed"]
    for (method, source, dataset, protocol, _), group in scores[here].groupby(keys):
        place = (str(method), str(source), str(dataset))
        if place in places:
            by_metric = found.setdefault((place, str(protocol)), {metric: [] for metric in METRICS})
            for metric in METRICS:
                by_metric[metric].append(finite_mean(group[metric]))
    return found


def _words(table: PaperTable, fillings: Sequence[Filling | None]) -> str:
    """What fills a row: once if it is the same in all columns, otherwise with the titles of the columns."""
    told = [
        (column.title, f"{each.words} ({FAILED})" if each.failed else each.words)
        for column, each in zip(table.columns, fillings, strict=True)
        if each is not None
    ]
    words = {text for _, text in told}
    if len(words) == 1 and len(told) == len(table.columns):
        return words.pop()
    return "; ".join(f"{title}: {text}" for title, text in told)


def _parameters(index: RunIndex, table: PaperTable) -> FilledTable:
    rows = []
    for row in table.rows:
        method = next((m for m in index.results.methods if row.measure and answers(m, row.measure.method)), None)
        counted = MISSING if method is None else f"{method.parameters:,}"
        printed = MISSING if row.parameters is None else row.parameters.value
        rows.append(FilledRow(row.title, (), {}, "" if method is None else method.name, (printed, counted)))
    return FilledTable(table, (), tuple(rows), (*table.notes, *unknown(index, table)))
