"""What ``run.json`` says: how a run was made, on what, and which cells belong to it."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, TypeVar

from derainbench import __version__
from derainbench.catalogue.cards import SplitName
from derainbench.catalogue.image_sizes import other_sizes
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.manifest import kept_manifest
from derainbench.efficiency.macs import described
from derainbench.errors import UserError, printable
from derainbench.metrics.image_metric import ImageMetric
from derainbench.metrics.protocols import own_of
from derainbench.plugins.method import Paper, Weights
from derainbench.plugins.metric_registry import identity
from derainbench.plugins.names import IMAGES, UNKNOWN, parse_name
from derainbench.plugins.variant import Variant
from derainbench.restored.images import RestoredImages
from derainbench.restored.row import Row
from derainbench.results.run_info import (
    SCHEMA,
    CellInfo,
    Change,
    DatasetInfo,
    ImagesInfo,
    MacsInfo,
    ManifestInfo,
    MethodInfo,
    MetricInfo,
    PairInfo,
    PaperInfo,
    PublishedInfo,
    RecipeFields,
    RecipeInfo,
    RunInfo,
    Scalar,
    SeenInfo,
    SuiteInfo,
    UnionInfo,
    WeightsInfo,
)
from derainbench.run.cells import Cell, EvalCell, ImagesCell, TrainCell, in_result
from derainbench.run.grid import Plan

#: Files of no pair that are recorded by name.
_MOST_LEFT_OUT = 20

_RECORDED = ("torch", "lightning-fabric", "pytorch-msssim", "numpy", "pillow", "scikit-image", "scipy")


def describe_run(
    grid: Plan,
    cells: Sequence[Cell],
    machine: Mapping[str, Scalar],
    command: str,
    seen: Sequence[SeenInfo],
    suite: SuiteInfo | None = None,
    doubts: Sequence[str] = (),
) -> RunInfo:
    """A run's description; ``seen`` as :mod:`.leaks` gives it, ``suite`` where tables ask for the cells.

    ``doubts`` are what is odd about restored images.
    """
    changes = tuple(Change(**change) for change in grid.changes())
    info = RunInfo(
        schema_=SCHEMA,
        derainbench=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        recipe=RecipeInfo(name=grid.book.name, comparable=not changes, changes=changes),
        protocols=tuple(grid.protocols),
        seeds=tuple(grid.seeds),
        precision=grid.precision,
        machine=dict(machine),
        versions={"python": platform.python_version(), **{name: version(name) for name in _RECORDED}},
        recipes=_recipes(cells),
        notices=(*_notices(cells), *doubts),
        seen_in_training=tuple(seen),
        input_checks=(),
        methods=(*map(_method, grid.variants), *map(_row, grid.image_rows)),
        datasets=tuple(_dataset(dataset) for dataset in grid.tested_on if dataset.has("test")),
        manifests={f"{dataset.name} {split}": _manifest(dataset, split) for dataset, split in splits_of(cells)},
        cells=tuple(_cell(cell, grid) for cell in cells),
    )
    measured = tuple(map(_metric, grid.metrics))
    more = {"suite": suite, "own_protocols": own_of(grid.protocols), "metrics": measured, "unions": _unions(cells)}
    return info.model_copy(update={name: value for name, value in more.items() if value})


def restated(previous: RunInfo, grid: Plan) -> RunInfo:
    """The same description, where the trainings of the plan's methods have the recipe that the plan's book gives now.

    What a cell was really trained with is in its folder: the comparison tells results that are out of date.
    """
    methods = {variant.method.name: variant.method for variant in grid.variants if variant.trainable}

    def now(cell: CellInfo) -> CellInfo:
        method = methods.get(parse_name(cell.method).base)
        if cell.kind != "train" or method is None or method.recipe is None:
            return cell
        published = method.published_recipe(cell.dataset)
        published = published if published is None else published.changed(dict(cell.row_recipe or {}))
        return cell.model_copy(update={"recipe": in_result(grid.book.recipe(method, published))})

    return previous.model_copy(update={"cells": tuple(now(cell) for cell in previous.cells)})


def merge(previous: RunInfo | None, now: RunInfo) -> RunInfo:
    """The description of a run that is asked for more: what was in it stays, what is asked again is replaced.

    ``previous`` is :func:`restated`. :class:`UserError` where the recipes differ by name, or the precisions: their
    scores do not belong in one table; and where rows of tables want one training under two recipes.
    """
    if previous is None:
        return now
    before, after = previous.recipe.name, now.recipe.name
    if _of_no_recipe(now):
        after = before
    elif before != after and not _of_no_recipe(previous):
        raise UserError(f"this run was made with recipe {before!r}, not {after!r}; give another --out for {after!r}")
    if previous.precision != now.precision:
        raise UserError(
            f"this run was made in {previous.precision}, not {now.precision}; give another --out, or leave "
            "--precision out"
        )
    _check_trainings(previous, now)
    commands = dict.fromkeys([*previous.command.split(" && "), now.command])
    kept = [cell for cell in previous.cells if not (_other_weights(cell, now.methods) or _other_maker(cell, now))]
    changes = _merged_changes(previous, now)
    suites = [info.suite for info in (previous, now) if info.suite is not None]
    more: dict[str, Any] = {"suite": _both(suites)} if suites else {}
    own = _last((each.name, each) for each in (*previous.own_protocols, *now.own_protocols))
    more |= {"own_protocols": own} if own else {}
    measured = _last((each.name, each) for each in (*previous.metrics, *now.metrics))
    more |= {"metrics": measured} if measured else {}
    unions = _last((each.name, each) for each in (*previous.unions, *now.unions))
    more |= {"unions": unions} if unions else {}
    return now.model_copy(
        update={
            "created": previous.created,
            "command": " && ".join(commands),
            "methods": _last((each.name, each) for each in (*previous.methods, *now.methods)),
            "datasets": _last((each.name, each) for each in (*previous.datasets, *now.datasets)),
            "cells": _last((each.folder, each) for each in (*kept, *now.cells)),
            "protocols": tuple(dict.fromkeys([*previous.protocols, *now.protocols])),
            "seeds": tuple(dict.fromkeys([*previous.seeds, *now.seeds])),
            "notices": tuple(dict.fromkeys([*previous.notices, *now.notices])),
            "seen_in_training": _last(
                ((each.train, each.test), each) for each in (*previous.seen_in_training, *now.seen_in_training)
            ),
            "input_checks": previous.input_checks,
            "manifests": {**previous.manifests, **now.manifests},
            "recipes": {**(previous.recipes or {}), **(now.recipes or {})},
            "recipe": RecipeInfo(name=after, comparable=not changes, changes=tuple(changes)),
            **more,
        }
    )


def _of_no_recipe(info: RunInfo) -> bool:
    """Whether images from files were scored and nothing was trained: that belongs beside trainings of any recipe."""
    return any(cell.images is not None for cell in info.cells) and all(cell.kind != "train" for cell in info.cells)


_T = TypeVar("_T")


def _last(entries: Iterable[tuple[Any, _T]]) -> tuple[_T, ...]:
    """Of entries with one name the last, where the first stood."""
    return tuple(dict(entries).values())


def _both(suites: Sequence[SuiteInfo]) -> SuiteInfo:
    """The places of tables that any of them fills, by the last that does."""
    rows = _last(((row.table, row.row, row.column), row) for suite in suites for row in suite.rows)
    names = dict.fromkeys(name for suite in suites for name in suite.name.split(" + "))
    return SuiteInfo(name=" + ".join(names), rows=rows)


def _check_trainings(previous: RunInfo, now: RunInfo) -> None:
    before = {cell.folder: cell.recipe for cell in previous.cells if cell.kind == "train"}
    for cell in now.cells:
        if cell.kind == "train" and before.get(cell.folder, cell.recipe) != cell.recipe:
            raise UserError(
                f"this run's {cell.folder} was asked for with a recipe of another table; give another --out, then "
                "both folders to derainbench report"
            )


def _merged_changes(previous: RunInfo, now: RunInfo) -> list[Change]:
    """What differs from the publications: of methods asked again what does now, of suites that stay all but recipes."""
    asked = {change.method for change in now.recipe.changes} | {method.base for method in now.methods}
    again = None if now.suite is None else now.suite.name
    kept = [
        change
        for change in previous.recipe.changes
        if change.method not in asked or (change.suite is not None and change.suite != again)
    ]
    changes = [*kept, *now.recipe.changes]
    return [change for n, change in enumerate(changes) if change not in changes[:n]]


def _other_weights(cell: CellInfo, methods: Sequence[MethodInfo]) -> bool:
    """Whether an evaluation was of weights under a name that now stands for weights trained on something else."""
    trained_on = {method.name: method.weights.trained_on for method in methods if method.weights is not None}
    return cell.method in trained_on and cell.trained_on != trained_on[cell.method]


def _other_maker(cell: CellInfo, now: RunInfo) -> bool:
    """Whether an evaluation was of images whose maker is now said to have been trained on something else."""
    said = {(each.method, each.dataset): each.trained_on for each in now.cells if each.images is not None}
    return said.get((cell.method, cell.dataset), cell.trained_on) != cell.trained_on


def as_described(row: Row, before: RunInfo | None) -> Row:
    """A row with what an earlier command said of it, where this one says nothing."""
    if before is None:
        return row
    known = next((each for each in before.methods if each.name == row.name), None)
    if known is None:
        return row
    makers = [cell.trained_on for cell in before.cells if cell.method == row.name and cell.trained_on is not None]
    paper = None if known.paper is None else Paper(**known.paper.model_dump(include=set(Paper.__annotations__)))
    return dataclasses.replace(
        row,
        title=row.title or known.title,
        paper=row.paper or paper,
        parameters=row.parameters if row.parameters is not None else known.parameters,
        trained_on=makers[-1] if makers and row.trained_on == UNKNOWN else row.trained_on,
    )


def _row(row: Row) -> MethodInfo:
    paper = None if row.paper is None else PaperInfo(**dataclasses.asdict(row.paper))
    return MethodInfo(name=row.name, base=IMAGES, title=row.shown, parameters=row.parameters, paper=paper)


def _images(images: RestoredImages) -> ImagesInfo:
    return ImagesInfo(
        folder=printable(str(images.row.folder.absolute())),
        pattern=images.paired.pattern,
        guessed=images.paired.guessed,
        digest=images.digest,
        formats=images.formats,
        left_out=images.paired.left_out[:_MOST_LEFT_OUT],
    )


def _method(variant: Variant) -> MethodInfo:
    paper, macs = variant.method.paper, described(variant)
    return MethodInfo(
        name=variant.name,
        base=variant.method.name,
        title=variant.title,
        parameters=variant.parameters(),
        macs=None if macs is None else MacsInfo(**macs),
        paper=None if paper is None else PaperInfo(**dataclasses.asdict(paper)),
        weights=weights_info(variant.weights) if variant.weights else None,
        reach=variant.skeleton().reach,
        proposal="" if variant.weights else variant.skeleton().proposal,
    )


def weights_info(weights: Weights) -> WeightsInfo:
    """What a run says of weights."""
    return WeightsInfo(
        tag=weights.tag,
        trained_on=weights.trained_on,
        source=weights.source,
        licence=weights.licence,
        sha256=weights.sha256,
        verified=weights.verified,
        quantisation=weights.quantisation,
        published=tuple(PublishedInfo(**score._asdict()) for score in weights.published),
    )


def _dataset(dataset: Dataset) -> DatasetInfo:
    card, root, pairs = dataset.card, dataset.root, dataset.pairs("test")
    shown = ("rainy", "clean") if dataset.has_input else ("clean",)
    columns = ["image", "scene", *(role for role in shown if role in pairs.roles)]
    rows = zip(*(pairs.column(name).to_pylist() for name in columns), strict=True)
    more = {} if card.mean_of == "images" else {"mean_of": card.mean_of}
    return DatasetInfo(
        name=card.name,
        title=card.title,
        rain_model=card.rain_model,
        kind=card.kind,
        bibtex=card.bibtex,
        revision=card.revision,
        layout=dataset.layout.name,
        root=printable(str(root)),
        test_digest=dataset.digest("test"),
        whole=card.counts.test in (None, len(pairs)),
        other_sizes=other_sizes(card, pairs.sizes()),
        side_by_side=pairs.side_by_side,
        test=tuple(PairInfo(**dict(zip(columns, row, strict=True))) for row in rows),
        **more,
    )


def splits_of(cells: Sequence[Cell]) -> list[tuple[Dataset, SplitName]]:
    """The splits that some cells read, each once, by name."""
    used: dict[tuple[str, SplitName], Dataset] = {}
    for cell in cells:
        used[cell.dataset.name, "train" if isinstance(cell, TrainCell) else "test"] = cell.dataset
    return [(dataset, split) for (_, split), dataset in sorted(used.items(), key=lambda item: item[0])]


def _unions(cells: Sequence[Cell]) -> tuple[UnionInfo, ...]:
    used = {cell.dataset.name: cell.dataset.card for cell in cells if isinstance(cell, TrainCell)}
    return tuple(
        UnionInfo(name=card.name, title=card.title, members=card.union.members, shares=card.union.fractions())
        for card in used.values()
        if card.union is not None
    )


def _parts_of(cells: Sequence[Cell]) -> list[tuple[Dataset, SplitName]]:
    """The same with the members of unions in their places, each once."""
    parts = {(part.name, split): part for dataset, split in splits_of(cells) for part in dataset.parts}
    return [(dataset, split) for (_, split), dataset in parts.items()]


def _manifest(dataset: Dataset, split: SplitName) -> ManifestInfo:
    manifest = dataset.manifest(split)
    kept = kept_manifest(dataset.name, split, manifest.digest)
    return ManifestInfo(pairs=len(manifest.pairs), digest=manifest.digest, file=kept.as_posix())


def _cell(cell: Cell, grid: Plan) -> CellInfo:
    method, seed, dataset = cell.method, cell.seed, cell.dataset.name
    if isinstance(cell, ImagesCell):
        return CellInfo(
            kind="eval",
            folder=cell.name,
            method=method,
            seed=seed,
            dataset=dataset,
            trained_on=cell.trained_on,
            images=_images(cell.images),
        )
    if isinstance(cell, EvalCell):
        return CellInfo(
            kind="eval", folder=cell.name, method=method, seed=seed, dataset=dataset, trained_on=cell.trained_on
        )
    recipe, row_recipe = in_result(cell.recipe), grid.row_recipe(cell)
    info = CellInfo(kind="train", folder=cell.name, method=method, seed=seed, dataset=dataset, recipe=recipe)
    return info.model_copy(update={"row_recipe": dict(row_recipe)}) if row_recipe else info


def _recipes(cells: Sequence[Cell]) -> dict[str, RecipeFields]:
    """The recipe by method; where a method's trainings differ, as two tables may ask, by training."""
    by_method: dict[str, dict[str, RecipeFields]] = {}
    for cell in cells:
        if isinstance(cell, TrainCell):
            trained = f"{cell.variant.name} trained on {cell.dataset.name}"
            by_method.setdefault(cell.variant.method.name, {})[trained] = in_result(cell.recipe)
    named: dict[str, RecipeFields] = {}
    for method, recipes in by_method.items():
        (first, *others) = recipes.values()
        named |= recipes if any(other != first for other in others) else {method: first}
    return named


def _metric(metric: ImageMetric) -> MetricInfo:
    return MetricInfo(
        name=metric.name,
        title=metric.title,
        unit=metric.unit,
        digits=metric.digits,
        higher_is_better=metric.higher_is_better,
        needs_reference=metric.needs_reference,
        implementation=metric.implementation,
        version=metric.version,
        licence=metric.licence,
        paper=metric.paper,
        identity=identity(metric),
    )


def _notices(cells: Sequence[Cell]) -> list[str]:
    notices = []
    for dataset, split in _parts_of(cells):
        card, found = dataset.card, len(dataset.pairs(split))
        expected = getattr(card.counts, split)
        known = [other.means for other in card.other_counts if (other.split, other.pairs) == (split, found)]
        if known:
            notices.append(f"{card.name} has {found} {split} pairs here: {known[0]}.")
        elif expected is not None and expected != found:
            notices.append(f"{card.name} has {found} {split} pairs here; its card says {expected}.")
    defects = {each.name: each.card.defects for cell in cells for each in (cell.dataset, *cell.dataset.parts)}
    return notices + [f"{name}: {defect}" for name, known in sorted(defects.items()) for defect in known]
