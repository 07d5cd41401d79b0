"""Protocols on the command line: listed, a user's own in a run, and one output under all of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from derainbench.metrics.field_protocols import FIELD

from .conftest import Workshop, save

MINE = 'name = "y-mine"\ntitle = "Mine"\ncolour = "y"\nborder = 1\n'
QUIET = pytest.mark.filterwarnings("ignore:(SSIM|PSNR) is undefined")


@pytest.fixture
def larger(workshop: Workshop) -> Workshop:
    """A workshop whose test images leave a window under every protocol, and a protocol file."""
    random = np.random.default_rng(1)
    for path in (workshop.folder / "data/test/clean").glob("*.png"):
        clean = random.integers(30, 200, (33, 40, 3), dtype=np.uint8)
        save(path, clean)
        save(
            workshop.folder / "data/test/rainy" / path.name, clean + random.integers(0, 30, (33, 40, 1), dtype=np.uint8)
        )
    (workshop.folder / "mine.toml").write_text(MINE)
    return workshop


def rows(text: str) -> dict[str, list[str]]:
    """The cells of a table that ``spread`` prints, by protocol."""
    known = {each.name for each in FIELD} | {"y-mine"}
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return {line[0]: line[1:] for line in lines if line[0].rstrip("†") in known}


def test_protocols_are_listed(larger: Workshop) -> None:
    text = larger(["protocols"]).stdout
    assert all(each.name in text for each in FIELD)
    data = json.loads(larger(["protocols", "--json", "y,mine.toml"]).stdout)["protocols"]
    assert [each["name"] for each in data] == ["y", "y-mine"]
    assert data[1]["border"] == 1
    assert data[1]["signature"].startswith("y-mine|hash:")
    shown = larger(["protocols", "rgb-3d"]).stdout
    assert "HINet" in shown
    assert "rgb-3d|rev:1|" in shown
    mistake = larger(["protocols", "y-flaot"])
    assert mistake.returncode == 2
    assert "did you mean 'y-float'?" in mistake.stderr


@pytest.mark.slow
def test_a_users_own_is_in_the_run_and_travels_with_it(larger: Workshop) -> None:
    arguments = larger.arguments("identity", baseline="none", protocols="y,mine.toml")
    done = larger.process(arguments)
    assert done.returncode == 0, done.stderr
    (larger.folder / "mine.toml").unlink()
    report = larger.process(["report", "run", "--format", "markdown,html", "--protocol", "y-mine"])
    assert report.returncode == 0, report.stderr
    assert "Mine" in report.stdout
    again = larger.process(larger.arguments("identity", baseline="none"))
    assert "0 done, 1 kept" in again.stdout or "1 done, 0 kept" in again.stdout, again.stderr
    info = json.loads((larger.folder / "run/run.json").read_text())
    assert "y-mine" in info["protocols"]
    assert info["own_protocols"] == [{"name": "y-mine", "title": "Mine", "colour": "y", "border": 1}]


def test_another_definition_under_the_same_name_is_refused(larger: Workshop) -> None:
    arguments = larger.arguments("identity", baseline="none", protocols="y,mine.toml")
    assert larger.process(arguments).returncode == 0
    larger.edit("mine.toml", lambda text: text.replace("border = 1", "border = 2"))
    refusal = larger.process(arguments)
    assert refusal.returncode == 2
    assert "y-mine" in refusal.stderr.strip().splitlines()[-1]
    assert "another name" in refusal.stderr


@pytest.mark.slow
def test_another_process_knows_a_users_own(larger: Workshop) -> None:
    more = {"baseline": "none", "protocols": "y,mine.toml", "executor": "processes", "devices": "cpu:1", "device": ""}
    done = larger.process(larger.arguments("identity", **more))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 done" in done.stdout


def test_a_spread_of_scores_and_one_of_kept_images_agree(larger: Workshop) -> None:
    """The identity's output is 8-bit, so every protocol gives the same of the file as of the float output."""
    for out, protocols in (("all", "all"), ("few", "y")):
        done = larger(larger.arguments("identity", out, baseline="none", protocols=protocols))
        assert done.returncode == 0, done.stderr
    scored, saved = (larger(["spread", out]) for out in ("all", "few"))
    assert scored.returncode == saved.returncode == 0, scored.stderr + saved.stderr
    assert len(rows(scored.stdout)) == len(FIELD)
    assert "†" not in scored.stdout
    assert {name.rstrip("†"): cells[:6] for name, cells in rows(saved.stdout).items()} == {
        name: cells[:6] for name, cells in rows(scored.stdout).items()
    }
    assert "saved 8-bit images" in saved.stdout
    lines = larger(["spread", "all", "--signatures"]).stdout.splitlines()
    assert len(lines) == len(FIELD)
    assert all(line.startswith("PSNR ") and "| identity on tiny, 2 images |" in line for line in lines)
    data = json.loads(larger(["spread", "all", "--json", "--reference", "rgb"]).stdout)
    assert data["spreads"][0]["reference"] == "rgb"


