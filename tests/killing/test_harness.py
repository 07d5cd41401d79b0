"""A hundred kills and forty signals, before file operations all over the commands: nothing is lost, nothing is left."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.forked import Forked
from tests.helpers.tiny_card import CARD
from tests.killing.operations import watch

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")]

PROJECT = Path(__file__).resolve().parents[2]
PLUGIN = PROJECT / "tests" / "plugin_method.py"

RECIPE = """
base = "quick"
steps = 24
batch = 2
patch = 16
lr = 5e-3
validation = 0.3
validate_every = 8
checkpoint_every = 5
"""

RUN = ["run", "--methods", "tinycnn[dropout=0.1]", "--datasets", "tiny", "--card", "card.toml", "--plugin", str(PLUGIN)]
RUN += ["--recipe", "tiny.toml", "--device", "cpu", "--out", "run"]


class Ended(NamedTuple):
    """How a command ended: its exit status, what it said, and how many file operations it had if it was not killed."""

    status: int
    said: str
    operations: int


def start(folder: Path, arguments: Sequence[str], at: int | None = None, number: int = signal.SIGKILL) -> Forked:
    """A command under way in ``folder``, its cache there too; it gets the signal before its operation number ``at``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DERAINBENCH_CACHE": str(folder / "cache")}
    counted = folder.with_name(f"{folder.name}.operations")
    counted.unlink(missing_ok=True)
    first = partial(watch, str(folder), at, number, str(counted))
    return Forked(arguments, folder, environment, first=first)


def carried_out(folder: Path, arguments: Sequence[str], at: int | None = None, number: int = signal.SIGKILL) -> Ended:
    """The same to its end."""
    process = start(folder, arguments, at, number)
    said = "".join(process.communicate())
    counted = folder.with_name(f"{folder.name}.operations")
    return Ended(process.wait(), said, int(counted.read_text()) if counted.exists() else 0)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    os.utime(path, (1_600_000_000, 1_600_000_000))  # long ago: what was just changed is hashed at every start


def dataset(folder: Path) -> None:
    """Six training pairs of three scenes and three test pairs, a card and a recipe."""
    chance = np.random.default_rng(0)
    for split, scenes, rains in (("train", "abc", ("-1", "-2")), ("test", "xyz", ("",))):
        for scene in scenes:
            clean = np.kron(chance.integers(30, 200, (5, 6, 3)), np.ones((4, 4, 1))).astype(np.uint8)
            save(folder / "data" / split / "clean" / f"{scene}.png", clean)
            for light, rain in enumerate(rains, 3):
                save(folder / "data" / split / "rainy" / f"{scene}{rain}.png", clean + np.uint8(10 * light))
    for place in (folder / "data").rglob("*"):
        os.utime(place, (1_600_000_000, 1_600_000_000))
    (folder / "card.toml").write_text(CARD)
    (folder / "tiny.toml").write_text(RECIPE)


def learnt(folder: Path) -> dict[str, bytes]:
    """Everything that a run learnt or measured."""
    kinds = ("weights.safetensors", "scores.parquet", "log.jsonl", "*.png")
    return {str(p.relative_to(folder)): p.read_bytes() for kind in kinds for p in (folder / "run").rglob(kind)}


def below(*names: str) -> Callable[[Path], dict[str, bytes]]:
    """Every file below some folders, locks apart."""

    def read(folder: Path) -> dict[str, bytes]:
        files = [p for name in names for p in (folder / name).rglob("*") if p.is_file() and p.name != ".lock"]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return read


def photographs(folder: Path) -> None:
    chance = np.random.default_rng(3)
    for name in ("a", "b", "more/c"):
        corners = chance.integers(20, 180, (3, 4, 3))
        save(folder / "photos" / f"{name}.png", np.kron(corners, np.ones((8, 8, 1))).astype(np.uint8))


def weights(folder: Path) -> None:
    chance = torch.Generator().manual_seed(0)
    shapes = {"layers.0": (8, 3), "layers.3": (8, 8), "layers.5": (3, 8)}
    state = {f"{name}.weight": torch.rand(*shape, 3, 3, generator=chance) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.rand(shape[0], generator=chance) for name, shape in shapes.items()}
    torch.save(state, folder / "mine.pth")


@dataclass(frozen=True)
class Scenario:
    """A command, what it needs, and what of its work is compared; ``kills`` before as many of its operations."""

    arguments: Sequence[str]
    prepare: Callable[[Path], None]
    result: Callable[[Path], Any]
    kills: int
    first: Sequence[str] = field(default_factory=list)


SCENARIOS = {
    "run": Scenario(RUN, dataset, learnt, 40),
    "report": Scenario(["report", "run", "--images", "beside"], dataset, below("run/report"), 12, RUN),
    "verify": Scenario(
        ["datasets", "verify", "tiny", "--card", "card.toml", "--workers", "1"], dataset, below("cache/cards"), 13
    ),
    "synth": Scenario(
        ["datasets", "synth", "--preset", "rain100l", "--clean", "photos", "--out", "mine", "--workers", "1"],
        photographs,
        below("mine"),
        15,
    ),
    "weights": Scenario(
        ["weights", "add", "tinycnn@mine", "mine.pth", "--trust-unknown", "--plugin", str(PLUGIN)],
        weights,
        below("cache/weights"),
        15,
    ),
    "embedded": Scenario(
        ["run", "--methods", "identity", "--datasets", "demo-drop", "--device", "cpu", "--dry-run"],
        lambda folder: None,
        below("cache/datasets"),
        5,
    ),
}


