"""What stands in a row under a dataset: measured or quoted, and whether it may be compared with the column's others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import NO_TRAINING_SET, UNKNOWN, UNTRAINED
from derainbench.results.results import MethodInRun

from ..comparison.cells import FAILED_SCORE, NO_SCORE, Cell, Metric, as_printed, pooled
from ..comparison.entries import Entry, failed_seeds
from ..comparison.labels import the_method
from ..comparison.measured import Measured
from ..comparison.seen import is_seen
from ..published.paper_table import PaperTable, Published, TableRow
from ..published.shipped import paper_tables
from .spec import ANY, EACH, SpecColumn, SpecRow, TableSpec
from .table import OwnCell, Remark


@dataclass(frozen=True)
class Place:
    """A column of scores as rows are asked for it: a dataset under a protocol, with metrics."""

    column: SpecColumn
    dataset: str
    protocol: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Line:
    """A row with what it refers to: the method of the run, and the row of a published table."""

    row: SpecRow
    method: MethodInRun | None
    quoted_from: tuple[PaperTable, TableRow] | None


@dataclass(frozen=True)
class Score:
    """The cells of a row under a dataset, by metric. ``compared``: they may be ranked with the column's others.

    ``source`` is the training set under which the run has them; None where they are quoted, or nothing is there.
    """

    cells: Mapping[Metric, OwnCell]
    compared: bool = True
    source: str | None = None


def line_of(run: Measured, row: SpecRow, where: str) -> Line:
    """A row with its method and its quoted row. :class:`UserError` where one of them does not exist."""
    try:
        method = None if row.method is None else the_method(run.results, row.method)
        tables = () if row.quote is None else paper_tables([row.quote.table], [d.name for d in run.results.datasets])
    except UserError as error:
        raise UserError(f"{where}: row {row.name!r}: {error}") from error
    if row.quote is None:
        return Line(row, method, None)
    found = [(table, each) for table in tables for each in table.rows if each.title == row.quote.row]
    if len(found) != 1:
        known = list(dict.fromkeys(each.title for table in tables for each in table.rows))
        several = f"{row.quote.table} has several tables with that row; name one, such as {tables[0].name!r}"
        hint = several if found else did_you_mean(row.quote.row, known)
        number = "several rows" if found else "no row"
        raise UserError(f"{where}: row {row.name!r}: {row.quote.table} has {number} {row.quote.row!r}; {hint}")
    return Line(row, method, found[0])


def score(run: Measured, spec: TableSpec, line: Line, place: Place, where: str) -> Score:
    """What stands in a row under a dataset. :class:`UserError` where it must not stand there without a word."""
    here = None if line.method is None else _measured(run, spec, line, line.method, place, where)
    quoted = _quoted(spec, line, place, where)
    if here is not None and (quoted is None or any(each.cell.state == "finished" for each in here.cells.values())):
        return here
    return quoted or Score(dict.fromkeys(place.metrics, OwnCell(NO_SCORE)))


def _measured(
    run: Measured, spec: TableSpec, line: Line, method: MethodInRun, place: Place, where: str
) -> Score | None:
    source = _source(run, spec, line, method, place, where)
    if source is None:
        return None
    cells = {}
    for metric in place.metrics:
        of_seeds = run.means.of_seeds(method.name, source, place.dataset, place.protocol, metric)
        cell = pooled(of_seeds, metric) if of_seeds else NO_SCORE
        if not of_seeds and failed_seeds(run.results, Entry(method, "", source), place.dataset):
            cell = FAILED_SCORE
        if not spec.deviations:
            cell = replace(cell, deviation=None, deviation_text="")
        seen = cell.state == "finished" and is_seen(run.copies, method, source, place.dataset)
        cells[metric] = replace(cell, seen=seen)
    if all(cell.state == "missing" for cell in cells.values()):
        return None
    stated = line.row.trained_on if source == UNKNOWN and line.row.trained_on else source
    stated = place.dataset if stated == EACH else stated
    fits, remarks = _trained(spec, line, place, stated)
    differs = "" if fits else f"of a network trained on {stated}"
    if stated == UNKNOWN and not fits:
        differs = "of files whose network was trained on what is unknown (the row's trained_on may say it)"
    return _judged(spec, line, place, where, cells, differs, remarks, source)


def _source(run: Measured, spec: TableSpec, line: Line, method: MethodInRun, place: Place, where: str) -> str | None:
    """The training set whose scores the row means; None where the run has none of them."""
    table = run.means.table
    scored = table[(table["method"] == method.name) & (table["dataset"] == place.dataset)]["trained_on"]
    sources = [*dict.fromkeys(map(str, scored))]
    own = None if line.row.trained_on == EACH else line.row.trained_on
    wanted = own or (spec.trained_on if spec.trained_on not in (None, ANY) else None) or place.dataset
    for source in (wanted, *NO_TRAINING_SET):
        if source in sources:
            return source
    if line.row.trained_on is not None:
        failed = failed_seeds(run.results, Entry(method, "", wanted), place.dataset)
        return wanted if failed else None
    if len(sources) > 1:
        raise UserError(
            f"{where}: row {line.row.name!r}, column {place.column.name!r}: the run has it trained on "
            f"{', '.join(sources)}; give the row's trained_on"
        )
    return sources[0] if sources else wanted


def _trained(spec: TableSpec, line: Line, place: Place, stated: str) -> tuple[bool, tuple[Remark, ...]]:
    """Whether a training set is one that the table compares, and what has to be said of it."""
    wanted = spec.trained_on or place.dataset
    if stated in (wanted, UNTRAINED):
        return True, ()
    if wanted == ANY:
        said = "trained on what is unknown" if stated == UNKNOWN else f"trained on {stated}"
        told = stated == place.dataset or re.search(rf"\b{re.escape(said)}(?![\w-])", line.row.title)
        return True, () if told else (Remark(said[0].upper() + said[1:], short=said),)
    return False, ()


def _quoted(spec: TableSpec, line: Line, place: Place, where: str) -> Score | None:
    found = _published(spec, line, place)
    if found is None or _stands_elsewhere(spec, found[0], place):
        return None
    published, text, trained_on = found
    remarks = [Remark(f"Quoted: {text}", published.note)]
    differs = []
    if published.protocol is None:
        differs.append("of a protocol that nobody knows")
    elif published.protocol != place.protocol:
        differs.append(f"under {published.protocol}")
    elif published.guess:
        differs.append(f"under {published.protocol} by a guess that nobody confirmed")
    fits, said = _trained(spec, line, place, trained_on or place.dataset)
    if not fits:
        differs.append(f"of a network trained on {trained_on or place.dataset}")
    if published.unconfirmed:
        remarks.append(Remark("General knowledge, which nobody read in print", short="not read in print"))
    cells = {metric: as_printed(published.score(metric)) for metric in place.metrics}
    return _judged(
        spec, line, place, where, cells, " and ".join(differs), (*remarks, *said), None, published.unconfirmed, True
    )


def _published(spec: TableSpec, line: Line, place: Place) -> tuple[Published, str, str | None] | None:
    """The printed scores of a row on a dataset, who prints them, and what they were trained on (None: that set)."""
    own = line.row.published.get(place.dataset)
    stated = None if line.row.trained_on == EACH else line.row.trained_on
    if own is not None:
        return own, _text(spec.sources[own.source].text), stated or (_card(spec.trained_on))
    if line.quoted_from is None:
        return None
    table, row = line.quoted_from
    printed = row.published.get(place.dataset)
    if printed is None:
        return None
    return printed, _text(table.sources[printed.source].text), table.training_set(row)


def _stands_elsewhere(spec: TableSpec, published: Published, place: Place) -> bool:
    """Whether another column is of the same dataset under the protocol of a printed number."""
    columns = {each.protocol or spec.protocol for each in spec.columns if each.dataset == place.dataset}
    return published.protocol != place.protocol and published.protocol in columns - {None}


def _card(trained_on: str | None) -> str | None:
    """The training set of a table whose rows do not say theirs."""
    return None if trained_on == ANY else trained_on


def _text(sentence: str) -> str:
    return sentence.rstrip(" .")


def _judged(
    spec: TableSpec,
    line: Line,
    place: Place,
    where: str,
    cells: Mapping[Metric, Cell],
    differs: str,
    remarks: Sequence[Remark],
    source: str | None,
    unconfirmed: bool = False,
    quoted: bool = False,
) -> Score:
    """The cells with their remarks; refused where they differ in what makes scores comparable and no word says so."""
    if differs and not line.row.apart:
        wanted = spec.trained_on or f"{place.dataset} itself"
        raise UserError(
            f"{where}: row {line.row.name!r}, column {place.column.name!r}: its scores are {differs}, the column's "
            f"under {place.protocol} and trained on {wanted}; leave the row out, or give it apart = true: then it is "
            "marked and ranked with nothing"
        )
    if differs:
        short = differs.replace("of a network ", "").removesuffix(" (the row's trained_on may say it)")
        remarks = (*remarks, Remark(f"Not comparable with the others, and not ranked: {short}", short=short))
    shown = {metric: OwnCell(cell, tuple(remarks), quoted, unconfirmed) for metric, cell in cells.items()}
    shown = {metric: each if each.cell.state == "finished" else OwnCell(each.cell) for metric, each in shown.items()}
    return Score(shown, not differs and not unconfirmed, source)


def protocol_of(run: Measured, spec: TableSpec, column: SpecColumn, where: str) -> str:
    """The protocol of a column of scores. :class:`UserError` where none is named, and for one that does not exist."""
    name = column.protocol or spec.protocol
    known = [*dict.fromkeys([*run.protocols, *PROTOCOLS])]
    if name is None:
        raise UserError(
            f'{where}: column {column.name!r} names no protocol; give protocol = "..." of the file or the column, '
            f"one of the run's {', '.join(run.protocols)}"
        )
    if name not in known:
        raise UserError(f"{where}: column {column.name!r}: no protocol {name!r}; {did_you_mean(name, known)}")
    return name