def test_a_spread_without_images_says_what_to_do(larger: Workshop) -> None:
    arguments = larger.arguments("identity", baseline="none", images="none", protocols="y,rgb")
    assert larger(arguments).returncode == 0
    shown = larger(["spread", "run"])
    assert set(rows(shown.stdout)) == {"y", "rgb"}
    (line,) = [line for line in shown.stdout.splitlines() if "--protocols all" in line]
    assert "21 protocols not scored" in line


def test_changed_images_are_not_measured(larger: Workshop) -> None:
    assert larger(larger.arguments("identity", baseline="none", protocols="y")).returncode == 0
    path = next((larger.folder / "run").glob("eval/**/images/*.png"))
    save(path, np.zeros((33, 40, 3), dtype=np.uint8))
    refusal = larger(["spread", "run"])
    assert refusal.returncode == 2
    assert path.name in refusal.stderr
    assert "changed since" in refusal.stderr


def test_mistakes_are_one_line(larger: Workshop) -> None:
    assert larger(larger.arguments("identity", baseline="none", protocols="y")).returncode == 0
    for words, expected in (
        (["nowhere"], "not a run folder"),
        (["run", "--method", "idntity"], "did you mean 'identity'?"),
        (["run", "--dataset", "rain"], "--dataset"),
        (["run", "--reference", "rgb", "--protocols", "y"], "--reference"),
        (["run", "--protocols", "nothing"], "unknown metric protocol"),
    ):
        refusal = larger(["spread", *words])
        assert refusal.returncode == 2
        assert expected in refusal.stderr
        assert len(refusal.stderr.strip().splitlines()) == 1


@QUIET
def test_images_that_a_protocol_leaves_nothing_of(workshop: Workshop) -> None:
    """A PSNR that is undefined is stored, loaded, reported and shown as a dash."""
    small = workshop.folder / "data/test"
    for path in (small / "clean").glob("*.png"):
        for kind, level in (("clean", 90), ("rainy", 100)):
            save(small / kind / path.name, np.full((12, 15, 3), level, dtype=np.uint8))
    done = workshop(workshop.arguments("identity", baseline="none", protocols="all"))
    assert done.returncode == 0, done.stderr
    assert workshop(["report", "run", "--format", "markdown,html,csv,json,latex"]).returncode == 0
    found = rows(workshop(["spread", "run"]).stdout)
    assert found["rgb-float-u7-crop16"][:2] == ["–", "–"]
    assert found["y"][0] == "29.453"


def test_the_page_has_the_spread(larger: Workshop) -> None:
    assert larger(larger.arguments("identity", baseline="none", protocols="y,rgb,rgb-float-u7")).returncode == 0
    assert larger(["report", "run", "--format", "html"]).returncode == 0
    page = Path(larger.folder / "run/report/index.html").read_text(encoding="utf-8")
    assert 'id="spread"' in page
    assert "rgb-float-u7|rev:1|levels:none|" in page
