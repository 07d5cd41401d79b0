"""A run folder read back as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from derainbench.catalogue.pairing import make_pair
from derainbench.errors import UserError, printable
from derainbench.metrics.kinds import METRICS, use
from derainbench.metrics.protocols import PROTOCOLS, learn, version_of
from derainbench.plugins.names import parse_name
from derainbench.results.results import (
    HARNESS_REVISION,
    DatasetInRun,
    EvaluationKey,
    Failure,
    MethodInRun,
    Results,
    TestPair,
    TrainingInRun,
)
from derainbench.results.run_info import (
    CellInfo,
    CellInputs,
    DatasetInfo,
    DoneCell,
    ImagesInfo,
    MethodInfo,
    RecipeFields,
    RunInfo,
    read_done,
    read_failed,
    read_info,
)
from derainbench.results.score_table import PLACE_COLUMNS, as_long, wide_columns
from derainbench.support.atomic import storage_error
from derainbench.support.run_folder import training_place


def load_run(folder: str | Path) -> Results:
    """A run as plain data: what it measured, of which methods and datasets, and what failed.

    :param folder: the folder of a ``derainbench run``.
    :returns: the run; its ``scores`` are a table with a row for each image, protocol and metric, and the columns of
        :data:`derainbench.results.score_table.SCORE_COLUMNS`.
    :raises derainbench.errors.UserError: where the folder is no run, or of another version, or damaged.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise UserError(f"{folder} is not a run folder (it has no run.json); give the folder of a derainbench run")
    info = read_info(folder / "run.json")
    _check_protocols(folder / "run.json", info)
    use(each.kind for each in info.metrics)
    failures, trainings = [], []
    tables: list[tuple[CellInfo, pa.Table]] = []
    evaluations: dict[EvaluationKey, Path] = {}
    datasets = {dataset.name: dataset for dataset in info.datasets}
    recipes = {cell.folder: cell.recipe for cell in info.cells if cell.kind == "train" and cell.recipe is not None}
    weights = {method.name: method.weights.sha256 for method in info.methods if method.weights is not None}
    for cell in info.cells:
        place = _place(folder, cell)
        if (place / "failed.json").exists():
            failures.append(Failure(cell.folder, printable(read_failed(place / "failed.json").error)))
        elif (place / "done.json").exists():
            done = read_done(place / "done.json")
            if cell.trained_on is None:
                recipe = done.inputs.recipe or {}
                trainings.append(TrainingInRun(cell.method, cell.dataset, cell.seed, place, done.seconds, recipe))
                continue
            old = _out_of_date(done.inputs, datasets[cell.dataset], weights.get(cell.method), cell.images)
            old = old or _other_metrics(done.inputs, info)
            old = old or _other_recipe(folder, cell, cell.trained_on, recipes, info.recipes or {})
            table, damage = _cell_scores(place, done)
            old = old or damage
            if old or table is None:
                failures.append(Failure(cell.folder, f"out of date: {old}; run the command that made it again"))
            else:
                tables.append((cell, table))
                evaluations[cell.method, cell.trained_on, cell.seed, cell.dataset] = place
    wide = _together(tables)
    for scores in wide:
        _check_values(scores, evaluations)
    return Results(
        folder=folder,
        info=info,
        methods=tuple(_method(method) for method in info.methods),
        datasets=tuple(_dataset(dataset, _manifest(folder, info, dataset)) for dataset in info.datasets),
        scores=pd.concat([as_long(scores) for scores in wide], ignore_index=True),
        failures=tuple(failures),
        trainings=tuple(trainings),
        evaluations=evaluations,
    )


def _check_protocols(path: Path, info: RunInfo) -> None:
    for protocol in info.own_protocols:
        learn(protocol, str(path))
    for name in info.protocols:
        if name not in PROTOCOLS:
            by = printable(info.derainbench or "another version")
            raise UserError(
                f"{path} has protocol {printable(name)!r}, which this version does not know; read it by the version "
                f"that wrote it, derainbench {by}"
            )


