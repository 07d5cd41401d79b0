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
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import parse_name
from derainbench.results.results import (
    HARNESS_REVISION,
    SCORE_COLUMNS,
    DatasetInRun,
    EvaluationKey,
    Failure,
    MethodInRun,
    Results,
    TestPair,
    TrainingInRun,
)
from derainbench.support.atomic import read_json, storage_error
from derainbench.support.run_folder import training_folder

#: The version of everything in a run folder. Goes up when an older reader could misread a newer folder. All
#: versions from 1 are read, only this one is added to.
SCHEMA = 1


def load_results(folder: Path) -> Results:
    """A run as plain data. :class:`UserError` where the folder is no run, or of another version, or damaged."""
    if not (folder / "run.json").is_file():
        raise UserError(f"{folder} is not a run folder (it has no run.json); give the folder of a derainbench run")
    info = _checked_info(folder / "run.json", oldest=1)
    failures, trainings = [], []
    tables: list[tuple[dict[str, Any], pa.Table]] = []
    evaluations: dict[EvaluationKey, Path] = {}
    recipes = {cell["folder"]: cell.get("recipe") for cell in info["cells"] if cell["kind"] == "train"}
    datasets = {dataset["name"]: dataset for dataset in info["datasets"]}
    weights = {method["name"]: method["weights"]["sha256"] for method in info["methods"] if method.get("weights")}
    for cell in info["cells"]:
        place = folder / cell["folder"]
        if (place / "failed.json").exists():
            failures.append(Failure(cell["folder"], printable(str(read_json(place / "failed.json")["error"]))))
        elif cell["kind"] == "train" and (place / "done.json").exists():
            trainings.append(_training(place, cell))
        elif cell["kind"] == "eval" and (place / "done.json").exists():
            done = read_json(place / "done.json")
            old = _out_of_date(done.get("inputs", {}), datasets[cell["dataset"]], weights.get(cell["method"]))
            old = old or _other_recipe(folder, cell, recipes, info.get("recipes", {}))
            table, damage = _cell_scores(place, done.get("sha256"))
            old = old or damage
            if old or table is None:
                failures.append(Failure(cell["folder"], f"out of date: {old}; run the command that made it again"))
            else:
                tables.append((cell, table))
                evaluations[cell["method"], cell["trained_on"], cell["seed"], cell["dataset"]] = place
    return Results(
        folder=folder,
        info=info,
        methods=tuple(_method(method) for method in info["methods"]),
        datasets=tuple(_dataset(dataset) for dataset in info["datasets"]),
        scores=_together(tables),
        failures=tuple(failures),
        trainings=tuple(trainings),
        evaluations=evaluations,
    )


def _method(entry: dict[str, Any]) -> MethodInRun:
    return MethodInRun(
        entry["name"],
        entry["title"],
        entry["parameters"],
        entry["paper"],
        entry.get("weights"),
        entry.get("reach"),
        entry.get("base", parse_name(entry["name"]).base),
        entry.get("macs"),
    )


def _training(place: Path, cell: dict[str, Any]) -> TrainingInRun:
    done = read_json(place / "done.json")
    recipe = done.get("inputs", {}).get("recipe", {})
    return TrainingInRun(cell["method"], cell["dataset"], cell["seed"], place, done.get("seconds"), recipe)


def _out_of_date(inputs: dict[str, Any], dataset: dict[str, Any], weights: str | None) -> str:
    """Why a finished evaluation does not belong beside the others, or nothing; ``weights`` is their file's sha256."""
    now = {name: PROTOCOLS[name].revision for name in inputs.get("protocols", {}) if name in PROTOCOLS}
    if inputs.get("data") != dataset["test_digest"]:
        return "the dataset's test images changed since"
    if inputs.get("weights") != weights:
        return "its name stands for another weights file since"
    if inputs.get("harness") != HARNESS_REVISION or inputs.get("protocols") != now:
        return "another version of derainbench measured it"
    return ""


def _other_recipe(folder: Path, cell: dict[str, Any], recipes: Mapping[str, Any], of_methods: Mapping[str, Any]) -> str:
    """Why an evaluation's training does not belong under the recipe that the run names for it, or nothing."""
    place = training_folder(Path(), cell["method"], cell["trained_on"], cell["seed"]).as_posix()
    # A training has its own since there are suites; before, all trainings of a method had one.
    named = recipes.get(place) or of_methods.get(parse_name(cell["method"]).base)
    training = folder / place / "done.json"
    if named is None or not training.exists():
        return ""
    return "" if read_json(training).get("inputs", {}).get("recipe") == named else "the recipe changed since"


def _cell_scores(place: Path, sha256: str | None) -> tuple[pa.Table | None, str]:
    """The score table of a finished cell, and what is wrong with it, or nothing; older ones have no hash."""
    path = place / "scores.parquet"
    changed = "its scores.parquet was changed or damaged since"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, "its scores.parquet is gone"
    except OSError as error:
        raise storage_error(path, error) from error
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        return None, changed
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            return file.read(), ""
    except (pa.ArrowException, ValueError, OSError):
        return None, changed


def _together(tables: Sequence[tuple[dict[str, Any], pa.Table]]) -> pd.DataFrame:
    """The score tables of cells as one, with what their places say: of thousands of cells at once, not one by one."""
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in SCORE_COLUMNS.items()})
    lengths = [table.num_rows for _, table in tables]
    columns: dict[str, Any] = {}
    for name in SCORE_COLUMNS:
        if name in ("method", "trained_on", "seed", "dataset"):
            columns[name] = np.repeat([cell[name] for cell, _ in tables], lengths)
        else:
            parts = [
                # measured before there were tiles
                table.column(name).to_numpy() if name in table.column_names else np.zeros(table.num_rows, np.int64)
                for _, table in tables
            ]
            columns[name] = np.concatenate(parts)
    return pd.DataFrame(columns).astype(SCORE_COLUMNS)


def _dataset(entry: dict[str, Any]) -> DatasetInRun:
    root, side_by_side = Path(entry["root"]), entry.get("side_by_side", "")
    roles = ("rainy",) if side_by_side else ("rainy", "clean")
    test = []
    for row in entry["test"]:
        pair = make_pair(root, side_by_side, row["image"], row["scene"], roles, [row[role] for role in roles])
        test.append(TestPair(pair.image, pair.scene, pair.rainy, pair.clean))
    whole = bool(entry.get("whole", True))
    facts = (entry["name"], entry["title"], entry["rain_model"], entry["kind"])
    return DatasetInRun(*facts, tuple(test), whole, *(str(entry.get(name, "")) for name in ("bibtex", "other_sizes")))


def _checked_info(path: Path, oldest: int) -> dict[str, Any]:
    info = read_json(path)
    schema = info.get("schema") if isinstance(info, dict) else None
    if type(schema) is not int or not oldest <= schema <= SCHEMA:
        by = (
            f"derainbench {info['derainbench']}"
            if isinstance(info, dict) and "derainbench" in info
            else "something else"
        )
        raise UserError(
            f"{path.parent} was written by {by} (schema {schema}, this one reads {SCHEMA}); "
            "use that version for it, or give another --out"
        )
    kinds = {"methods": list, "datasets": list, "cells": list, "recipe": dict, "command": str, "precision": str}
    lacking = [name for name, kind in kinds.items() if not isinstance(info.get(name), kind)]
    if lacking:
        raise UserError(f"{path} is damaged (it has no list of {lacking[0]}); delete it and run the same command again")
    return dict(info)
