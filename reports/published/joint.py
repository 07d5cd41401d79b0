"""A table whose columns say under which protocol they are: quoted and measured rows together, where those agree.

A row is one of the table's own where it was trained as the table says and each of its numbers is under its column's
protocol. All others stand apart, with what differs, and are ranked with nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import NO_TRAINING_SET, UNTRAINED
from derainbench.results.results import MethodInRun
from derainbench.support.words import listed

from ..comparison.cells import (
    FAILED_SCORE,
    NO_SCORE,
    Cell,
    Metric,
    as_printed,
    averaged,
    pooled,
    ranked_if_several,
    rounded,
)
from ..comparison.labels import method_labels
from ..comparison.measured import Measured
from ..comparison.seen import is_seen
from .filled import Place, RunIndex, in_bf16, printed_metrics, run_index, unknown
from .paper_table import AVERAGE, PaperTable, Published, TableRow, named_with


@dataclass(frozen=True)
class JointCell:
    """A row's scores in a column by metric, to the digits of the column.

    ``tag`` is their protocol where it is not the column's: ``?`` where it is not known, with a question mark where
    nobody confirmed it or the numbers.

    ``source`` (a key of the table's) and ``note`` are empty where the scores were measured here.
    """

    scores: Mapping[Metric, Cell]
    tag: str = ""
    source: str = ""
    note: str = ""
    unconfirmed: bool = False

    @property
    def agrees(self) -> bool:
        """Whether it has no score, or one under the column's protocol."""
        return not self.tag


@dataclass(frozen=True)
class JointRow:
    """A line: its whole name, training set included, and a cell a column, the average last if there is one."""

    name: str
    measured: bool
    cells: tuple[JointCell, ...]


@dataclass(frozen=True)
class JointColumn:
    """A column: ``protocol`` is empty for the average of columns that differ in it."""

    title: str
    protocol: str


@dataclass(frozen=True)
class JointTable:
    """``rows`` agree in training set and protocols, ``apart`` do not; ``notes`` belong under the table."""

    table: PaperTable
    columns: tuple[JointColumn, ...]
    rows: tuple[JointRow, ...]
    apart: tuple[JointRow, ...]
    notes: tuple[str, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that each column has."""
        return printed_metrics()


def joint_tables(tables: Iterable[PaperTable], run: Measured) -> tuple[JointTable, ...]:
    """Every table of this kind with the rows of a run that belong in it."""
    index = run_index(run)
    return tuple(_joint(table, run, index) for table in tables if table.joint)


def _joint(table: PaperTable, run: Measured, index: RunIndex) -> JointTable:
    quoted = [_quoted(table, row) for row in table.rows if row.published]
    scored = [_Scored(method, source) for method in run.results.methods for source in _sources(run, table, method)]
    here = [(each, _measured(table, run, index, each)) for each in scored]
    asked = {table.row_name(row) for row in table.rows}
    own: list[JointRow] = []
    others: list[JointRow] = []
    for each, row in here:
        (own if _belongs(table, each.source) or row.name in asked else others).append(row)
    there = {row.name for row in own}
    waiting = [_not_run(table, row) for row in table.rows if not row.published and table.row_name(row) not in there]
    agreeing = [row for row in quoted if all(cell.agrees or cell.unconfirmed for cell in row.cells)]
    apart = [row for row in quoted if row not in agreeing]
    digits = _digits(table)
    rows = [*_ranked([_at(row, digits) for row in (*agreeing, *own)]), *waiting]
    notes = (*table.notes, *_notes(table, run, index, [each for each, _ in here]), *unknown(index, table))
    return JointTable(table, _columns(table), tuple(rows), tuple(_at(row, digits) for row in (*apart, *others)), notes)


def _columns(table: PaperTable) -> tuple[JointColumn, ...]:
    columns = tuple(JointColumn(column.title, column.protocol or "") for column in table.columns)
    protocols = {column.protocol for column in columns}
    average = JointColumn(table.average, protocols.pop() if len(protocols) == 1 else "")
    return (*columns, average) if table.average else columns


def _names(table: PaperTable) -> list[str]:
    """What ``published`` of a row calls the columns."""
    return [*(column.dataset for column in table.columns), *([AVERAGE] if table.average else [])]


@dataclass(frozen=True)
class _Scored:
    """A method and its training set, None where it was trained on each column's own."""

    method: MethodInRun
    source: str | None


def _sources(run: Measured, table: PaperTable, method: MethodInRun) -> list[str | None]:
    """The training sets under which a run has scores of a method on the table's sets."""
    datasets = {column.dataset for column in table.columns}
    scores = run.means.table[run.means.table["method"] == method.name]
    pairs = scores[scores["dataset"].isin(datasets)][["trained_on", "dataset"]].drop_duplicates()
    found: dict[str | None, None] = {}
    for source, dataset in pairs.itertuples(index=False):
        found[None if source == dataset and table.trained_on is None else str(source)] = None
    named = [row.trained_on for row in table.rows if row.trained_on is not None]
    if None in found and any(source in named for source in pairs["trained_on"]):  # rows of single training sets
        del found[None]
        found |= dict.fromkeys(map(str, pairs["trained_on"]))
    return [*found]


def _belongs(table: PaperTable, source: str | None) -> bool:
    """Whether a training set is the one that a table is of; what is not trained belongs everywhere."""
    return source in (table.trained_on, UNTRAINED)


def _quoted(table: PaperTable, row: TableRow) -> JointRow:
    protocols = [column.protocol for column in _columns(table)]
    cells = [_printed(row.published.get(n), protocol) for n, protocol in zip(_names(table), protocols, strict=True)]
    return JointRow(table.row_name(row), False, tuple(cells))


def _printed(published: Published | None, protocol: str) -> JointCell:
    if published is None:
        return _empty()
    scores = {metric: as_printed(published.score(metric)) for metric in printed_metrics()}
    tag = "" if published.protocol == protocol else published.protocol or "?"
    doubtful = published.unconfirmed or published.guess
    tag = f"{published.protocol or ''}?" if doubtful else tag
    return JointCell(scores, tag, published.source, published.note, published.unconfirmed)


def _empty() -> JointCell:
    return JointCell(dict.fromkeys(printed_metrics(), NO_SCORE))


def _not_run(table: PaperTable, row: TableRow) -> JointRow:
    return JointRow(table.row_name(row), True, tuple(_empty() for _ in _columns(table)))


def _measured(table: PaperTable, run: Measured, index: RunIndex, each: _Scored) -> JointRow:
    cells = [
        _score(run, index, (each.method.name, each.source or column.dataset, column.dataset), column.protocol or "")
        for column in table.columns
    ]
    if table.average:
        cells.append(_average(cells))
    return JointRow(_name(run, table, each), True, tuple(cells))


def _name(run: Measured, table: PaperTable, each: _Scored) -> str:
    """The title of the row that asks for it, or what the comparison calls it, with its training set."""
    title = next((r.title for r in table.rows if r.measure and each.method.asked == r.measure.method), None)
    title = title or method_labels(run.results.methods)[each.method.name]
    return f"{title} (not trained)" if each.source == UNTRAINED else named_with(title, each.source)


def _score(run: Measured, index: RunIndex, place: Place, protocol: str) -> JointCell:
    seen = place[0] in index.methods and is_seen(run.copies, index.methods[place[0]], place[1], place[2])
    found = {}
    for metric in printed_metrics():
        of_seeds = run.means.of_seeds(*place, protocol, metric)
        failed = place in index.failed and not of_seeds
        missing = FAILED_SCORE if failed else NO_SCORE
        found[metric] = replace(pooled(of_seeds, metric), seen=seen) if of_seeds else missing
    return JointCell(found)


def _average(cells: Sequence[JointCell]) -> JointCell:
    """Of a row that has a score in every column; too good where one of them is of test images that were seen."""
    return JointCell({m: averaged((cell.scores[m] for cell in cells), m) for m in printed_metrics()})


def _digits(table: PaperTable) -> list[dict[Metric, int]]:
    """The decimal places by column and metric, as most of what is printed there has."""
    return [{metric: _usual(table, name, metric) for metric in printed_metrics()} for name in _names(table)]


def _usual(table: PaperTable, name: str, metric: Metric) -> int:
    texts = [row.published[name].score(metric) for row in table.rows if name in row.published]
    counts = Counter(len(text.partition(".")[2]) for text in texts if text is not None)
    return counts.most_common(1)[0][0] if counts else METRICS[metric].digits


def _at(row: JointRow, digits: Sequence[Mapping[Metric, int]]) -> JointRow:
    """A row with as many digits as its columns have; a quoted number with fewer stays as it is printed."""
    cells = [
        replace(cell, scores={m: at_digits(score, places[m], row.measured) for m, score in cell.scores.items()})
        for cell, places in zip(row.cells, digits, strict=True)
    ]
    return replace(row, cells=tuple(cells))


def at_digits(cell: Cell, digits: int, measured: bool) -> Cell:
    """A score with as many digits as its column has; a quoted one with fewer stays as it is printed."""
    if cell.state != "finished" or (not measured and len(cell.text.partition(".")[2]) <= digits):
        return cell
    deviation = "" if cell.deviation is None else rounded(cell.deviation, digits)
    return replace(cell, text=rounded(cell.value, digits), deviation_text=deviation)


def _ranked(rows: Sequence[JointRow]) -> list[JointRow]:
    """The rows with the best and the second best of each column marked, quoted and measured ones together."""
    marked = [list(row.cells) for row in rows]
    for across in range(len(rows[0].cells) if rows else 0):
        takes_part = [down for down, row in enumerate(rows) if row.cells[across].agrees]
        for metric in printed_metrics():
            cells = ranked_if_several((rows[down].cells[across].scores[metric] for down in takes_part), metric)
            for down, cell in zip(takes_part, cells, strict=True):
                scores = {**marked[down][across].scores, metric: cell}
                marked[down][across] = replace(marked[down][across], scores=scores)
    return [replace(row, cells=tuple(cells)) for row, cells in zip(rows, marked, strict=True)]


def _notes(table: PaperTable, run: Measured, index: RunIndex, here: Sequence[_Scored]) -> list[str]:
    """What a reader must know of the rows that were measured."""
    if not here:
        return []
    notes = []
    wanted = dict.fromkeys(column.protocol for column in table.columns if column.protocol)
    if lacking := [name for name in wanted if name not in run.protocols]:
        notes.append(f"Not measured under {listed(lacking)}: run again with --protocols {','.join(wanted)}.")
    datasets = {dataset.name: dataset for dataset in run.results.datasets}
    partial = [
        f"{len(datasets[column.dataset].test)} of {column.title}"
        for column in table.columns
        if column.dataset in datasets and not datasets[column.dataset].whole
    ]
    if partial:
        notes.append(f"Not all test images, or too many, were measured: {listed(partial)}.")
    places = [(e.method, e.source or c.dataset, c.dataset) for e in here for c in table.columns]
    if any(is_seen(run.copies, *place) for place in places):
        notes.append("‡: the training had copies of test images; neither best nor second.")
    bf16 = [m for m, s, d in places if (m.name, s, d) in index.scored and in_bf16(index, (m.name, s, d))]
    if bf16:
        labels = method_labels(run.results.methods)
        notes.append(
            f"In bf16, where publications are in fp32: {listed(list(dict.fromkeys(labels[m.name] for m in bf16)))}."
        )
    trained = [each for each in here if each.method.weights is None and each.source not in NO_TRAINING_SET]
    if trained and not run.results.info.recipe.comparable:
        recipe = run.results.info.recipe.name
        notes.append(f"Trained here with recipe {recipe}, not as published: no number to set beside quoted ones.")
    return notes
