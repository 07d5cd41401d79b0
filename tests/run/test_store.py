"""The run folder: what is done, what changed and why, and reading a run back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from derainbench.errors import StorageError, UserError
from derainbench.plugins.names import parse_name
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import resolve
from derainbench.results.load import load_run
from derainbench.results.results import HARNESS_REVISION, Failure
from derainbench.results.run_info import SCHEMA, RunInfo
from derainbench.results.score_table import SCORE_COLUMNS, as_wide
from derainbench.run import cells
from derainbench.run.cells import Cell, EvalCell, TrainCell
from derainbench.run.store import Status, Store
from tests.helpers.small_method import NET, RECIPE, TinyDataset

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]


@pytest.fixture
def training(tiny_dataset: TinyDataset) -> TrainCell:
    """A training cell."""
    return TrainCell(resolve(NET, parse_name("net")), RECIPE, tiny_dataset.open(), 0, "fp32")


@pytest.fixture
def evaluation(training: TrainCell) -> EvalCell:
    """Its evaluation."""
    return EvalCell(training.variant, training, training.dataset, 0, "fp32", ("y", "rgb"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A run folder that is not there yet."""
    return Store(tmp_path / "run")


def complete(store: Store, cell: Cell) -> Path:
    """Do as if a cell had been done."""
    folder = store.begin(cell)
    if isinstance(cell, TrainCell):
        (folder / "weights.safetensors").write_text("weights")
    else:
        rows = [(image, image, 12, 16, "y", psnr, 0.9) for image, psnr in (("x", 30.0), ("y", float("inf")))]
        columns = ["image", "scene", "height", "width", "protocol", "psnr", "ssim"]
        pd.DataFrame(rows, columns=columns).to_parquet(folder / "scores.parquet")
    store.finish(cell, 1.5, {})
    return folder


