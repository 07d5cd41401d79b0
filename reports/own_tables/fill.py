"""Fills a table of one's own from a run, published tables and what the file itself says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import parse_name

from ..comparison.cells import Cell, Metric, averaged, ranked_if_several
from ..comparison.labels import MISSING, method_labels, titles_by_name
from ..content import Content
from ..published.joint import at_digits
from .costs import cost_column, cost_texts
from .notes import own_notes
from .scores import Line, Place, Score, line_of, protocol_of, score
from .spec import SpecColumn, TableSpec
from .table import CHECK, OwnCell, OwnColumn, OwnRow, OwnTable, Remark

#: What an option of a method is where its name does not say it: :data:`MISSING` where the method has no such option,
#: None where nobody knows. (method, option)
Defaults = Callable[[str, str], str | None]


def nobody_knows(method: str, option: str) -> str | None:
    """Of methods that are not at hand."""
    return None


def fill_own(spec: TableSpec, content: Content, where: str, defaults: Defaults = nobody_knows) -> OwnTable:
    """The table that ``spec`` asks for. ``where`` is what messages call it: ``table spec my.toml``.

    :class:`UserError` where it asks for what is not there, or would set beside each other what cannot be compared.
    """
    run = content.run
    lines = [line_of(run, row, where) for row in spec.rows]
    places = {
        number: _place(spec, content, column, where)
        for number, column in enumerate(spec.columns)
        if column.dataset is not None
    }
    scores = {number: _digits(spec, place, [score(run, spec, line, place, where) for line in lines])
              for number, place in places.items()}  # fmt: skip
    for number, column in enumerate(spec.columns):
        if column.average is not None:
            places[number], scores[number] = _average(spec, column, places, scores, where)
    _check_words(spec, where)
    heads: list[OwnColumn] = []
    body: list[list[OwnCell]] = [[] for _ in lines]
    notes: list[str] = []
    for number, column in enumerate(spec.columns):
        if number in places:
            shown, cells = _scored(content, column, places[number], scores[number])
        elif column.cost is not None:
            texts, said = cost_texts(column, lines, content.efficiency, where)
            shown = [cost_column(column)]
            cells = [[_costed(column, line, text)] for line, text in zip(lines, texts, strict=True)]
            notes += said
        elif column.option is not None:
            shown = [OwnColumn(column.title or column.option)]
            cells = [[_word(text)] for text in _options(column, lines, defaults, where)]
        else:
            shown = [OwnColumn(column.title or column.text or "")]
            cells = [[_word(line.row.text.get(column.text or "", MISSING))] for line in lines]
        heads += shown
        for row, more in zip(body, cells, strict=True):
            row.extend(more)
    names = _names(content, lines)
    rows = [
        OwnRow(name, line.row.cite or "", tuple(cells), line.row.line)
        for name, line, cells in zip(names, lines, body, strict=True)
    ]
    notes = [*own_notes(content, spec, lines, list(zip(places.values(), scores.values(), strict=True))), *notes]
    return OwnTable(spec, tuple(heads), tuple(rows), tuple(dict.fromkeys(notes)))


def retitled(spec: TableSpec, content: Content, titles: Mapping[str, str]) -> TableSpec:
    """A spec whose rows of these methods have other titles.

    UserError for a method that the run does not have, and for one title of two methods, whose rows would look alike.
    """
    chosen = titles_by_name(content.results, titles)
    for title, count in Counter(chosen.values()).items():
        if count > 1:
            alike = " and ".join(repr(name) for name in chosen if chosen[name] == title)
            raise UserError(f"--rename calls {alike} {title!r}; give each a title of its own")
    named = {each: method.name for method in content.results.methods for each in (method.name, method.asked)}
    rows = [
        row.model_copy(update={"title": chosen.get(named.get(row.method or "", ""), row.title)}) for row in spec.rows
    ]
    return spec.model_copy(update={"rows": tuple(rows)})


def _names(content: Content, lines: Sequence[Line]) -> list[str]:
    labels = method_labels(content.results.methods)
    return [
        line.row.title or (labels[line.method.name] if line.method is not None else line.row.name) for line in lines
    ]


def _place(spec: TableSpec, content: Content, column: SpecColumn, where: str) -> Place:
    protocol = protocol_of(content.run, spec, column, where)
    dataset = column.dataset or ""
    quoted = any(row.quote is not None or dataset in row.published for row in spec.rows)
    known = [each.name for each in content.results.datasets]
    if dataset not in known and not quoted:
        raise UserError(f"{where}: column {column.name!r}: the run has no {dataset!r}; {did_you_mean(dataset, known)}")
    measured = any(row.method is not None for row in spec.rows)
    if measured and dataset in known and protocol not in content.run.protocols:
        raise UserError(
            f"{where}: column {column.name!r}: the run has no scores under {protocol!r} but under "
            f"{', '.join(content.run.protocols)}; run again with --protocols {protocol}"
        )
    return Place(column, dataset, protocol, _metrics(spec, column, where))


def _metrics(spec: TableSpec, column: SpecColumn, where: str) -> tuple[Metric, ...]:
    chosen = column.metrics or spec.metrics or tuple(METRICS)
    for name in chosen:
        if name not in METRICS:
            raise UserError(f"{where}: column {column.name!r}: no metric {name!r}; {did_you_mean(name, [*METRICS])}")
    return tuple(dict.fromkeys(chosen))


def _digits(spec: TableSpec, place: Place, column: Sequence[Score]) -> list[Score]:
    """A column with as many digits as the file says, or as most that is quoted in it has."""
    for metric in spec.digits.keys() & set(place.metrics):
        column = [_at(each, metric, spec.digits[metric]) for each in column]
    for metric in set(place.metrics) - spec.digits.keys():
        texts = [each.cells[metric].cell.text for each in column if each.cells[metric].quoted]
        usual = Counter(len(text.partition(".")[2]) for text in texts).most_common(1)
        column = [_at(each, metric, usual[0][0] if usual else METRICS[metric].digits) for each in column]
    return list(column)


def _at(each: Score, metric: Metric, digits: int) -> Score:
    own = each.cells[metric]
    shown = replace(own, cell=at_digits(own.cell, digits, not own.quoted))
    return replace(each, cells={**each.cells, metric: shown})


def _average(
    spec: TableSpec,
    column: SpecColumn,
    places: Mapping[int, Place],
    scores: Mapping[int, Sequence[Score]],
    where: str,
) -> tuple[Place, list[Score]]:
    """A column of means over datasets: of rows that have a score on each of them."""
    sets = [number for number, place in places.items() if place.column.dataset is not None]
    known = [places[number].dataset for number in sets]
    wanted = {*known} if column.average == "all" else {*(column.average or ())}
    for name in wanted:
        if name not in known:
            raise UserError(f"{where}: column {column.name!r}: no column is of {name!r}; {did_you_mean(name, known)}")
    asked = column.protocol or (spec.protocol if len(known) > len(set(known)) else None)
    sets = [n for n in sets if places[n].dataset in wanted and asked in (None, places[n].protocol)]
    if lacking := sorted(wanted - {places[number].dataset for number in sets}):
        raise UserError(
            f"{where}: column {column.name!r} would leave out {', '.join(lacking)}, which no column shows under "
            f"{asked}; name its protocol, or the datasets to average"
        )
    protocols = list(dict.fromkeys(places[number].protocol for number in sets))
    if len(protocols) != 1:
        told = " and ".join(protocols) or "nothing"
        raise UserError(
            f"{where}: column {column.name!r} would average scores under {told}; average columns of one protocol"
        )
    of_set: dict[str, list[int]] = {}
    for number in sets:
        of_set.setdefault(places[number].dataset, []).append(number)
    known_of = [{m for number in numbers for m in places[number].metrics} for numbers in of_set.values()]
    shared = [m for m in METRICS if all(m in known for known in known_of)]
    metrics = tuple(m for m in (_metrics(spec, column, where) if column.metrics else shared) if m in shared)
    place = Place(column, "", protocols[0], metrics)
    rows = [
        _mean([_together([scores[number][down] for number in numbers]) for numbers in of_set.values()], metrics)
        for down in range(len(spec.rows))
    ]
    return place, _digits(spec, place, rows)


def _together(of_set: Sequence[Score]) -> Score:
    """A row's scores in all columns of one dataset, which counts once."""
    cells = {metric: cell for each in reversed(of_set) for metric, cell in each.cells.items()}
    return Score(cells, all(each.compared for each in of_set))


