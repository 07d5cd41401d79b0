"""Runs that older versions left: what they measured is still read, to the last bit."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from derainbench.efficiency.record import read_efficiency
from derainbench.errors import UserError
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.reports.content import report_of
from derainbench.results import load, run_info
from derainbench.results.results import Results
from derainbench.results.score_table import as_wide, wide_columns
from derainbench.run import store

STORED = sorted((Path(__file__).parents[1] / "data").glob("run-schema-*"))
RULE = (
    "a run that an older version wrote is no longer read as it was written: mend the reader, do not touch the stored "
    "run. If the layout must change so that older readers would misread it, raise SCHEMA and store a run of the new "
    "one beside it (docs/results.md, tests/data/*/README.md)"
)

pytestmark = pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)


@pytest.fixture
def as_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The revisions of harness and protocols are those of the run: its scores are up to date, whatever changed."""
    done = [json.loads(path.read_text(encoding="utf-8"))["inputs"] for path in folder.glob("eval/**/done.json")]
    monkeypatch.setattr(load, "HARNESS_REVISION", done[0]["harness"])
    revised = {name: PROTOCOLS[name].model_copy(update={"revision": n}) for name, n in done[0]["protocols"].items()}
    monkeypatch.setattr(load, "PROTOCOLS", {**PROTOCOLS, **revised})


def read(folder: Path) -> Results:
    """The run, or the rule that was broken."""
    try:
        return load.load_run(folder)
    except Exception as error:
        raise AssertionError(f"{folder.name} does not load ({error}): {RULE}") from error


def equal(text: str, value: Any) -> bool:
    """Whether a value is exactly the one that is written in ``expected.csv``."""
    if isinstance(value, float):
        return math.isnan(value) if text == "nan" else float(text) == value
    return text == str(value)


@pytest.mark.usefixtures("as_measured")
def test_every_score_is_what_it_was(folder: Path) -> None:
    scores = as_wide(read(folder).scores)
    with (folder / "expected.csv").open(encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    assert set(expected[0]) <= set(wide_columns()), RULE
    assert len(scores) == len(expected) > 0, RULE
    for row, wanted in zip(scores.to_dict("records"), expected, strict=True):
        assert [name for name, text in wanted.items() if not equal(text, row[name])] == [], f"{wanted}: {RULE}"


@pytest.mark.usefixtures("as_measured")
def test_all_else_is_there(folder: Path) -> None:
    results, info = read(folder), json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert [(m.name, m.title, m.parameters) for m in results.methods] == [
        (m["name"], m["title"], m["parameters"]) for m in info["methods"]
    ], RULE
    assert [(pair.image, pair.scene) for d in results.datasets for pair in d.test] == [
        (row["image"], row["scene"]) for d in info["datasets"] for row in d["test"]
    ], RULE
    finished = [path.parent for path in sorted(folder.glob("eval/**/done.json"))]
    assert sorted(results.evaluations.values()) == finished, RULE
    trained = [path.parent for path in sorted(folder.glob("train/**/done.json"))]
    assert sorted(training.folder for training in results.trainings) == trained, RULE
    assert all(training.seconds and training.recipe["steps"] for training in results.trainings), RULE
    failed = [path.parent.relative_to(folder).as_posix() for path in folder.glob("*/**/failed.json")]
    assert sorted(failure.cell for failure in results.failures) == sorted(failed), RULE
    for (method, trained_on, seed, dataset), place in results.evaluations.items():
        for image in (path.stem for path in place.glob("images/*.png")):
            assert results.restored(method, trained_on, seed, dataset, image).is_file(), RULE
    assert [row.error for session in read_efficiency(folder).sessions for row in session.rows] == [""], RULE


@pytest.mark.usefixtures("as_measured")
def test_a_higher_schema_reads_it_and_adds_nothing_to_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_info, "SCHEMA", run_info.SCHEMA + 1)
    assert len(read(folder).scores) > 0
    with pytest.raises(UserError, match="give another --out"):
        store.Store(folder).read_info()


@pytest.mark.usefixtures("as_measured")
@pytest.mark.filterwarnings("error")
def test_it_can_be_reported(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from derainbench.cli.main import main

    monkeypatch.setattr(sys, "argv", ["derainbench", "report", str(folder), "--out", str(tmp_path / "report")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0, RULE
    written = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    results = read(folder)
    assert [method["name"] for method in written["methods"]] == [method.name for method in results.methods]
    finished = {cell["method"] for cell in written["tables"][0]["cells"] if cell["state"] == "finished"}
    assert finished == set(results.scores["method"]), RULE
    csv_lines = (tmp_path / "report" / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(csv_lines) == len(as_wide(results.scores)) + 1, RULE


def test_it_loads_when_measuring_changed_and_shows_no_old_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another revision measured does not stand in a table; the run is readable all the same."""
    monkeypatch.setattr(load, "HARNESS_REVISION", 10**6)
    results = read(folder)
    assert results.scores.empty
    outdated = [f.cell for f in results.failures if "another version of derainbench measured it" in f.error]
    assert sorted(outdated) == sorted(p.parent.relative_to(folder).as_posix() for p in folder.glob("eval/**/done.json"))
    content = report_of([folder])
    assert content.results.methods
    assert {failure.cell for failure in content.results.failures} >= set(outdated)


def test_it_may_lie_anywhere_and_names_no_machine(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert len(read(moved).scores) == len(read(folder).scores)
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in (b"/work", b"/home", b"/root", b"/tmp") if word in content], path
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 100_000