def contents(folder: Path) -> set[str]:
    """The files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_cell_from_missing_to_done(store: Store, training: TrainCell) -> None:
    assert store.status(training) == Status("missing")
    assert not store.folder.exists(), "looking leaves nothing behind"
    folder = store.begin(training)
    (folder / "checkpoint.pt").write_text("state")
    assert store.status(training) == Status("missing")
    (folder / "weights.safetensors").write_text("weights")
    assert store.status(training) == Status("missing"), "weights alone do not say that the cell is done"
    store.finish(training, 1.23456, {"device": "cpu"})
    assert store.status(training) == Status("done")
    assert contents(folder) == {"config.json", "done.json", "weights.safetensors"}
    done = json.loads((folder / "done.json").read_text())
    assert done["inputs"] == json.loads(json.dumps(training.inputs))
    assert (done["seconds"], done["made_on"]) == (1.235, {"device": "cpu"})


@pytest.mark.parametrize("which", ["training", "evaluation"])
def test_a_cell_whose_result_was_deleted_is_missing(store: Store, which: str, request: pytest.FixtureRequest) -> None:
    cell: Cell = request.getfixturevalue(which)
    folder = complete(store, cell)
    assert store.status(cell) == Status("done")
    (folder / {"training": "weights.safetensors", "evaluation": "scores.parquet"}[which]).unlink()
    assert store.status(cell) == Status("missing")


def test_a_new_start_takes_away_what_said_the_old_one_had_ended(store: Store, training: TrainCell) -> None:
    folder = complete(store, training)
    store.fail(training, "no luck")
    (folder / "checkpoint.pt").write_text("state")
    store.begin(training)
    assert contents(folder) == {"config.json", "weights.safetensors", "checkpoint.pt"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"recipe": RECIPE.changed({"steps": 6, "lr": 0.5})}, "recipe.lr 0.001 -> 0.5, recipe.steps 5 -> 6"),
        ({"recipe": RECIPE.changed({"augment": ("hflip",)})}, "recipe.augment [] -> ['hflip']"),
        ({"precision": "bf16"}, "precision fp32 -> bf16"),
    ],
)
def test_a_changed_cell_says_why(store: Store, training: TrainCell, change: dict[str, Any], reason: str) -> None:
    complete(store, training)
    assert store.status(dataclasses.replace(training, **change)) == Status("changed", reason)


def test_changed_data_training_and_protocols(
    store: Store,
    evaluation: EvalCell,
    tiny_dataset: TinyDataset,
    save_image: SaveImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complete(store, evaluation)
    training = evaluation.training
    assert training is not None
    retrained = dataclasses.replace(training, recipe=RECIPE.changed({"steps": 6}))
    assert store.status(dataclasses.replace(evaluation, training=retrained)).reason == "training changed"
    assert store.status(dataclasses.replace(evaluation, protocols=("y",))).reason == "protocols.rgb 1 -> None"
    save_image(tiny_dataset.root / "test/clean/x.png", np.zeros((12, 16, 3), np.uint8))
    assert store.status(dataclasses.replace(evaluation, dataset=tiny_dataset.open())).reason == "data changed"
    monkeypatch.setattr(cells, "HARNESS_REVISION", 99)
    assert store.status(dataclasses.replace(evaluation)).reason == f"harness {HARNESS_REVISION} -> 99"


def test_changed_code(store: Store, evaluation: EvalCell, tmp_path: Path) -> None:
    path, statuses = tmp_path / "plugin.py", []
    for brighter in ("1", "(1)", "2"):
        path.write_text(
            "from derainbench.plugins.method import Derainer, Method\n"
            f"class Net(Derainer):\n    def forward(self, rainy):\n        return rainy + {brighter}\n"
            "NET = Method(name='net', title='Net', network=Net)\n"
        )
        cell = dataclasses.replace(evaluation, variant=discover([path]).variant("net"), training=None)
        statuses.append(store.status(cell))
        complete(store, cell)
    assert statuses == [Status("missing"), Status("done"), Status("changed", "source changed")]


def test_superseded_results_are_kept_each_time(store: Store, training: TrainCell, evaluation: EvalCell) -> None:
    complete(store, evaluation)
    for number in (1, 2):
        folder = complete(store, training)
        (folder / "weights.safetensors").write_text(f"weights {number}")
        moved = store.supersede(training)
        assert moved == store.folder / "superseded" / str(number) / training.name
        assert (moved / "weights.safetensors").read_text() == f"weights {number}"
        assert not folder.exists()
        assert store.status(training) == Status("missing")
    assert store.status(evaluation) == Status("done"), "its neighbours stay"


def test_a_done_file_that_is_damaged(store: Store, training: TrainCell, refused: Refused) -> None:
    folder = complete(store, training)
    (folder / "done.json").write_text("{")
    with refused(str(folder / "done.json"), "delete it and run the same command again"):
        store.status(training)


def test_a_run_folder_that_cannot_be_made(tmp_path: Path, training: TrainCell, refused: Refused) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file/run"):
        with refused(str(folder), "choose another folder"), Store(folder).locked():
            pass
        with pytest.raises(StorageError, match="choose another folder"):
            Store(folder).begin(training)


def test_a_run_folder_is_opened_once(store: Store, refused: Refused) -> None:
    with store.locked():
        with (
            refused(f"{store.folder} is in use by another process", "give another --out"),
            Store(store.folder).locked(),
        ):
            pass
        with refused("in use"), Store(store.folder).locked():
            pass
    with Store(store.folder).locked():
        assert store.folder.is_dir()


def test_the_lock_is_given_back_when_a_run_fails(store: Store) -> None:
    with pytest.raises(UserError, match="stop"), store.locked():
        raise UserError("stop")
    with store.locked():
        assert store.folder.is_dir()


def describe(store: Store, *planned: Cell) -> RunInfo:
    """A ``run.json`` for some cells."""
    described = []
    for cell in planned:
        kind = {"kind": "train"} if isinstance(cell, TrainCell) else {"kind": "eval", "trained_on": cell.trained_on}
        place = {"folder": cell.name, "method": cell.method, "seed": cell.seed, "dataset": cell.dataset.name}
        described.append({**kind, **place})
    dataset = planned[0].dataset
    info = {
        "derainbench": "0.1.0",
        "methods": [{"name": "net", "title": "Net", "parameters": 84, "paper": None}],
        "datasets": [
            {
                "name": "tiny",
                "title": "Tiny",
                "rain_model": "streak",
                "kind": "synthetic",
                "root": str(dataset.root),
                "test_digest": dataset.digest("test"),
                "test": [{"image": "x", "scene": "x", "rainy": "test/rainy/x.png", "clean": "test/clean/x.png"}],
            }
        ],
        "cells": described,
        "recipe": {"name": "paper", "comparable": True, "changes": []},
        "command": "derainbench run ...",
        "precision": "fp32",
    }
    written = RunInfo.model_validate_json(json.dumps({"schema": SCHEMA, **info}))
    store.write_info(written)
    return written


def test_a_run_is_read_back(store: Store, training: TrainCell, evaluation: EvalCell, tiny_dataset: TinyDataset) -> None:
    info = describe(store, training, evaluation)
    complete(store, training)
    complete(store, evaluation)
    assert store.read_info() == info
    results = load_run(store.folder)
    assert (results.scores["tile"] == 0).all(), "a table of the time before tiles"
    assert results.info == store.read_info()
    assert [method.name for method in results.methods] == ["net"]
    assert results.datasets[0].test[0].rainy == tiny_dataset.root / "test/rainy/x.png"
    assert results.failures == ()
    assert dict(results.scores.dtypes.astype(str)) == SCORE_COLUMNS
    assert as_wide(results.scores)[
        ["method", "trained_on", "seed", "dataset", "image", "psnr"]
    ].to_numpy().tolist() == [
        ["net", "tiny", 0, "tiny", "x", 30.0],
        ["net", "tiny", 0, "tiny", "y", float("inf")],
    ]
    place = store.folder / "eval/net/tiny/seed0/tiny/images/x.png"
    assert results.restored("net", "tiny", 0, "tiny", "x") == place


def test_scores_of_other_images_are_not_put_beside_the_new_ones(
    store: Store, training: TrainCell, evaluation: EvalCell
) -> None:
    """A test image was replaced, and another method measured on it since: the old scores are out of date."""
    info = describe(store, training, evaluation)
    complete(store, training)
    complete(store, evaluation)
    (dataset,) = info.datasets
    other = dataset.model_copy(update={"test_digest": "another"})
    store.write_info(info.model_copy(update={"datasets": (other,)}))
    results = load_run(store.folder)
    assert len(results.scores) == 0
    (failure,) = results.failures
    assert failure.cell == evaluation.name
    assert "out of date: the dataset's test images changed" in failure.error


def test_a_checkpoint_of_another_recipe_is_moved_aside(store: Store, training: TrainCell) -> None:
    """A training that was interrupted, and whose recipe was then changed, is not lost silently."""
    folder = store.begin(training)
    (folder / "checkpoint.pt").write_text("days of work")
    changed = dataclasses.replace(training, recipe=RECIPE.changed({"lr": 0.5}))
    assert store.status(changed) == Status("changed", "recipe.lr 0.001 -> 0.5")
    assert (store.supersede(changed) / "checkpoint.pt").read_text() == "days of work"


def test_a_damaged_result_is_made_again(store: Store, training: TrainCell) -> None:
    folder = complete(store, training)
    (folder / "weights.safetensors").write_text("other bytes")
    assert store.status(training) == Status("missing")


def test_a_run_that_has_not_begun_has_an_empty_table(store: Store, training: TrainCell, evaluation: EvalCell) -> None:
    describe(store, training, evaluation)
    scores = load_run(store.folder).scores
    assert len(scores) == 0
    assert dict(scores.dtypes.astype(str)) == SCORE_COLUMNS


def test_failures_are_read_and_their_scores_are_not(store: Store, training: TrainCell, evaluation: EvalCell) -> None:
    describe(store, training, evaluation)
    complete(store, evaluation)
    store.fail(training, "the loss is nan")
    store.fail(evaluation, "not evaluated")
    results = load_run(store.folder)
    assert results.failures == (Failure(training.name, "the loss is nan"), Failure(evaluation.name, "not evaluated"))
    assert len(results.scores) == 0
    complete(store, evaluation)
    assert [failure.cell for failure in load_run(store.folder).failures] == [training.name]


def test_a_folder_that_is_no_run(tmp_path: Path, refused: Refused) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with refused(f"{folder} is not a run folder", "run.json", "give the folder"):
            load_run(folder)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"schema": 99, "derainbench": "7.0"}, ["derainbench 7.0", "schema 99", f"reads {SCHEMA}", "--out"]),
        ({"derainbench": "0.0.1"}, ["derainbench 0.0.1", "schema None"]),
        ({"schema": "1"}, ["something else"]),
        ([1, 2], ["damaged", "object"]),
    ],
)
def test_a_run_of_another_version(store: Store, info: object, words: list[str], refused: Refused) -> None:
    store.folder.mkdir()
    (store.folder / "run.json").write_text(json.dumps(info))
    for read in (lambda: load_run(store.folder), store.read_info):
        with refused(str(store.folder), *words):
            read()


def test_a_damaged_description(store: Store, training: TrainCell, refused: Refused) -> None:
    describe(store, training)
    path = store.folder / "run.json"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with refused(str(path), "damaged", "Invalid JSON", "delete it"):
        load_run(store.folder)
    path.write_text(json.dumps({"schema": SCHEMA, "methods": [], "datasets": []}))
    with refused(str(path), "damaged", "recipe: missing"):
        load_run(store.folder)


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"not parquet at all"])
def test_a_score_table_that_is_not_the_one_that_was_finished(
    store: Store, training: TrainCell, evaluation: EvalCell, content: bytes | None
) -> None:
    """Edited by hand, damaged or gone: not shown, and done again by the same command."""
    describe(store, training, evaluation)
    folder = complete(store, evaluation)
    table = folder / "scores.parquet"
    if content is None:
        pd.read_parquet(table).assign(psnr=99.0).to_parquet(table)
    else:
        table.write_bytes(content)
    results = load_run(store.folder)
    assert results.scores.empty
    (failure,) = results.failures
    assert "its scores.parquet was changed or damaged since; run the command that made it again" in failure.error
    assert store.status(evaluation).state == "missing"
    table.unlink()
    assert "its scores.parquet is gone" in load_run(store.folder).failures[0].error


def test_a_new_folder_has_no_description(store: Store) -> None:
    assert store.read_info() is None
