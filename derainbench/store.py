"""The run folder: what is done, what is not, and why; see docs/run-folder.md for the layout."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from derainbench.atomic import PART, file_hash, read_json, remove, storage_error, write_json
from derainbench.catalogue.pairing import make_pair
from derainbench.cells import HARNESS_REVISION, Cell, TrainCell, key_of
from derainbench.errors import UserError, printable
from derainbench.leftovers import remove_leftovers
from derainbench.lock import locked
from derainbench.names import parse_name
from derainbench.protocols import PROTOCOLS
from derainbench.results import (
    SCORE_COLUMNS,
    DatasetInRun,
    EvaluationKey,
    Failure,
    MethodInRun,
    Results,
    TestPair,
    TrainingInRun,
    training_folder,
)

#: The version of everything in a run folder. Goes up when an older reader could misread a newer folder. All
#: versions from 1 are read, only this one is added to.
SCHEMA = 1


@dataclass(frozen=True)
class Status:
    """Whether a cell's result is there: ``done``, ``missing``, or ``changed`` with the reason.

    ``no data`` and ``no weights``: what it needs is not on this machine, so that it can be planned and no more.
    """

    state: Literal["done", "missing", "changed", "no data", "no weights"]
    reason: str = ""


class Store:
    """A run folder opened for writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run folder: two processes that write into it at once would undo each other's work."""
        with locked(self.folder):
            yield

    def status(self, cell: Cell) -> Status:
        """Compare what the cell's result would depend on now with what it did depend on.

        A result that was begun under another key counts as changed, so that a long training's checkpoint is not
        overwritten; one that is not the file which was finished counts as missing.
        """
        folder = self.folder / cell.name
        finished, begun = folder / "done.json", folder / "config.json"
        if not finished.exists() and not begun.exists():
            return Status("missing")
        stored = read_json(finished if finished.exists() else begun)
        if stored.get("key") != key_of(cell):
            return Status("changed", _difference(stored.get("inputs", {}), cell.inputs))
        result = folder / _result_file(cell)
        intact = finished.exists() and result.exists() and file_hash(result) == stored.get("sha256")
        return Status("done" if intact else "missing")

    def refuse_links(self, places: Iterable[str]) -> None:
        """:class:`UserError` where a folder between the run's and one of the ``places`` in it is a link.

        It would lead elsewhere. The run's own folder may be one: its user gave it.
        """
        seen: set[str] = set()
        for place in places:
            parts = place.split("/")
            seen |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        for folder in sorted(seen):
            if (self.folder / folder).is_symlink():
                raise UserError(
                    f"{self.folder / folder} is a link: a run writes into its own folder alone; put a folder in its "
                    "place"
                )

    def begin(self, cell: Cell) -> Path:
        """The cell's folder, ready for a new result: what said the old one was done, or had failed, is taken away."""
        folder = self.folder / cell.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("done.json", "failed.json"):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        write_json(folder / "config.json", {"key": key_of(cell), "inputs": cell.inputs})
        return folder

    def finish(self, cell: Cell, seconds: float, made_on: dict[str, Any]) -> None:
        """Mark a cell as done, with what it was computed on; its checkpoint has served."""
        folder = self.folder / cell.name
        record = {
            "key": key_of(cell),
            "inputs": cell.inputs,
            "sha256": file_hash(folder / _result_file(cell)),
            "finished": _now(),
            "seconds": round(seconds, 3),
            "made_on": made_on,
        }
        write_json(folder / "done.json", record)
        self.tidy(cell)

    def tidy(self, cell: Cell) -> None:
        """Take away what a finished cell had for going on; a kill may have come before."""
        for name in ("checkpoint.pt", "scores.partial.jsonl"):
            remove(self.folder / cell.name / name)

    def fail(self, cell: Cell, error: str) -> None:
        """Record why a cell did not finish. What it has, such as a checkpoint, stays."""
        write_json(self.folder / cell.name / "failed.json", {"error": printable(error), "failed": _now()})

    def supersede(self, cell: Cell) -> Path:
        """Move a result that no longer counts into ``superseded/``: days of training are not deleted."""
        source = self.folder / cell.name
        target = next(
            place for n in itertools.count(1) if not (place := self.folder / "superseded" / str(n) / cell.name).exists()
        )
        for folder in (source, source / "images"):
            remove_leftovers(folder, PART)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
        except OSError as error:
            raise storage_error(target, error) from error
        return target

    def read_info(self) -> dict[str, Any] | None:
        """``run.json``, or None in a new folder. :class:`UserError` where another version wrote it."""
        path = self.folder / "run.json"
        return _checked_info(path, oldest=SCHEMA) if path.exists() else None

    def write_info(self, info: dict[str, Any]) -> None:
        """Replace ``run.json``, where that says something else: it may list 100,000 images."""
        path, described = self.folder / "run.json", {"schema": SCHEMA, **info}
        if not path.exists() or read_json(path) != json.loads(json.dumps(described)):
            write_json(path, described)


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


def _result_file(cell: Cell) -> str:
    return "weights.safetensors" if isinstance(cell, TrainCell) else "scores.parquet"


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


def _difference(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> str:
    parts = []
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            parts.append(_difference(old, new, f"{prefix}{name}."))
        elif old != new:
            hashed = name in ("source", "data", "training", "weights")
            parts.append(f"{prefix}{name} changed" if hashed else f"{prefix}{name} {old} -> {new}")
    return ", ".join(filter(None, parts))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
