"""Cells on several devices: processes of their own give what one process gives, whatever ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from derainbench.run.cell_file import UnderWay, read_under_way
from derainbench.run.devices import parse_devices
from tests.helpers.forked import Forked

from .conftest import Workshop, results, workshop_in

Refused = Callable[..., AbstractContextManager[None]]
TRAININGS = [f"train/tinycnn[dropout=0.1]/tiny/seed{seed}" for seed in (0, 1)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop with a run of two seeds in one process, long enough to be interrupted when it is repeated."""
    workshop = workshop_in(tmp_path_factory.mktemp("devices"))
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 400"))
    assert workshop.process(workshop.arguments(out="one", seeds="0,1")).returncode == 0
    return workshop


def two(workshop: Workshop, out: str, **more: str) -> list[str]:
    """The command of the same run on two devices."""
    return workshop.arguments(out=out, seeds="0,1", device="", devices="cpu:2", threads="1", **more)


def training(run: Path, process: Forked, steps: int = 20) -> list[UnderWay]:
    """What both trainings say, when both have done some steps."""
    for _ in range(12000):
        said = [read_under_way(run, name) for name in TRAININGS]
        there = [each for each in said if each is not None and each.done >= steps]
        if len(there) == len(TRAININGS):
            return there
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    pytest.fail("no training began")


def whole_again(workshop: Workshop, out: str) -> subprocess.CompletedProcess[str]:
    """The command once more: then the run is as one that nobody stopped, and nothing else is there."""
    again = workshop.process(two(workshop, out))
    assert again.returncode == 0, again.stderr
    assert results(workshop.folder / out) == results(workshop.folder / "one")
    assert not (workshop.folder / out / ".cells").exists()
    assert not list((workshop.folder / out).rglob("*.part"))
    return again


@pytest.mark.slow
def test_two_processes_give_what_one_gives(whole: Workshop) -> None:
    whole_again(whole, "two")


@pytest.mark.slow
def test_a_signal_has_both_save_their_state(whole: Workshop) -> None:
    run = whole.folder / "asked"
    process = whole.popen(two(whole, "asked"))
    training(run, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    for cell in TRAININGS:
        assert (run / cell / "checkpoint.pt").exists() != (run / cell / "done.json").exists()
    assert not (run / ".cells").exists()
    assert "goes on after" in whole_again(whole, "asked").stderr


@pytest.mark.slow
def test_processes_end_with_a_driver_that_is_killed(whole: Workshop) -> None:
    run = whole.folder / "killed"
    process = whole.popen(two(whole, "killed"))
    said = training(run, process)
    process.kill()
    process.communicate()
    for each in said:
        for _ in range(500):
            if not alive(each.process):
                break
            time.sleep(0.02)
        assert not alive(each.process)
    whole_again(whole, "killed")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_process_that_is_killed_is_its_cells_failure(whole: Workshop) -> None:
    run = whole.folder / "one-killed"
    process = whole.popen(two(whole, "one-killed"))
    first, _ = training(run, process)
    os.kill(first.process, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert f"{first.cell} FAILED: its process was killed, most likely for want of memory" in err
    assert "3 done, 0 kept, 2 failed" in out  # the input, and the other training with its evaluation
    whole_again(whole, "one-killed")


@pytest.mark.slow
def test_code_that_changes_meanwhile_is_told(whole: Workshop) -> None:
    """What a process finds is not what was planned: one line, and nothing is computed under a wrong key."""
    plugin = whole.folder / "mine.py"
    plugin.write_text(Path(whole.arguments()[whole.arguments().index("--plugin") + 1]).read_text())
    process = whole.popen(two(whole, "changed", plugin=str(plugin)))
    training(whole.folder / "changed", process)
    plugin.write_text(plugin.read_text().replace("nn.ReLU()", "nn.GELU()"))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.count("is not what was planned: the method's code") == 2
    assert "3 done, 0 kept, 2 failed" in out


@pytest.mark.parametrize(
    ("words", "devices"),
    [("cpu:2", ["cpu", "cpu"]), ("cpu", ["cpu"]), ("all", ["cuda:0", "cuda:1"]), ("1,0", ["cuda:1", "cuda:0"])],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, words: str, devices: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert parse_devices(words) == devices


@pytest.mark.parametrize("words", ["cpu:0", "cpu:x", "cpu:1000", "2", "gpu", ",", "-1", "cpu:2,0"])
def test_no_devices(monkeypatch: pytest.MonkeyPatch, refused: Refused, words: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with refused("--devices", words):
        parse_devices(words)


def test_all_of_no_gpus(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with refused("no CUDA device", "cpu:N"):
        parse_devices("all")


def test_one_or_the_other(workshop: Workshop) -> None:
    failed = workshop([*workshop.arguments(), "--devices", "cpu:2"])
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert "give one of them" in failed.stderr
