"""Run folders that were damaged, or planted: one line that names file and field, status 2, and nothing is written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from derainbench.cli.main import main
from tests.helpers.small_runs import Run, Score

EVALUATION = "eval/tiny/rain/seed0/rain"
TRAINING = "train/tiny/rain/seed0"

Damage = Callable[[Path], object]


def text(name: str, content: str) -> Damage:
    """A file with other content."""
    return lambda run: run.joinpath(name).write_text(content, encoding="utf-8")


def cut(name: str) -> Damage:
    """Half of a file."""

    def damage(run: Path) -> None:
        whole = run.joinpath(name).read_bytes()
        run.joinpath(name).write_bytes(whole[: len(whole) // 2])

    return damage


def said(*place: str | int, value: Any, name: str = "run.json") -> Damage:
    """A JSON file that says something else at a place; ``...`` is to say nothing there."""

    def damage(run: Path) -> None:
        path = run / name
        content = json.loads(path.read_text(encoding="utf-8"))
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        if value is ...:
            del inner[place[-1]]
        else:
            inner[place[-1]] = value
        path.write_text(json.dumps(content), encoding="utf-8")

    return damage


def scores(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Damage:
    """A score table that was changed, beside a ``done.json`` that has no hash to tell by."""

    def damage(run: Path) -> None:
        path = run / EVALUATION / "scores.parquet"
        change(pd.read_parquet(path)).to_parquet(path)

    return damage


def with_value(column: str, value: Any) -> Damage:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype({column: object}) if value is None else table
        table.loc[0, column] = value
        return table

    return scores(change)


def linked(name: str) -> Damage:
    """A folder of the run that is a link out of it."""

    def damage(run: Path) -> None:
        run.joinpath(name).rename(run.parent / "elsewhere")
        run.joinpath(name).symlink_to(run.parent / "elsewhere")

    return damage


DEEP = "[" * 100_000 + "]" * 100_000

#: By what was done: the damage, and words of the one line, the file and the field among them.
DAMAGED: dict[str, tuple[Damage, list[str]]] = {
    "run.json cut in half": (cut("run.json"), ["run.json is damaged", "Invalid JSON"]),
    "run.json empty": (text("run.json", ""), ["run.json is damaged", "Invalid JSON"]),
    "run.json a list": (text("run.json", "[]"), ["run.json is damaged", "object"]),
    "run.json null": (text("run.json", "null"), ["run.json is damaged", "object"]),
    "run.json a number": (text("run.json", "3"), ["run.json is damaged", "object"]),
    "run.json nested deeply": (text("run.json", DEEP), ["run.json is damaged", "recursion"]),
    "a description nested deeply": (text("run.json", '{"schema": 1, "cells": ' + DEEP + "}"), ["run.json", "damaged"]),
    "run.json no UTF-8": (
        lambda run: run.joinpath("run.json").write_bytes(b'{"schema": 1, "command": "\xff"}'),
        ["run.json is damaged", "Invalid JSON"],
    ),
    "of a newer schema": (said("schema", value=2), ["schema 2", "this one reads 1", "use that version"]),
    "of a schema that is a text": (said("schema", value="1"), ["schema 1", "use that version"]),
    "no cells": (said("cells", value=...), ["run.json is damaged", "cells: missing"]),
    "no recipe": (said("recipe", value=...), ["run.json is damaged", "recipe: missing"]),
    "cells null": (said("cells", value=None), ["run.json is damaged", "cells"]),
    "cells a mapping": (said("cells", value={}), ["run.json is damaged", "cells"]),
    "a cell that is a number": (said("cells", 0, value=3), ["run.json is damaged", "cells.0"]),
    "a cell of a third kind": (said("cells", 0, "kind", value="test"), ["run.json", "cells.0.kind", "train"]),
    "a cell without a folder": (said("cells", 1, "folder", value=...), ["run.json", "cells.1.folder"]),
    "a folder outside": (said("cells", 0, "folder", value="../../etc"), ["cells.0.folder", "leads out"]),
    "an absolute folder": (said("cells", 0, "folder", value="/etc"), ["cells.0.folder", "leads out"]),
    "a folder of Windows": (said("cells", 0, "folder", value="C:\\run"), ["cells.0.folder", "leads out"]),
    "a folder of another cell": (said("cells", 0, "folder", value=TRAINING), ["cells.0", "is not where"]),
    "a cell twice": (
        lambda run: said("cells", value=2 * json.loads(run.joinpath("run.json").read_text())["cells"])(run),
        ["run.json is damaged", "cells: one of them twice"],
    ),
    "a cell of no method": (said("methods", value=[]), ["run.json is damaged", "not among methods"]),
    "a cell of no dataset": (said("datasets", value=[]), ["run.json is damaged", "not among datasets"]),
    "a seed that is a text": (said("cells", 0, "seed", value="0"), ["cells.0.seed", "integer"]),
    "a seed below nought": (said("cells", 0, "seed", value=-1), ["cells.0.seed"]),
    "a method without a title": (said("methods", 0, "title", value=...), ["run.json", "methods.0.title"]),
    "a method without a name": (said("methods", 0, "name", value=None), ["run.json", "methods.0.name"]),
    "parameters that are a text": (said("methods", 0, "parameters", value="7"), ["methods.0.parameters"]),
    "weights without a hash": (
        said("methods", 0, "weights", value={"tag": "t", "trained_on": "rain"}),
        ["methods.0.weights.sha256"],
    ),
    "a dataset without images": (said("datasets", 0, "test", value=None), ["run.json", "datasets.0.test"]),
    "an image outside": (
        said("datasets", 0, "test", 0, "rainy", value="../../../etc/passwd"),
        ["datasets.0.test.0.rainy", "leads out"],
    ),
    "an image without a clean one": (said("datasets", 0, "test", 0, "clean", value=...), ["datasets.0", "clean"]),
    "a machine that is null": (said("machine", value=None), ["run.json is damaged", "machine"]),
    "versions that are a list": (said("versions", value=["torch"]), ["run.json is damaged", "versions"]),
    "an unknown protocol": (said("protocols", value=["z"]), ["run.json", "protocol 'z'", "does not know"]),
    "notices that are a text": (said("notices", value="beware"), ["run.json is damaged", "notices"]),
    "a precision that is a number": (said("precision", value=32), ["run.json is damaged", "precision"]),
    "a change without a field": (said("recipe", "changes", 0, "field", value=...), ["recipe.changes.0.field"]),
    "a leak that is a text": (said("seen_in_training", value=["rain"]), ["run.json", "seen_in_training.0"]),
    "done.json a list": (text(f"{EVALUATION}/done.json", "[]"), [f"{EVALUATION}/done.json is damaged"]),
    "done.json cut in half": (cut(f"{EVALUATION}/done.json"), [f"{EVALUATION}/done.json is damaged", "Invalid JSON"]),
    "done.json without a key": (
        said("key", value=..., name=f"{EVALUATION}/done.json"),
        [f"{EVALUATION}/done.json is damaged", "key"],
    ),
    "inputs that are null": (said("inputs", value=None, name=f"{EVALUATION}/done.json"), ["done.json", "inputs"]),
    "protocols that are no numbers": (
        said("inputs", "protocols", "y", value="1", name=f"{EVALUATION}/done.json"),
        ["done.json", "inputs.protocols.y"],
    ),
    "seconds that are a text": (said("seconds", value="long", name=f"{TRAINING}/done.json"), ["done.json", "seconds"]),
    "a training's done.json null": (text(f"{TRAINING}/done.json", "null"), [f"{TRAINING}/done.json is damaged"]),
    "failed.json without an error": (text(f"{EVALUATION}/failed.json", "{}"), ["failed.json is damaged", "error"]),
    "failed.json a text": (text(f"{EVALUATION}/failed.json", '"no"'), ["failed.json is damaged"]),
    "a row without a PSNR": (with_value("psnr", None), ["scores.parquet is damaged", "psnr"]),
    "a row without an image": (with_value("image", None), ["scores.parquet is damaged", "image"]),
    "a PSNR that is no number": (with_value("psnr", np.nan), ["scores.parquet is damaged", "psnr"]),
    "a PSNR of minus infinity": (with_value("psnr", -np.inf), ["scores.parquet is damaged", "psnr"]),
    "an infinite SSIM": (with_value("ssim", np.inf), ["scores.parquet is damaged", "ssim"]),
    "an image twice": (
        scores(lambda table: pd.concat([table, table[:1]], ignore_index=True)),
        ["scores.parquet is damaged", "twice"],
    ),
    "scores of an unknown protocol": (with_value("protocol", "z"), ["scores.parquet is damaged", "protocol"]),
    "scores without SSIM": (scores(lambda table: table.drop(columns="ssim")), ["scores.parquet is damaged", "ssim"]),
    "PSNR as text": (scores(lambda table: table.astype({"psnr": str})), ["scores.parquet is damaged", "psnr"]),
    "a cell that is a link": (linked(EVALUATION), [f"{EVALUATION} is a link"]),
    "a folder of cells that is a link": (linked("train"), ["train is a link"]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole run of two methods on one dataset."""
    scored = [Score("identity", "rain", (25.0, 26.0)), Score("tiny", "rain", (30.0, 31.0))]
    return Run(scored, images=2).write(tmp_path / "run")


