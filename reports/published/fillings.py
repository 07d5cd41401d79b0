"""Which of a run's evaluations fills a row of a published table, and how it differs from what the row asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derainbench.across_runs.recorded_inputs import evaluation_inputs
from derainbench.recipe import Recipe
from derainbench.results import UNTRAINED, MethodInRun, Results

from ..comparison.seen import Copies, copies_in_training, is_seen
from .shipped import Measure, PaperTable, TableColumn, TableRow

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


def run_index(results: Results) -> RunIndex:
    """Everything that :func:`filling` looks up in ``results``."""
    places = results.scores[["method", "trained_on", "dataset"]].drop_duplicates()
    rows = (results.info.get("suite") or {}).get("rows", ())
    return RunIndex(
        results,
        frozenset((str(m), str(t), str(d)) for m, t, d in places.itertuples(index=False)),
        frozenset(_failed(results)),
        {(r["table"], r["row"], r["column"]): (r["method"], r["trained_on"], r["dataset"]) for r in rows},
        {method.name: method for method in results.methods},
        {(training.method, training.trained_on): training.recipe for training in results.trainings},
        {(c["method"], c["dataset"]): c["row_recipe"] for c in results.info.get("cells", ()) if "row_recipe" in c},
        copies_in_training(results),
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
    source = str(method.weights["trained_on"])
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
    runs = [run for run in info.get("runs", ()) if used in run.get("recipes", {}).values()] or [info]
    names = dict.fromkeys(str(run.get("recipe", {}).get("name", "")) for run in runs)
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
    for change in index.results.info.get("recipe", {}).get("changes", ()):
        # what a suite's stand-ins change beside recipes is told by the notes of the table
        if change["method"] in (base, method) and "suite" not in change:
            field, published, now = (change[key] for key in ("field", "paper", "here"))
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
