"""What ``derainbench run`` is asked for, and what of it is there: from the words of its command line to a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import typer

from derainbench.catalogue.cards import SplitName, all_cards
from derainbench.catalogue.locate import Dataset, checked_root
from derainbench.engine.device import Engine, choose_engine, engine_elsewhere
from derainbench.engine.kept_images import check_kept
from derainbench.engine.restore import parse_tile
from derainbench.errors import UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.metric_registry import require
from derainbench.plugins.names import UNPROCESSED
from derainbench.plugins.perceptual import require_features
from derainbench.plugins.recipe_book import RecipeBook, recipe_book
from derainbench.plugins.registry import Registry, discover
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights_store import weights_file
from derainbench.restored.row import Row
from derainbench.results.run_info import RunInfo
from derainbench.run.cells import Cell, ImagesCell, TrainCell
from derainbench.run.choices import (
    check_rows,
    choose_datasets,
    choose_metrics,
    choose_protocols,
    choose_recipe,
    choose_rows,
    choose_seeds,
    choose_variants,
    dataset_finder,
    protocols_before,
)
from derainbench.run.console import read_manifests
from derainbench.run.description import as_described, splits_of
from derainbench.run.executors.choice import Choice, choose_executor
from derainbench.run.grid import Grid, Plan
from derainbench.run.store import Status, Store
from derainbench.run.suite import Adaptation, Measurement, measurements, not_registered, parse_options
from derainbench.run.suite_grid import SuiteGrid, found_datasets
from derainbench.run.wanted import Suite
from derainbench.support.words import split_list


@dataclass(frozen=True)
class Order:
    """The command's options as they were typed; ``None`` where one was left out.

    ``suite`` is asked for instead of ``methods`` and ``datasets``; then ``datasets`` is one to stand in for all of the
    suite's, and ``reduce`` gives options to its networks. ``image_rows`` are restored images beside those that
    ``methods`` names, ``tested_on`` what ``datasets`` means where that is no word.
    """

    methods: str | None
    datasets: str | None
    suite: Suite | None = None
    reduce: str | None = None
    baseline: bool | None = None
    recipe: str = "auto"
    out: Path | None = None
    seeds: str = "0"
    protocols: str = ""
    metrics: str = ""
    cross: bool = False
    device: str = "auto"
    devices: str = ""
    executor: str = ""
    devices_per_cell: int = 1
    compiled: bool = False
    log: str = "none"
    images: str = ""
    precision: str = "auto"
    tile: str = "auto"
    workers: int | None = None
    threads: int | None = None
    data_root: Path | None = None
    plugin: Sequence[Path] = ()
    card: Sequence[Path] = ()
    image_rows: Sequence[Row] = ()
    tested_on: Sequence[Dataset] = ()


@dataclass(frozen=True)
class Planned:
    """A plan, and where it is carried out; ``before`` is what ``run.json`` said when it was made."""

    order: Order
    grid: Plan
    cells: Sequence[Cell]
    store: Store
    engine: Engine
    before: RunInfo | None = None
    where: Choice = field(default_factory=lambda: Choice("inline", ("auto",)))

    @cached_property
    def statuses(self) -> Mapping[str, Status]:
        """What is there of each cell, by its name, when it is first asked for."""
        readable = {(dataset.name, split) for dataset, split in _splits_here(self.cells)}
        found = {c.name: self.store.status(c) if _data_of(c) <= readable else Status("no data") for c in self.cells}
        if self.order.images:  # asked for: an evaluation without them is not all there
            images = check_kept(self.order.images)
            done = [cell for cell in self.cells if found[cell.name].state == "done"]
            found |= {cell.name: Status("missing") for cell in done if not self.store.has_images(cell, images)}
        left = [cell for cell in self.cells if found[cell.name].state in ("missing", "changed")]
        for name, problem in _missing_weights(left).items():
            found |= {cell.name: Status("no weights", problem) for cell in left if cell.method == name}
        found |= {cell.name: Status("no weights", problem) for cell, problem in _missing_for_trainings(left)}
        return found | {cell.name: Status("no weights", problem) for cell, problem in _missing_for_metrics(left)}

    def looked_at_again(self) -> Planned:
        """The plan for what is there now: another process may have finished cells, or asked the run for more."""
        return plan_run(self.order, say=lambda text: None) if self.store.read_info() != self.before else replace(self)

    def to_do(self) -> list[Cell]:
        """The cells whose result is not there."""
        return [cell for cell in self.cells if self.statuses[cell.name].state != "done"]

    def check(self) -> None:
        """:class:`UserError` where this machine does not have what the plan needs."""
        for problem in self.lacking():
            raise UserError(problem)

    def lacking(self) -> list[str]:
        """What this machine does not have for the plan, a line each with its remedy."""
        absent: dict[str, list[str]] = {}
        for dataset, split in splits_of(self.cells):
            if not dataset.has(split):
                absent.setdefault(dataset.name, []).append(split)
        weights = dict.fromkeys(s.reason for s in self.statuses.values() if s.state == "no weights")
        if not absent:
            return list(weights)
        names = ", ".join(f"{name} ({' and '.join(splits)})" for name, splits in absent.items())
        remedy = (
            "'derainbench datasets' says where to get them, --data-root where they are; or give --datasets with one "
            "dataset to stand in for all"
        )
        return [f"not here: {names}; {remedy}", *weights]


def plan_run(order: Order, say: Callable[[str], None] = typer.echo) -> Planned:
    """What the order asks for, and what is there of it. Says which recipe and seeds are meant; changes nothing."""
    _check_combination(order)
    registry = discover(order.plugin)
    if order.suite is None:
        return _plan_grid(order, registry, say)
    return _plan_suite(order, order.suite, registry, say)


def _check_combination(order: Order) -> None:
    if order.suite is None:
        for name, given in (("--methods", order.methods), ("--datasets", order.datasets)):
            if given is None:
                raise UserError(f"{name} is missing; give --methods and --datasets, or --suite")
        if order.reduce is not None:
            raise UserError("--reduce belongs to --suite; without one write NAME[option=value]")
    elif order.methods is not None:
        raise UserError(
            "a suite says which methods it needs; leave --methods out, or write a table with the rows you want "
            "and a suite file with that table"
        )
    elif order.cross:
        raise UserError("a suite says what is tested on what; leave --cross out")


def _plan_grid(order: Order, registry: Registry, say: Callable[[str], None]) -> Planned:
    assert order.methods is not None
    assert order.datasets is not None
    variants = choose_variants(registry, order.methods, None if order.baseline is False else UNPROCESSED)
    rows = [*choose_rows(order.methods), *order.image_rows]
    if not rows and not split_list(order.methods):
        raise UserError("no method is chosen; give --methods names separated by commas, or all")
    check_rows(rows)
    chosen = order.tested_on or choose_datasets(order.datasets, order.card, order.data_root)
    how = _settings(order, registry, variants, chosen, say)
    tile = parse_tile(order.tile)
    grid = Grid(
        variants,
        chosen,
        how.book,
        how.seeds,
        how.protocols,
        how.engine.precision,
        order.cross,
        tile,
        order.compiled,
        [as_described(row, how.before) for row in rows],
        how.metrics,
    )
    planned = _planned(order, grid, how)
    for cell in planned.cells:
        if isinstance(cell, ImagesCell):
            say(cell.images.how)
    return planned


def _plan_suite(order: Order, suite: Suite, registry: Registry, say: Callable[[str], None]) -> Planned:
    options = {} if order.reduce is None else parse_options(order.reduce)
    wanted = measurements(suite, registry, Adaptation(options, _stand_in(order)))
    if order.baseline:
        tested = dict.fromkeys(measurement.tested_on for measurement in wanted)
        wanted += [Measurement(registry.variant(UNPROCESSED), None, name) for name in tested]
    find = dataset_finder(order.card, checked_root(order.data_root))
    found = found_datasets(wanted, all_cards(order.card), find)
    how = _settings(order, registry, [m.variant for m in wanted], list(found.values()), say)
    absent = not_registered(suite, registry)
    say(f"suite {suite.name}" + (f"; not in the registry: {'; '.join(absent)}" if absent else ""))
    tile = parse_tile(order.tile)
    grid = SuiteGrid(
        suite,
        wanted,
        found,
        how.book,
        how.seeds,
        how.protocols,
        how.engine.precision,
        tile,
        order.compiled,
        how.metrics,
    )
    return _planned(order, grid, how)


def _stand_in(order: Order) -> str | None:
    """The one dataset that stands in for all of a suite's, if one is given."""
    if order.datasets is None:
        return None
    chosen = choose_datasets(order.datasets, order.card, order.data_root)
    if len(chosen) > 1:
        raise UserError(
            f"--datasets {order.datasets} means {len(chosen)} datasets; with --suite give one, to stand in for all of "
            "the suite's, or none"
        )
    if chosen[0].card.union is not None:
        raise UserError(
            f"--datasets {order.datasets} is a union, which has no tests to stand in for the suite's; give one of "
            f"{', '.join(part.name for part in chosen[0].parts)}"
        )
    return chosen[0].name