def leftovers(folder: Path) -> list[str]:
    """What only an interrupted command has any use for."""
    names = ("*.part", "*.unfinished", "checkpoint.pt", "scores.partial.jsonl")
    return [str(path.relative_to(folder)) for name in names for path in folder.rglob(name)]


def from_the_start(folder: Path, begin: Path) -> None:
    """The folder as it was before the command."""
    shutil.rmtree(folder)
    shutil.copytree(begin, folder, copy_function=shutil.copy2)


def test_a_hundred_kills_are_planned() -> None:
    assert sum(scenario.kills for scenario in SCENARIOS.values()) == 100


@pytest.mark.parametrize("name", SCENARIOS)
def test_kills_at_file_operations(tmp_path: Path, name: str) -> None:
    """SIGKILL before operations spread over the whole command: run again, it ends like one that was never killed."""
    scenario = SCENARIOS[name]
    folder, begin = tmp_path / "work", tmp_path / "begin"
    folder.mkdir()
    scenario.prepare(folder)
    if scenario.first:
        assert carried_out(folder, scenario.first).status == 0
    shutil.copytree(folder, begin, copy_function=shutil.copy2)
    done = carried_out(folder, scenario.arguments)
    assert done.status == 0, done.said
    expected = scenario.result(folder)
    assert leftovers(folder) == []
    chance, killed = random.Random(name), 0
    points = sorted(chance.sample(range(1, done.operations + 1), min(scenario.kills, done.operations)))
    points += chance.choices(points, k=scenario.kills - len(points))
    for point in points:
        from_the_start(folder, begin)
        ended = carried_out(folder, scenario.arguments, at=point)
        assert ended.status in (-signal.SIGKILL, 0), ended.said
        killed += ended.status == -signal.SIGKILL
        again = carried_out(folder, scenario.arguments)
        assert again.status == 0, f"killed before operation {point}: {again.said}"
        assert scenario.result(folder) == expected, f"killed before operation {point}"
        assert leftovers(folder) == [], f"killed before operation {point}"
        if name == "verify":
            assert again.said == done.said
    assert killed >= 0.9 * scenario.kills, "operations are fewer where the cache is warm"


def test_kills_while_it_computes(tmp_path: Path) -> None:
    """SIGKILL at ten random moments, in the midst of steps and evaluations too: byte for byte the same."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [*RUN, "--seeds", "0,1"]
    for folder in (whole, killed):
        dataset(folder)
        (folder / "tiny.toml").write_text(RECIPE.replace("steps = 24", "steps = 600"))
    assert carried_out(whole, command).status == 0

    chance, began = random.Random(20191203), 0.0
    for attempt in range(10):
        process, started = start(killed, command), time.time()
        if attempt % 2:
            time.sleep(chance.uniform(0, began))
        else:
            wait_for_checkpoint(killed, started)
            began = time.time() - started
            time.sleep(chance.uniform(0, 0.2))
        process.kill()
        assert process.wait() == -signal.SIGKILL, "over before it could be killed ten times; make it longer"
    assert list(killed.rglob("checkpoint.pt")), "no kill came late enough to leave a checkpoint"

    finished = carried_out(killed, command)
    assert finished.status == 0, finished.said
    expected, found = learnt(whole), learnt(killed)
    assert len(expected) > 10
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert "nothing to do: " in carried_out(killed, command).said


def wait_for_checkpoint(folder: Path, since: float) -> None:
    """Until a checkpoint newer than ``since`` is there."""
    for _ in range(6000):
        if any(path.stat().st_mtime > since for path in list(folder.rglob("checkpoint.pt")) if path.exists()):
            return
        time.sleep(0.01)
    pytest.fail("no checkpoint was written")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_what_schedulers_send_first(tmp_path: Path, name: str) -> None:
    """Twenty of each: a line, the status that schedulers know, no step done twice, and the same end."""
    number = getattr(signal, name)
    folder, begin = tmp_path / "work", tmp_path / "begin"
    dataset(folder)
    shutil.copytree(folder, begin, copy_function=shutil.copy2)
    done = carried_out(folder, RUN)
    expected = learnt(folder)
    points = sorted(random.Random(name).sample(range(1, done.operations + 1), 20))
    saved = 0
    for point in points:
        from_the_start(folder, begin)
        ended = carried_out(folder, RUN, at=point, number=number)
        assert ended.status == 128 + number, f"before operation {point}: {ended.said}"
        assert f"stopped by {name}; what is finished is kept: run the same command again" in ended.said
        assert "Traceback" not in ended.said
        saved += bool(list(folder.rglob("checkpoint.pt")))
        again = carried_out(folder, RUN)
        assert again.status == 0, again.said
        assert learnt(folder) == expected, f"stopped before operation {point}"
        assert leftovers(folder) == []
    assert saved >= 2