def _mean(of_row: Sequence[Score], metrics: Sequence[Metric]) -> Score:
    cells = {}
    for metric in metrics:
        parts = [each.cells[metric] for each in of_row]
        mean = averaged((part.cell for part in parts), metric)
        remarks = tuple(dict.fromkeys(remark for part in parts for remark in part.remarks))
        unconfirmed = any(part.unconfirmed for part in parts)
        cells[metric] = OwnCell(mean, remarks, False, unconfirmed) if mean.state == "finished" else OwnCell(mean)
    return Score(cells, all(each.compared for each in of_row))


def _scored(
    content: Content, column: SpecColumn, place: Place, rows: Sequence[Score]
) -> tuple[list[OwnColumn], list[list[OwnCell]]]:
    """The heads and cells of a column of scores: best and second marked among those that may be compared."""
    titles = {each.name: each.title for each in content.results.datasets}
    group = column.title or titles.get(place.dataset, place.dataset) or "Average"
    heads = [OwnColumn(METRICS[metric].title, group, place.protocol, numbers=True) for metric in place.metrics]
    found = [dict(each.cells) for each in rows]
    for metric in place.metrics:
        takes_part = [down for down, each in enumerate(rows) if each.compared and not each.cells[metric].unconfirmed]
        marked = ranked_if_several([found[down][metric].cell for down in takes_part], metric)
        for down, cell in zip(takes_part, marked, strict=True):
            found[down][metric] = replace(found[down][metric], cell=cell)
    return heads, [[each[metric] for metric in place.metrics] for each in found]


