"""A published table with what a run scored beside it, as plain data: numbers, marks, and what fills each row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from derainbench.errors import did_you_mean
from derainbench.metrics.kinds import METRICS
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import GROUP, UNTRAINED, parse_name
from derainbench.plugins.recipe import Recipe
from derainbench.results.recorded_inputs import evaluation_inputs
from derainbench.results.results import MethodInRun, Results

from ..comparison.cells import FAILED, FAILED_SCORE, NO_SCORE, Cell, Metric, as_printed, pooled, ranked, rounded
from ..comparison.labels import MISSING
from ..comparison.means import Means
from ..comparison.measured import Measured
from ..comparison.seen import Copies, is_seen
from .paper_table import PRINTED, PaperTable
from .shipped import Measure, Published, TableColumn, TableRow, paper_tables, shipped_tables

#: Method, training set, dataset: an evaluation, whatever its seeds.
Place = tuple[str, str, str]

#: What a row wants where only a training for another row is known.
PUBLISHED = "what is published"


@dataclass(frozen=True)
class Filling:
    """An evaluation that stands in a row; ``words`` say what it is, as in ``prenet@rain100l, published weights``.

    ``differs`` says how it was trained in another way than the row asks for. ``failed`` ones have no score. ``seen``
    says that the training had exact copies of test images.
    """

    place: Place
    words: str
    differs: str = ""
    failed: bool = False
    seen: bool = False

    @property
    def dataset(self) -> str:
        """The dataset that was tested on."""
        return self.place[2]


@dataclass(frozen=True)
class RunIndex:
    """What a run holds, for looking up: evaluations with scores, those that failed, and what its suite filled.

    ``recipes`` and ``row_recipes`` are by method and training set: a training's, and what of it a row asked for.
    """

    results: Results
    scored: frozenset[Place]
    failed: frozenset[Place]
    suite: Mapping[tuple[str, str, str], Place]
    methods: Mapping[str, MethodInRun]
    recipes: Mapping[tuple[str, str], Mapping[str, Any]]
    row_recipes: Mapping[tuple[str, str], Mapping[str, Any]]
    copies: Copies


def run_index(run: Measured) -> RunIndex:
    """Everything that :func:`filling` looks up in a run."""
    results = run.results
    places = results.scores[["method", "trained_on", "dataset"]].drop_duplicates()
    rows = () if results.info.suite is None else results.info.suite.rows
    return RunIndex(
        results,
        frozenset((str(m), str(t), str(d)) for m, t, d in places.itertuples(index=False)),
        frozenset(_failed(results)),
        {(r.table, r.row, r.column): (r.method, r.trained_on, r.dataset) for r in rows},
        {method.name: method for method in results.methods},
        {(training.method, training.trained_on): training.recipe for training in results.trainings},
        {(c.method, c.dataset): c.row_recipe for c in results.info.cells if c.row_recipe is not None},
        run.copies,
    )


def filling(index: RunIndex, table: PaperTable, row: TableRow, column: TableColumn) -> Filling | None:
    """What the run has for a row and a column, or None.

    What a suite ran for the row comes first, then by the name of the method: trained here as the row asks for,
    published weights, trained here in another way; of two alike the one in fp32. A row with a recipe of its own takes
    published weights last: they were not trained by it.
    """
    measure = row.measure
    if measure is None:
        return None
    planned = index.suite.get((table.name, row.title, column.dataset))
    if planned is not None:
        return _judged(index, measure, planned)
    wanted = measure.trained_on or column.dataset
    found = [
        candidate
        for method in index.methods.values()
        for source in _sources(method, measure.method, wanted)
        if (candidate := _judged(index, measure, (method.name, source, column.dataset))) is not None
    ]
    return min(found, key=lambda each: _order(index, measure, each), default=None)


def without_tag(name: str) -> str:
    """A method's name without its weights: ``nasnet[stages=2]`` of ``nasnet[stages=2]@tag``."""
    return name.partition("@")[0]


