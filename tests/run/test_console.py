"""What a log says of a run: lines, now and then, where a terminal has a bar."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from derainbench.run.cells import EvalCell, TrainCell
from derainbench.run.console import ConsoleWatcher
from derainbench.run.store import Status


def cell(kind: type[TrainCell] | type[EvalCell], name: str) -> Mock:
    made = Mock(spec=kind)
    made.name = name
    return made


def told(every: float, capsys: pytest.CaptureFixture[str]) -> list[str]:
    training, evaluation = cell(TrainCell, "train/net/[x]/seed0"), cell(EvalCell, "eval/net/x/seed0/x")
    with ConsoleWatcher(every=every) as watcher:
        watcher.planned(3, 2)
        watcher.started(training, Status("missing"))
        watcher.progress(training, 120, 300_000, 0.12)
        watcher.finished(training, 5)
        watcher.started(evaluation, Status("missing"))
        watcher.progress(evaluation, 7, 100, None)
        watcher.failed(evaluation, "no luck", "")
    return capsys.readouterr().err.splitlines()


ALWAYS = ["3 cells, 2 to do", "[1/2] train/net/[x]/seed0 (5.0 s)", "[2/2] eval/net/x/seed0/x FAILED: no luck"]


def test_a_long_cell_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(0, capsys) == [
        ALWAYS[0],
        "[1/2] train/net/[x]/seed0 120 of 300,000 steps, loss 0.1200",
        ALWAYS[1],
        "[2/2] eval/net/x/seed0/x 7 of 100 images",
        ALWAYS[2],
    ]


def test_a_short_one_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(3600, capsys) == ALWAYS