def _word(text: str) -> OwnCell:
    return OwnCell(Cell("missing" if text == MISSING else "finished", math.nan, text))


def _costed(column: SpecColumn, line: Line, text: str) -> OwnCell:
    """A cost, which the row may give where nothing was measured here."""
    given = column.cost in line.row.costs
    return replace(_word(text), remarks=(Remark("As given, not measured here"),) if given else (), quoted=given)


def _options(column: SpecColumn, lines: Sequence[Line], defaults: Defaults, where: str) -> list[str]:
    """What rows show of an option: a check mark, nothing, or the value."""
    values = [_value(column, line, defaults, where) for line in lines]
    there = sorted({value for value in values if value != MISSING})
    if not there:
        raise UserError(f"{where}: column {column.name!r}: no row has an option {column.option!r}; check its name")
    if column.value is None:
        return [{"true": CHECK, "false": ""}.get(value, value) for value in values]
    if column.value not in there:
        hint = did_you_mean(column.value, there)
        raise UserError(f"{where}: column {column.name!r}: no row's {column.option} is {column.value!r}; {hint}")
    return [value if value == MISSING else CHECK if value == column.value else "" for value in values]


def _value(column: SpecColumn, line: Line, defaults: Defaults, where: str) -> str:
    """What an option is in a row."""
    option = column.option or ""
    value = line.row.options.get(option)
    if value is None and line.method is not None:
        value = parse_name(line.method.asked).options.get(option, column.default)
        value = defaults(line.method.asked, option) if value is None else value
        if value is None:
            raise UserError(
                f"{where}: row {line.row.name!r}, column {column.name!r}: {line.method.asked!r} does not say its "
                f"{option}; give the column's default, or the row's options"
            )
    return MISSING if value is None else value


def _check_words(spec: TableSpec, where: str) -> None:
    """UserError for what the file says and nothing shows: a slip of the pen."""
    shown: dict[str, list[str]] = {
        "options": [each.option for each in spec.columns if each.option],
        "costs": [each.cost for each in spec.columns if each.cost],
        "text": [each.text for each in spec.columns if each.text],
    }
    for metric in spec.digits:
        if metric not in METRICS:
            raise UserError(f"{where}: digits: no metric {metric!r}; {did_you_mean(metric, [*METRICS])}")
    sets = [each.dataset for each in spec.columns if each.dataset]
    for row in spec.rows:
        for kind, known in shown.items():
            for name in getattr(row, kind):
                if name not in known:
                    hint = did_you_mean(name, known)
                    raise UserError(f"{where}: row {row.name!r}, {kind}: no column shows {name!r}; {hint}")
        for name in row.published:
            if name not in sets:
                raise UserError(
                    f"{where}: row {row.name!r}, published: no column is of {name!r}; {did_you_mean(name, sets)}"
                )