def answers(method: MethodInRun, asked: str) -> bool:
    """Whether a method is the one that a row asks for, with whatever weights unless it asks for some."""
    return asked in (method.asked, without_tag(method.asked))


def _sources(method: MethodInRun, asked: str, wanted: str) -> tuple[str, ...]:
    """The training sets under which scores of ``method`` would answer a row that asks for a name and a training set.

    Weights that the row names are taken whatever they were trained on; others only if they were trained on ``wanted``.
    """
    if method.weights is None:
        return (wanted, UNTRAINED) if method.asked == asked else ()
    source = method.weights.trained_on
    fits = method.asked == asked or (answers(method, asked) and source == wanted)
    return (source,) if fits else ()


def in_bf16(index: RunIndex, place: Place) -> bool:
    """Whether an evaluation was computed in bf16; publications are in fp32."""
    seeds = (key for key in index.results.evaluations if (key[0], key[1], key[3]) == place)
    inputs = evaluation_inputs(index.results, next(seeds, (place[0], place[1], 0, place[2])))
    return bool(inputs["precision"] == "bf16")


def _order(index: RunIndex, measure: Measure, candidate: Filling) -> tuple[bool, int, bool, bool]:
    method = index.methods[candidate.place[0]]
    trained = 2 if candidate.differs else 0
    published = 3 if measure.recipe else 1
    kind = trained if method.weights is None else published
    return candidate.failed, kind, method.unverified, in_bf16(index, candidate.place)


def _judged(index: RunIndex, measure: Measure, place: Place) -> Filling | None:
    """An evaluation of the run as what it is for a row; None where the run knows nothing of it."""
    if place not in index.scored and place not in index.failed:
        return None
    name, source, _ = place
    failed = place not in index.scored
    method = index.methods.get(name)
    if method is not None and method.weights is not None:
        kind = "weights that nobody vouches for" if method.unverified else "published weights"
        return Filling(place, f"{name}, {kind}", _spelled(measure.recipe), failed)
    if source == UNTRAINED:
        return Filling(place, name, failed=failed)
    departs = departures(index, measure, name, source)
    words = f"{name}, trained here" + (f" with recipe {_recipe_name(index, name, source)}" if departs else "")
    own = method is not None and method.paper is None
    seen = method is not None and is_seen(index.copies, method, source, place[2])
    return Filling(place, words, _told(departs, "its own recipe says" if own else "published"), failed, seen)


def _recipe_name(index: RunIndex, method: str, source: str) -> str:
    """What a training's recipe is called; where runs were merged, in those of them that trained by it."""
    info, used = index.results.info, index.recipes.get((method, source))
    runs = [run.recipe.name for run in info.runs if used in (run.recipes or {}).values()]
    names = dict.fromkeys(runs or [info.recipe.name])
    return ", ".join(filter(None, names)) or "another"


def departures(index: RunIndex, measure: Measure, method: str, source: str) -> list[tuple[str, str, str]]:
    """In which fields a training differs from what a row asks for: field, wanted, and what it was here.

    A row asks for the method's published recipe with its own changes. What was published is known of the fields that
    the run says it changed; the others were as published, but for those that the training has of another table's row.
    """
    base = index.methods[method].base if method in index.methods else without_tag(method).partition("[")[0]
    here = _facts(index.recipes.get((method, source), {}))
    wanted: dict[str, Any] = dict.fromkeys(_facts(index.row_recipes.get((method, source), {})), PUBLISHED)
    of_rows = [(field, value) for row in index.row_recipes.values() for field, value in _facts(row).items()]
    for change in index.results.info.recipe.changes:
        # what a suite's stand-ins change beside recipes is told by the notes of the table
        if change.method in (base, method) and change.suite is None:
            field, published, now = change.field, change.paper, change.here
            here.setdefault(field, now)
            if (field, published) not in of_rows:
                wanted[field] = published
    wanted |= _facts(measure.recipe)
    unknown = "not known"
    return [
        (field, _value(value), _value(here.get(field, unknown)))
        for field, value in wanted.items()
        if not _same(here.get(field, unknown), value)
    ]


