"""A run seen, and ended, from another process than the one that drives it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.run.cell_file import UnderWay
from derainbench.run.driver_file import Driver
from derainbench.run.status import RunStatus, cell_ends_in, run_status
from derainbench.run.status_text import status_text
from derainbench.support.lock import locked
from tests.helpers.forked import Forked

from .conftest import Workshop, workshop_in

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A training long enough to be looked at."""
    workshop = workshop_in(tmp_path_factory.mktemp("watch"))
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 3000"))
    return workshop


def watched(workshop: Workshop, out: str, process: Forked, words: str) -> str:
    """What ``status`` prints, as soon as that has the words."""
    for _ in range(1500):
        if (workshop.folder / out / "run.json").exists():
            printed = workshop(["status", out]).stdout
            if re.search(words, printed):
                return printed
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    pytest.fail(f"never printed: {words}")


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["", "cpu:2"])
def test_a_run_is_seen_and_stopped_from_another_process(workshop: Workshop, devices: str) -> None:
    out = f"seen{devices}"
    where = {"device": "", "devices": devices, "threads": "1"} if devices else {}
    arguments = workshop.arguments(out=out, seeds="0,1", **where)
    process = workshop.popen(arguments)
    cells = 2 if devices else 1
    printed = watched(workshop, out, process, f"(?s)(\\d+ of 3,000 .*about.*){{{cells}}}")
    assert f"process {process.pid}; {'processes on 2 x cpu' if devices else 'inline on 1 x cpu'}" in printed
    assert f"{cells} under way" in printed
    stopped = workshop(["stop", out])
    assert stopped.returncode == 0
    assert "the same command goes on from there" in stopped.stdout
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    assert len(list((workshop.folder / out).rglob("checkpoint.pt"))) == cells
    assert {path.name for path in (workshop.folder / out).glob(".*")} <= {".lock"}
    assert "not running" in workshop(["status", out]).stdout


def test_nothing_runs(workshop: Workshop, tmp_path: Path) -> None:
    assert "is no run" in workshop(["status", str(tmp_path)]).stderr
    assert "no run is under way there" in workshop(["stop", str(tmp_path)]).stderr


def planted(run: Path, started: float, cells: dict[str, UnderWay], to_do: dict[str, float | None]) -> None:
    """What a driver and its cells say, with a run's other files."""
    (run / "run.json").write_text("{}")
    driver = Driver(host="other", process=7, started=started, executor="slurm", devices=("cuda",), to_do=to_do)
    (run / ".driver.json").write_text(driver.model_dump_json())
    for number, said in enumerate(cells.values()):
        folder = run / ".cells" / str(number)
        folder.mkdir(parents=True)
        (folder / "progress.json").write_text(said.model_dump_json())


@pytest.mark.slow
def test_when_it_ends_is_worked_out_from_what_was_done(tmp_path: Path) -> None:
    """100 seconds for a quarter of one cell and all of another, equally large; resumed steps count for nothing."""
    said = UnderWay(
        cell="train/a/d/seed0",
        host="node1",
        process=1,
        device="cuda:0",
        started=1000.0,
        updated=1090.0,
        done=50,
        total=100,
        resumed=25,
        loss=0.5,
    )
    to_do = {"train/a/d/seed0": 8.0, "train/b/d/seed0": 8.0, "eval/a/d/seed0/d": 2.0, "eval/u/d/seed0/d": None}
    planted(tmp_path, 1000.0, {"a": said}, to_do)
    done = tmp_path / "train/b/d/seed0"
    done.mkdir(parents=True)
    for name in ("config.json", "done.json"):
        (done / name).write_text("{}")
    failed = tmp_path / "eval/u/d/seed0/d"
    failed.mkdir(parents=True)
    (failed / "config.json").write_text("{}")
    (failed / "failed.json").write_text(json.dumps({"error": "no luck\x1b[31m", "failed": "now"}))
    with locked(tmp_path):
        status = read_elsewhere(tmp_path, 1100.0)
        text = subprocess.run(
            [sys.executable, "-m", "derainbench", "status", str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout
    assert cell_ends_in(said, 1100.0) == pytest.approx(50 * 90 / 25 - 10)
    assert (status.done, list(status.waiting)) == (["train/b/d/seed0"], ["eval/a/d/seed0/d"])
    # 8 of the other and 2 of this one in 100 s; 4 + 2 are left
    assert status.ends_in == pytest.approx(60.0)
    assert "\x1b" not in text
    assert "1 done, 1 failed, 1 under way, 1 waiting" in text
    assert re.search(r"train/a/d/seed0 +node1 cuda:0 +50 of 100 +0\.5000", text)
    assert "resumed at 25, no news for" in text
    assert "FAILED eval/u/d/seed0/d: no luck" in text


def read_elsewhere(run: Path, now: float) -> RunStatus:
    """The status as another process reads it: a lock that this one holds is no other's to it."""
    code = (
        "import sys, json; from pathlib import Path; from derainbench.run.status import run_status;"
        f"s = run_status(Path(sys.argv[1]), lambda: {now}); print(json.dumps([s.done, s.failed, s.waiting, s.ends_in]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True)
    finished, failed, waiting, ends_in = json.loads(done.stdout)
    return RunStatus(run, now, None, [], finished, failed, waiting, ends_in)


def test_a_driver_that_was_killed_is_not_running(tmp_path: Path) -> None:
    planted(tmp_path, 1000.0, {}, {"train/a/d/seed0": 8.0})
    status = run_status(tmp_path)
    assert status.driver is None
    assert "not running" in status_text(status)
