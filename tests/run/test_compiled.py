"""Trainings that torch compiles: the same but for the last bits, under a key of their own."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Workshop


def learnt(run: Path) -> tuple[list[float], dict[str, Any]]:
    """The losses of a run's only training, and what it depended on."""
    (done,) = run.glob("train/*/*/seed0/done.json")
    lines = [json.loads(line) for line in (done.parent / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line], json.loads(done.read_text())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None or sys.platform == "win32", reason="torch compiles with a C++ compiler")
def test_a_compiled_training_learns_the_same(workshop: Workshop) -> None:
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 4"))
    for out, more in (("plain", []), ("compiled", ["--compile"])):
        done = workshop.process([*workshop.arguments("tinycnn", out, baseline="none"), *more])
        assert done.returncode == 0, done.stderr
    (plain, before), (compiled, now) = (learnt(workshop.folder / out) for out in ("plain", "compiled"))
    assert compiled == pytest.approx(plain, abs=1e-5)
    assert now["inputs"].pop("compiled") is True
    assert now["inputs"] == before["inputs"]
    assert now["key"] != before["key"]