def _place(folder: Path, cell: CellInfo) -> Path:
    """A cell's folder. :class:`UserError` where a link on the way leads elsewhere; the run's own folder may be one."""
    place = folder
    for part in cell.folder.split("/"):
        place /= part
        if place.is_symlink():
            raise UserError(f"{place} is a link: a run lies in its own folder alone; put a folder in its place")
    return place


def _method(info: MethodInfo) -> MethodInRun:
    return MethodInRun(
        info.name,
        info.title,
        info.parameters,
        info.paper,
        info.weights,
        info.reach,
        info.base or parse_name(info.name).base,
        info.macs,
        proposal=info.proposal,
    )


def _out_of_date(inputs: CellInputs, dataset: DatasetInfo, weights: str | None, images: ImagesInfo | None) -> str:
    """Why a finished evaluation does not belong beside the others, or nothing; ``weights`` is their file's sha256."""
    now = {name: version_of(PROTOCOLS[name]) for name in inputs.protocols if name in PROTOCOLS}
    if inputs.data != dataset.test_digest:
        return "the dataset's test images changed since"
    if inputs.weights != weights:
        return "its name stands for another weights file since"
    if inputs.images != (None if images is None else images.digest):
        return "its folder holds other images since"
    if inputs.harness != HARNESS_REVISION or inputs.protocols != now:
        return "another version of derainbench measured it"
    return ""


def _other_metrics(inputs: CellInputs, info: RunInfo) -> str:
    """Why an evaluation's scores beside those of protocols do not belong with the run's, or nothing.

    One that was measured before a metric was asked for lacks it, and has the others.
    """
    now = {metric.name: metric.identity for metric in info.metrics}
    other = [name for name, identity in inputs.metrics.items() if identity != now.get(name, identity)]
    return f"another implementation measured {', '.join(other)}" if other else ""


def _other_recipe(
    folder: Path,
    cell: CellInfo,
    trained_on: str,
    recipes: Mapping[str, RecipeFields],
    of_methods: Mapping[str, RecipeFields],
) -> str:
    """Why an evaluation's training does not belong under the recipe that the run names for it, or nothing.

    ``recipes`` are by the folder of a training.
    """
    place = training_place(cell.method, trained_on, cell.seed)
    # A training has its own since there are suites; before, all trainings of a method had one.
    named = recipes.get(place, of_methods.get(parse_name(cell.method).base))
    training = folder / place / "done.json"
    if named is None or not training.exists():
        return ""
    return "" if read_done(training).inputs.recipe == named else "the recipe changed since"


def _cell_scores(place: Path, done: DoneCell) -> tuple[pa.Table | None, str]:
    """The score table of a finished cell, and what is wrong with it, or nothing; older ones have no hash.

    :class:`UserError` where it is the file that was finished, and yet no such table.
    """
    path = place / "scores.parquet"
    changed = "its scores.parquet was changed or damaged since"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, "its scores.parquet is gone"
    except OSError as error:
        raise storage_error(path, error) from error
    if done.sha256 not in (None, hashlib.sha256(content).hexdigest()):
        return None, changed
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            table = file.read()
    except (pa.ArrowException, ValueError, OSError):
        return None, changed
    wrong = _wrong_columns(table)
    if wrong:
        raise UserError(f"{path} is damaged ({wrong}); delete it and run the same command again")
    return table, ""


#: What a cell's place tells.
_PLACE = ["method", "trained_on", "seed", "dataset"]
#: The columns of every cell's own table: once there were no tiles, and other metrics are added.
_IN_ALL = {*PLACE_COLUMNS, "psnr", "ssim"} - {*_PLACE, "tile"}


