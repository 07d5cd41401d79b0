"""A run that is killed, again and again, ends up exactly like one that was not."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Workshop

KILLS = 10


def _results(run: Path) -> dict[str, bytes]:
    """Everything that was learnt or measured, by path."""
    kinds = ("weights.safetensors", "scores.parquet", "log.jsonl", "*.png")
    return {path.relative_to(run).as_posix(): path.read_bytes() for kind in kinds for path in run.glob(f"*/**/{kind}")}


@pytest.mark.slow
def test_ten_kills(workshop: Workshop) -> None:
    """SIGKILL at ten random moments, while it starts, trains, saves, evaluates: byte for byte the same."""
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 600"))
    assert workshop.process(workshop.arguments(out="whole", seeds="0,1")).returncode == 0

    chance = random.Random(20191203)
    command = workshop.arguments(out="killed", seeds="0,1")
    killed = workshop.folder / "killed"
    startup = 0.0
    for attempt in range(KILLS):
        process, started = workshop.popen(command), time.time()
        if attempt % 2:
            time.sleep(chance.uniform(0, startup))
        else:
            _wait_for_checkpoint(killed, started, process)
            startup = time.time() - started
            time.sleep(chance.uniform(0, 0.2))
        assert process.poll() is None, "the run was over before it could be killed ten times; make it longer"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert list(killed.glob("train/**/checkpoint.pt")), "no kill came late enough to leave a checkpoint"

    finished = workshop.process(command)
    assert finished.returncode == 0, finished.stderr
    expected, found = _results(workshop.folder / "whole"), _results(killed)
    assert len(expected) > 10
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []

    again = workshop.process(command)
    assert "nothing to do: " in again.stderr


def _wait_for_checkpoint(run: Path, since: float, process: subprocess.Popen[str]) -> None:
    """Until a checkpoint newer than ``since`` is there."""
    while process.poll() is None:
        if any(path.stat().st_mtime > since for path in list(run.glob("train/**/checkpoint.pt")) if path.exists()):
            return
        time.sleep(0.01)
    pytest.fail("no checkpoint was written")
