"""Metrics beside PSNR and SSIM in a whole run: asked for, kept, done again, shown; one of twenty lines from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from derainbench.results.load import load_run

from .conftest import Workshop

EXAMPLE = Path(__file__).parents[1] / "plugin_metric.py"


def scores(workshop: Workshop, run: str = "run") -> pd.DataFrame:
    return load_run(workshop.folder / run).scores


def inputs(workshop: Workshop, run: str = "run") -> dict[str, Any]:
    (path,) = (workshop.folder / run / "eval").rglob("done.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def arguments(workshop: Workshop, metrics: str = "mean-error", **more: str) -> list[str]:
    asked = workshop.arguments("identity", baseline="none", metrics=metrics, plugin=str(EXAMPLE), **more)
    return asked


def test_the_example_is_short_and_in_the_documentation(project: Path) -> None:
    code = EXAMPLE.read_text()
    assert len([line for line in code.splitlines() if line.strip()]) <= 22
    assert code.split('"""', 2)[2].strip() in (project / "docs" / "metrics.md").read_text()


def test_one_file_is_all_that_a_metric_needs(workshop: Workshop) -> None:
    assert workshop(["check", str(EXAMPLE)]).returncode == 0
    assert "mean-error" in workshop(["metrics", "--plugin", str(EXAMPLE)]).stdout
    done = workshop(arguments(workshop))
    assert done.returncode == 0, done.stderr
    assert "Mean error" in done.stdout
    assert "(Mean error: lower)" in done.stdout
    assert "Mean error: by me, 1; of the 8-bit image, whatever the protocol." in done.stdout
    table = scores(workshop)
    values = table[table["metric"] == "mean-error"].pivot(index="image", columns="protocol", values="value")
    assert values.notna().all(axis=None)
    assert (values.nunique(axis=1) == 1).all(), "no protocol says how it is measured"
    report = workshop(["report", "run", "--format", "html,latex,markdown,csv,json"])
    assert report.returncode == 0, report.stderr
    folder = workshop.folder / "run/report"
    assert "Mean error" in (folder / "tables.tex").read_text()
    assert "Mean error" in (folder / "index.html").read_text()
    assert (folder / "scores.csv").read_text().splitlines()[0].endswith("psnr,ssim,mean-error,verified")


def test_a_run_says_whose_code_measured_and_is_read_without_it(workshop: Workshop) -> None:
    assert workshop(arguments(workshop)).returncode == 0
    info = json.loads((workshop.folder / "run/run.json").read_text())
    (told,) = info["metrics"]
    assert (told["name"], told["unit"], told["digits"], told["higher_is_better"]) == ("mean-error", "levels", 2, False)
    assert inputs(workshop)["inputs"]["metrics"] == {"mean-error": told["identity"]}
    assert told["identity"].startswith("me, 1, revision 1, code ")
    assert workshop(["report", "run", "--format", "markdown"]).returncode == 0


def test_a_run_that_asks_for_none_is_what_it_was(workshop: Workshop) -> None:
    assert workshop(workshop.arguments("identity", baseline="none")).returncode == 0
    done = inputs(workshop)
    assert "metrics" not in done["inputs"]
    assert "metrics" not in json.loads((workshop.folder / "run/run.json").read_text())
    assert {*scores(workshop)["metric"]} == {"psnr", "ssim"}
    again = workshop(arguments(workshop))
    assert "1 done" in again.stdout, again.stderr
    assert inputs(workshop)["key"] != done["key"]


def test_a_run_stays_measured_by_what_it_has(workshop: Workshop) -> None:
    assert workshop(arguments(workshop)).returncode == 0
    again = workshop(workshop.arguments("identity", baseline="none", plugin=str(EXAMPLE)))
    assert "0 done, 1 kept" in again.stdout, again.stderr
    gone = workshop(workshop.arguments("identity", baseline="none"))
    assert gone.returncode == 2
    assert "mean-error" in gone.stderr
    assert "--plugin" in gone.stderr
    assert "--out" in gone.stderr


def test_a_metric_that_changed_is_measured_again(workshop: Workshop) -> None:
    (workshop.folder / "mine.py").write_text(EXAMPLE.read_text())
    asked = workshop.arguments("identity", baseline="none", metrics="mean-error", plugin="mine.py")
    assert workshop(asked).returncode == 0
    workshop.edit("mine.py", lambda text: text.replace(".mean())", ".max())"))
    planned = workshop([*asked, "--dry-run"]).stdout
    assert "metrics.mean-error me, 1, revision 1, code" in planned
    assert "1 done" in workshop(asked).stdout
    workshop.edit("mine.py", lambda text: text.replace('title="Mean error"', 'title="Largest error"'))
    assert "0 done, 1 kept" in workshop(asked).stdout, "a title measures nothing"