def answered(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["derainbench", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_the_run_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(monkeypatch, "report", str(folder), "--format", "csv") == 0
    assert len(DAMAGED) >= 40


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_told_in_one_line(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, words = DAMAGED[name]
    damage(folder)
    before = sorted(folder.rglob("*"))
    assert answered(monkeypatch, "report", str(folder), "--format", "csv") == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert printed.out == ""
    assert line.startswith("error: ")
    assert line.isprintable()
    assert [word for word in words if word not in line] == [], line
    assert sorted(folder.rglob("*")) == before, "nothing was written"


def test_scores_that_are_not_those_that_were_finished_are_said_to_be_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said("sha256", value="0" * 64, name=f"{EVALUATION}/done.json")(folder)
    assert answered(monkeypatch, "report", str(folder), "--format", "csv") == 0
    printed = capsys.readouterr().out
    assert f"failed: {EVALUATION}: out of date: its scores.parquet was changed or damaged since" in printed
    assert "30.5" not in printed


def test_a_report_needs_no_torch(folder: Path) -> None:
    """Reading a run, its statistics and all formats: whoever only writes reports waits for none of it."""
    program = (
        "import sys; from derainbench.cli.main import main\n"
        f"sys.argv = ['derainbench', 'report', {str(folder)!r}]\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "0 False"