@dataclass(frozen=True)
class _Settings:
    """How a plan is to be done, and where."""

    book: RecipeBook
    store: Store
    engine: Engine
    protocols: Sequence[str]
    metrics: Sequence[ImageMetric]
    seeds: Sequence[int]
    before: RunInfo | None
    where: Choice


def _settings(
    order: Order,
    registry: Registry,
    variants: Sequence[Variant],
    datasets: Sequence[Dataset],
    say: Callable[[str], None],
) -> _Settings:
    """As ordered; what the run folder has already decides where the order does not."""
    where = choose_executor(order.executor, order.device, order.devices, order.devices_per_cell)
    engine = _engine(where, order.precision)
    seeds = choose_seeds(order.seeds)
    recipe, why = choose_recipe(order.recipe, engine.device.type, datasets)
    book = recipe_book(recipe)
    book.check(registry.names())
    if any(variant.trainable for variant in variants):
        say(f"recipe {recipe}{why}; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    else:
        say("nothing is trained")
    name = book.name if order.suite is None else f"{order.suite.name}-{book.name}"
    store = Store(order.out or Path("runs") / name)
    before = store.read_info()
    if order.precision == "auto" and before:  # a run that began on a GPU goes on in its precision
        engine = _engine(where, before.precision)
    asked = choose_protocols(order.protocols or ",".join(() if order.suite is None else order.suite.protocols))
    already = [] if before is None else protocols_before(before.protocols, before.own_protocols, store.folder)
    protocols = list(dict.fromkeys([*already, *asked]))
    if order.protocols and len(protocols) > len(asked):
        say(
            f"protocols {', '.join(protocols)}: {store.folder} has others than {', '.join(asked)}, and a "
            "run measures under all of its protocols; for fewer give another --out"
        )
    measured = () if before is None else tuple(each.name for each in before.metrics)
    metrics = choose_metrics(registry.metrics, order.metrics, measured, store.folder)
    return _Settings(book, store, engine, protocols, metrics, seeds, before, where)


def _engine(where: Choice, precision: str) -> Engine:
    """What the cells are computed on, as far as that decides what they are."""
    if where.elsewhere:
        return engine_elsewhere(where.devices[0], precision)
    return choose_engine(where.devices[0].split("+")[0], precision)


def _planned(order: Order, grid: Plan, how: _Settings) -> Planned:
    """The plan's cells, each compared with what is in the run folder."""
    cells = grid.cells()
    read_manifests(_splits_here(cells))
    return Planned(order, grid, cells, how.store, how.engine, how.before, how.where)


def _splits_here(cells: Sequence[Cell]) -> list[tuple[Dataset, SplitName]]:
    return [(dataset, split) for dataset, split in splits_of(cells) if dataset.has(split)]


def _data_of(cell: Cell) -> set[tuple[str, str]]:
    """The splits that a cell's key depends on."""
    if isinstance(cell, TrainCell):
        return {(cell.dataset.name, "train")}
    training = None if isinstance(cell, ImagesCell) else cell.training
    return {(cell.dataset.name, "test"), *(_data_of(training) if training is not None else ())}


def _missing_weights(cells: Sequence[Cell]) -> dict[str, str]:
    """What is wrong with weights that are asked for, by variant: told now, not after hours of training."""
    problems = {}
    variants = {cell.variant.name: cell.variant for cell in cells if not isinstance(cell, ImagesCell)}
    for variant in (each for each in variants.values() if each.tag):
        try:
            weights_file(variant)
        except UserError as error:
            problems[variant.name] = str(error)
    return problems


def _missing_for_trainings(cells: Sequence[Cell]) -> Iterator[tuple[Cell, str]]:
    """Cells whose training starts from, or compares, what is not here or damaged, and what is wrong."""
    for cell in cells:
        training = cell if isinstance(cell, TrainCell) else None if isinstance(cell, ImagesCell) else cell.training
        if training is None:
            continue
        try:
            if training.recipe.needs_vgg16:
                require_features()
            if training.initial is not None:
                weights_file(training.initial)
        except UserError as error:
            yield cell, str(error)


def _missing_for_metrics(cells: Sequence[Cell]) -> Iterator[tuple[Cell, str]]:
    """Evaluations by a metric that needs what is not here or damaged, and what is wrong."""
    for cell in cells:
        for metric in () if isinstance(cell, TrainCell) else cell.metrics:
            try:
                require(metric)
            except UserError as error:
                yield cell, str(error)