@pytest.mark.slow
def test_other_processes_know_it(workshop: Workshop) -> None:
    done = workshop.process(arguments(workshop, executor="processes", device="", devices="cpu:1"))
    assert done.returncode == 0, done.stderr
    assert "mean-error" in {*scores(workshop)["metric"]}


def test_folders_of_images_are_measured_too(workshop: Workshop) -> None:
    words = ["score", "mine=data/test/clean", "--dataset", "tiny", "--card", "card.toml"]
    done = workshop([*words, "--metrics", "mean-error", "--plugin", str(EXAMPLE), "--out", "run"])
    assert done.returncode == 0, done.stderr
    table = scores(workshop)
    errors = table[table["metric"] == "mean-error"].groupby("method")["value"].max()
    assert sorted(errors.index) == ["identity", "images[name=mine]"]
    assert errors["identity"] > errors["images[name=mine]"] == 0


@pytest.mark.filterwarnings("ignore:(NIQE|SSIM) is undefined")
def test_what_is_undefined_is_told_not_invented(workshop: Workshop) -> None:
    done = workshop(workshop.arguments("identity", baseline="none", metrics="niqe"))
    assert done.returncode == 0, done.stderr
    assert "no mean NIQE, because it is undefined for an image" in done.stdout
    assert "NIQE knows no ground truth: a better score is no proof that rain was removed" in done.stdout
    table = scores(workshop)
    assert table[table["metric"] == "niqe"]["value"].isna().all()
    assert workshop(["report", "run", "--format", "html,latex,markdown,csv,json"]).returncode == 0


def test_what_it_needs_is_missing_before_anything_is_done(workshop: Workshop) -> None:
    refusal = workshop(workshop.arguments("identity", baseline="none", metrics="lpips-alex"))
    assert refusal.returncode == 2
    assert "derainbench weights add alexnet FILE" in refusal.stderr
    assert not (workshop.folder / "run").exists()
    mistake = workshop(workshop.arguments("identity", baseline="none", metrics="niqee"))
    assert "did you mean 'niqe'?" in mistake.stderr


def test_a_metric_that_breaks_is_a_failed_cell(workshop: Workshop) -> None:
    (workshop.folder / "broken.py").write_text(
        EXAMPLE.read_text().replace("return float(", "raise RuntimeError('no')\n    return float(")
    )
    done = workshop(workshop.arguments("identity", baseline="none", metrics="mean-error", plugin="broken.py"))
    assert done.returncode == 1
    assert "RuntimeError: no" in done.stdout + done.stderr


def test_runs_with_and_without_it_are_merged(workshop: Workshop) -> None:
    assert workshop(arguments(workshop)).returncode == 0
    assert workshop(workshop.arguments("identity", baseline="none", out="plain", seeds="1")).returncode == 0
    for command in (["report", "run", "plain", "--format", "markdown", "--out", "both"], ["compare", "run", "plain"]):
        done = workshop(command)
        assert done.returncode == 0, done.stderr
    assert "Mean error" in (workshop.folder / "both/report.md").read_text()


def test_the_metrics_at_hand_are_those_of_the_run_at_hand(workshop: Workshop) -> None:
    """Two runs in one process: the second's tables have no column of dashes for what the first was measured by."""
    from derainbench.metrics.kinds import METRICS
    from derainbench.reports.content import content

    assert workshop(arguments(workshop)).returncode == 0
    assert workshop(workshop.arguments("identity", baseline="none", out="plain")).returncode == 0
    with_it, without = load_run(workshop.folder / "run"), load_run(workshop.folder / "plain")
    assert [column.metric for column in content(without).tables[0].columns] == ["psnr", "ssim"]
    assert [column.metric for column in content(with_it).tables[0].columns] == ["psnr", "ssim", "mean-error"]
    content(without)
    assert [*METRICS] == ["psnr", "ssim"]


def test_spread_is_of_what_protocols_measure(workshop: Workshop) -> None:
    assert workshop(arguments(workshop)).returncode == 0
    told = workshop(["spread", "run"])
    assert told.returncode == 0, told.stderr
    assert "Mean error" not in told.stdout


@pytest.mark.parametrize(
    ("field", "value"), [("name", "height"), ("name", "a b"), ("title", "a\x1b[2J"), ("digits", 99)]
)
def test_a_run_that_says_what_no_metric_can_be_is_damaged(workshop: Workshop, field: str, value: Any) -> None:
    assert workshop(arguments(workshop)).returncode == 0
    path = workshop.folder / "run/run.json"
    info = json.loads(path.read_text())
    info["metrics"][0][field] = value
    path.write_text(json.dumps(info))
    refusal = workshop(["report", "run"])
    assert refusal.returncode == 2
    assert "run.json is damaged (metrics" in refusal.stderr
    assert "\x1b" not in refusal.stderr