def _facts(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's fields as ``run.json`` tells of changes: its length is one fact, whatever unit it is given in."""
    facts = {field: value for field, value in recipe.items() if field not in ("steps", "epochs")}
    for unit in ("steps", "epochs"):
        if recipe.get(unit) is not None:
            facts["length"] = f"{recipe[unit]:,} {unit}"
    return facts


def _same(one: Any, other: Any) -> bool:
    return (
        list(one) == list(other) if isinstance(one, list | tuple) and isinstance(other, list | tuple) else one == other
    )


def _told(departs: list[tuple[str, str, str]], than: str) -> str:
    """How a training differs from the row's: its length before all, the rest in the order of a recipe's fields."""
    fields = ["length", *Recipe.model_fields]
    told = ", ".join(
        f"{was} instead of {wanted}" if field == "length" else f"{field} {was} instead of {wanted}"
        for field, wanted, was in sorted(departs, key=lambda each: fields.index(each[0]) if each[0] in fields else 99)
    )
    return f"trained otherwise than {than}, {told}" if told else ""


def _spelled(recipe: Mapping[str, Any]) -> str:
    """How published weights differ from a row with a recipe of its own."""
    told = ", ".join(
        value if field == "length" else f"{field} {_value(value)}" for field, value in _facts(recipe).items()
    )
    return f"not trained with this row's {told}" if told else ""


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "+".join(map(str, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _failed(results: Results) -> list[Place]:
    """The evaluations that ended in an error, or could not begin because their training did."""
    found = []
    for failure in results.failures:
        kind, *rest = Path(failure.cell).parts
        if kind == "eval" and len(rest) == 4:
            found.append((rest[0], rest[1], rest[3]))
        elif kind == "train" and len(rest) == 3:
            found += [(rest[0], rest[1], dataset.name) for dataset in results.datasets]
    return found


#: What stands where a row asks for a method that the run has no scores of.
NOT_RUN = "not run"


@dataclass(frozen=True)
class PublishedCell:
    """One row's published scores on one dataset by metric; marked among the values under the same confirmed protocol.

    ``protocol`` is None where it is not known, ``guess`` where nobody confirmed it; ``source`` is a key of the table's.
    """

    scores: Mapping[Metric, Cell]
    protocol: str | None = None
    guess: bool = False
    source: str = ""
    note: str = ""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The scores in the order of the metrics."""
        return (*self.scores.values(),)

    @property
    def tag(self) -> str:
        """The protocol in short, with a question mark where it is a guess; ``?`` where it is not known."""
        return "?" if self.protocol is None else f"{self.protocol}?" if self.guess else self.protocol


@dataclass(frozen=True)
class FilledRow:
    """A row: ``published`` has one entry a column, ``measured`` under each protocol all metrics of each column.

    ``filled_by`` says which method, weights and recipe the measured ones are; empty where the run has none. In a table
    of parameters ``counts`` are the published number and the one counted here, as printed.
    """

    title: str
    published: tuple[PublishedCell, ...]
    measured: Mapping[str, tuple[Cell, ...]]
    filled_by: str = ""
    counts: tuple[str, str] | None = None

    def here(self, protocol: str, across: int) -> Mapping[Metric, Cell]:
        """What was measured under a protocol on the dataset of column number ``across``."""
        first = across * len(METRICS)
        return dict(zip(METRICS, self.measured[protocol][first : first + len(METRICS)], strict=True))


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


def fill(table: PaperTable, run: Measured) -> FilledTable:
    """``table`` with what a run has for its rows."""
    return fill_all((table,), run)[0]


def fill_all(tables: Iterable[PaperTable], run: Measured) -> tuple[FilledTable, ...]:
    """Every table with what a run has for its rows."""
    index = run_index(run)
    return tuple(
        _parameters(index, table)
        if table.kind == "parameters"
        else _scores(index, table, _fillings(index, table), run.protocols, run.means)
        for table in tables
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
    index: RunIndex, table: PaperTable, found: Mapping[tuple[int, int], Filling], names: tuple[str, ...], means: Means
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
    here = [row.here(name, across) for row in rows for name in row.measured for across in range(len(table.columns))]
    infinite = [kind.title for metric, kind in METRICS.items() if any(cells[metric].infinite for cells in here)]
    left_out = [f"Images with infinite {title} are left out of the means." for title in infinite]
    return FilledTable(
        table, names, rows, (*table.notes, *notes(index, table, found), *unknown(index, table), *left_out)
    )


def _published_column(table: PaperTable, column: TableColumn) -> list[PublishedCell]:
    printed = [row.published.get(column.dataset) for row in table.rows]
    groups = [None if each is None or each.guess else each.protocol for each in printed]
    columns = {
        metric: _marked([_as_printed(each, metric) for each in printed], groups, metric) for metric in printed_metrics()
    }
    found = []
    for down, each in enumerate(printed):
        scores = {metric: cells[down] for metric, cells in columns.items()}
        facts = () if each is None else (each.protocol, each.guess, each.source, each.note)
        found.append(PublishedCell(scores, *facts))
    return found


def printed_metrics() -> tuple[Metric, ...]:
    """The metrics that papers' tables print, in the order of a comparison's."""
    return tuple(metric for metric in METRICS if metric in PRINTED)


def _as_printed(published: Published | None, metric: Metric) -> Cell:
    return as_printed(None if published is None else published.score(metric))


def _measured_column(
    table: PaperTable, across: int, found: Mapping[tuple[int, int], Filling], protocol: str, means: Means
) -> list[tuple[Cell, ...]]:
    fillings = [found.get((down, across)) for down in range(len(table.rows))]
    dataset = table.columns[across].dataset
    digits = {metric: _digits(table, dataset, metric) for metric in METRICS}
    by_metric = [
        _marked(
            [_measured(each, protocol, metric, digits[metric], means) for each in fillings],
            [None if each is None else each.dataset for each in fillings],
            metric,
        )
        for metric in METRICS
    ]
    return list(zip(*by_metric, strict=True))


def _digits(table: PaperTable, dataset: str, metric: Metric) -> int:
    """The most decimal places to which a column is printed; the field's where nothing is printed in it."""
    printed = [row.published[dataset] for row in table.rows if dataset in row.published]
    texts = [text for each in printed if (text := each.score(metric)) is not None]
    return max((len(text.partition(".")[2]) for text in texts), default=METRICS[metric].digits)


def _measured(found: Filling | None, protocol: str, metric: Metric, digits: int, means: Means) -> Cell:
    if found is None:
        return NO_SCORE
    if found.failed:
        return FAILED_SCORE
    of_seeds = means.of_seeds(*found.place, protocol, metric)
    if not of_seeds:
        return NO_SCORE
    cell = pooled(of_seeds, metric)
    deviation = "" if cell.deviation is None else rounded(cell.deviation, digits)
    return replace(cell, text=rounded(cell.value, digits), deviation_text=deviation, seen=found.seen)


def _marked(cells: Sequence[Cell], groups: Sequence[str | None], metric: Metric) -> list[Cell]:
    """``cells`` with the best and second of each group marked where it has two or more; None is no group."""
    members: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        if group is not None and cells[number].state == "finished":
            members[group].append(number)
    marked = list(cells)
    for numbers in members.values():
        if len(numbers) > 1:
            for number, cell in zip(numbers, ranked((cells[n] for n in numbers), metric), strict=True):
                marked[number] = cell
    return marked


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
        counted = MISSING if method is None or method.parameters is None else f"{method.parameters:,}"
        printed = MISSING if row.parameters is None else row.parameters.value
        rows.append(FilledRow(row.title, (), {}, "" if method is None else method.name, (printed, counted)))
    return FilledTable(table, (), tuple(rows), (*table.notes, *unknown(index, table)))


def unknown(index: RunIndex, table: PaperTable) -> Iterator[str]:
    """A sentence for each method of a row that is neither in the run, nor installed, nor one that shipped tables name.

    Installed methods are known by the names of their entry points: nothing is imported.
    """
    asked = {row.title: parse_name(row.measure.method).base for row in table.rows if row.measure is not None}
    here = {method.base for method in index.results.methods} | {entry.name for entry in entry_points(group=GROUP)}
    if here.issuperset(asked.values()):
        return
    known = here | {
        parse_name(row.measure.method).base
        for shipped in paper_tables([*shipped_tables()])
        for row in shipped.rows
        if row.measure is not None
    }
    for base in dict.fromkeys(base for base in asked.values() if base not in known):
        titles = "; ".join(title for title, each in asked.items() if each == base)
        near = did_you_mean(base, sorted(known))
        hint = f"; {near}" if near.startswith("did") else "."  # a list of all names would be no help here
        yield f"{titles}: {base} is neither in this run nor a known method{hint}"


def notes(index: RunIndex, table: PaperTable, found: Mapping[tuple[int, int], Filling]) -> list[str]:
    """Where other datasets, options or images than the table's were measured, or how; ``found``: by row and column."""
    datasets = {dataset.name: dataset for dataset in index.results.datasets}
    stand_in: dict[tuple[str, str], None] = {}
    other_images: dict[str, int] = {}
    other_options: dict[str, None] = {}
    of_rows: dict[str, dict[str, None]] = {}
    for (down, across), each in found.items():
        row, column = table.rows[down], table.columns[across]
        if each.dataset != column.dataset:
            stand_in[datasets[each.dataset].title if each.dataset in datasets else each.dataset, column.title] = None
        elif each.dataset in datasets and not datasets[each.dataset].whole:
            other_images[column.title] = len(datasets[each.dataset].test)
        method = index.methods.get(each.place[0])
        if row.measure is not None and method is not None and not answers(method, row.measure.method):
            other_options[row.title] = None
        for said in filter(None, [each.differs, *(() if each.failed else _how(index, each))]):
            of_rows.setdefault(said, {})[row.title] = None
    told = [
        f"Measured on {here} instead of {there}: not comparable with the published numbers." for here, there in stand_in
    ]
    told += [
        f"Measured on {count} test images, which is not all that {title} has." for title, count in other_images.items()
    ]
    if other_options:
        told.append(f"With other options than the row's network, named here: {'; '.join(other_options)}.")
    told += [f"{'; '.join(titles)}: {said}." for said, titles in of_rows.items()]
    return told


def _how(index: RunIndex, each: Filling) -> Iterator[str]:
    """What else must be known before scores are set beside published ones."""
    name, source, tested = each.place
    method, info = index.methods.get(name), index.results.info
    if method is not None and method.proposal:
        yield method.proposal
    if in_bf16(index, each.place):
        yield "measured in bf16; a number to compare with the published one is one in fp32"
    if method is not None and method.truncated and _eight_bit(info.protocols):
        yield "outputs truncated to 8 bit, as their authors did, under the protocols of 8-bit images"
    for seen in info.seen_in_training:
        if (seen.train, seen.test) == (source, tested) and seen.shared:
            yield f"copies of {seen.shared} of the {seen.total} clean test images are in {source} train here"


def _eight_bit(protocols: Iterable[str]) -> bool:
    """Whether one of them measures 8-bit images."""
    return any(name in PROTOCOLS and PROTOCOLS[name].eight_bit for name in protocols)