def _wrong_columns(table: pa.Table) -> str:
    """Why a table is not the scores of a cell, by its columns alone; empty where it may be."""
    for name, kind in wide_columns().items():
        if name in _PLACE:
            continue
        if name not in table.column_names:
            if name in _IN_ALL:
                return f"{name}: no such column"
            continue
        column = table.column(name)
        fits = {"string": _is_text, "int64": pa.types.is_integer, "float64": pa.types.is_floating}[kind]
        if not fits(column.type):
            return f"{name}: of type {column.type}"
        if column.null_count and name in PLACE_COLUMNS:  # metrics may be undefined for an image
            return f"{name}: a row without a value"
    return ""


def _check_values(scores: pd.DataFrame, evaluations: Mapping[EvaluationKey, Path]) -> None:
    """:class:`UserError` for scores that nobody measured: what a metric cannot be, or one image twice."""
    metrics = [name for name in METRICS if name in scores]
    undefined = [name for name, protocol in PROTOCOLS.items() if protocol.may_be_undefined]
    wrong = {
        "psnr: a value that is no number": np.isnan(scores["psnr"]) & ~scores["protocol"].isin(undefined),
        "psnr: a value below all numbers": np.isneginf(scores["psnr"]),
        **{f"{name}: a value that is not finite": np.isinf(scores[name]) for name in metrics if name != "psnr"},
        "protocol: one that this version does not know": ~scores["protocol"].isin([*PROTOCOLS]),
        "image: one twice under one protocol": scores.duplicated([*_PLACE, "image", "protocol"]),
    }
    for what, rows in wrong.items():
        if rows.any():
            method, trained_on, seed, dataset = scores.loc[rows, _PLACE].iloc[0]
            path = evaluations[str(method), str(trained_on), int(seed), str(dataset)] / "scores.parquet"
            raise UserError(f"{path} is damaged ({what}); delete it and run the same command again")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _together(tables: Sequence[tuple[CellInfo, pa.Table]]) -> list[pd.DataFrame]:
    """The wide score tables of cells as one for all that have the same metrics; as one without any cells."""
    by_metrics: dict[tuple[str, ...], list[tuple[CellInfo, pa.Table]]] = {}
    for cell, table in tables:
        by_metrics.setdefault(tuple(name for name in METRICS if name in table.column_names), []).append((cell, table))
    return [_as_one(metrics, alike) for metrics, alike in (by_metrics or {(*METRICS,): []}).items()]


def _as_one(metrics: tuple[str, ...], tables: Sequence[tuple[CellInfo, pa.Table]]) -> pd.DataFrame:
    """The wide score tables of cells with what their places say: of thousands at once, not one by one."""
    all_columns = wide_columns(metrics)
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in all_columns.items()})
    lengths = [table.num_rows for _, table in tables]
    columns: dict[str, Any] = {}
    for name in all_columns:
        if name in _PLACE:
            columns[name] = np.repeat([getattr(cell, name) for cell, _ in tables], lengths)
        else:
            parts = [
                # measured before there were tiles
                table.column(name).to_numpy() if name in table.column_names else np.zeros(table.num_rows, np.int64)
                for _, table in tables
            ]
            columns[name] = np.concatenate(parts)
    return pd.DataFrame(columns).astype(all_columns)


def _manifest(folder: Path, info: RunInfo, dataset: DatasetInfo) -> Path | None:
    kept = info.manifests.get(f"{dataset.name} test")
    return None if kept is None else folder / kept.file


def _dataset(info: DatasetInfo, manifest: Path | None) -> DatasetInRun:
    root = Path(info.root)
    roles = ("rainy",) if info.side_by_side else ("rainy", "clean")
    test = []
    for row in info.test:
        if row.rainy is None:
            test.append(TestPair(row.image, row.scene, None, root / (row.clean or "")))
            continue
        files = [row.rainy] if info.side_by_side else [row.rainy, row.clean or ""]
        pair = make_pair(root, info.side_by_side, row.image, row.scene, roles, files)
        test.append(TestPair(pair.image, pair.scene, pair.rainy, pair.clean))
    facts = (info.name, info.title, info.rain_model, info.kind)
    return DatasetInRun(*facts, tuple(test), info.whole, info.bibtex, info.other_sizes, info.mean_of, manifest)
