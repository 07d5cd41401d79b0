"""One training by two processes: what one would have learnt, and none is left waiting for the other."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from derainbench.engine.patches import rows_of
from derainbench.plugins.weights import read_weights
from derainbench.run.cell_file import folder_of, read_under_way
from derainbench.run.executors.choice import choose_executor
from derainbench.support.lock import locked

from .conftest import Workshop, workshop_in

Refused = Callable[..., AbstractContextManager[None]]

PLUGIN = """
import contextlib
import os
import time
import torch
from torch import nn
from derainbench import Derainer, Method, Recipe

RECIPE = Recipe(lr=1e-3, steps=1000, batch=4, patch=32, loss="l1")

class Small(Derainer):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
        self.steps = 0

    def forward(self, rainy):
        return rainy - self.layers(rainy)

    def second(self):
        self.steps += 1
        return os.environ.get("LOCAL_RANK") == "1" and self.steps > 3

class Broken(Small):
    def training_loss(self, batch, loss):
        return super().training_loss(batch, loss) * (float("nan") if self.second() else 1)

class Ending(Small):
    def training_loss(self, batch, loss):
        if self.second():
            os._exit(3)
        return super().training_loss(batch, loss)

class Lingering(Small):
    def training_loss(self, batch, loss):
        if self.second():
            for opened in os.listdir("/proc/self/fd"):  # the other one notices a second before this one's end
                with contextlib.suppress(OSError):
                    if os.readlink("/proc/self/fd/" + opened).startswith("socket:"):
                        os.close(int(opened))
            time.sleep(1)
            os._exit(3)
        return super().training_loss(batch, loss)

SMALL = Method(name="small", title="Small", network=Small, recipe=RECIPE)
BROKEN = Method(name="broken", title="Broken", network=Broken, recipe=RECIPE)
ENDING = Method(name="ending", title="Ending", network=Ending, recipe=RECIPE)
LINGERING = Method(name="lingering", title="Lingering", network=Lingering, recipe=RECIPE)
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = workshop_in(tmp_path_factory.mktemp("ranks"))
    (workshop.folder / "ranks.py").write_text(PLUGIN)
    return workshop


def together(workshop: Workshop, methods: str, out: str, **more: str) -> list[str]:
    """The command that trains on two processes at once."""
    options = {"plugin": "ranks.py", "baseline": "none", "threads": "1", **more}
    return workshop.arguments(methods, out, device="", devices="cpu:2", devices_per_cell="2", **options)


#: What needs more of the batch than a process has, or must be the same in both.
OF_TODAY = """
loss = "charbonnier + 0.05*edge"
progressive = [[1, 32, 2], [1, 16, 4]]
mixup = 1.2
ema = 0.9
augment = ["mprnet"]
warmup = 0.25
"""


def losses(run: Path) -> list[float]:
    (log,) = run.glob("train/*/tiny/seed0/log.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def weights(run: Path) -> torch.Tensor:
    (file,) = run.glob("train/*/tiny/seed0/weights.safetensors")
    return torch.cat([value.flatten() for _, value in sorted(read_weights(file).items())])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "more"),
    [("small", ""), ("small", OF_TODAY), ("didmdn[classifier_side=56]", ""), ("deraindrop[width=4]", "")],
)
def test_two_learn_what_one_learns(workshop: Workshop, method: str, more: str) -> None:
    """But for the order in which numbers are added. By plain descent: Adam makes much of a gradient near zero.

    Statistics of the batch, networks that take turns, and a discriminator are each a method's here. For every network
    of the harness ``python -m benchmarks.together`` shows it.
    """
    (workshop.folder / "sgd.toml").write_text(
        'base = "quick"\noptimiser = "sgd"\nschedule = "constant"\nsteps = 8\nbatch = 2\npatch = 32\nlr = 1e-3\n'
        f"{more}[methods.deraindrop]\nadversarial = true\n"
    )
    one, two = (workshop.folder / f"{method}{len(more)}-{name}" for name in ("one", "two"))
    alone = workshop(workshop.arguments(method, str(one), plugin="ranks.py", baseline="none", recipe="sgd.toml"))
    assert alone.returncode == 0, alone.stderr
    done = workshop.process(together(workshop, method, str(two), recipe="sgd.toml"))
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr
    assert losses(two) == pytest.approx(losses(one), abs=1e-5)
    assert len(losses(two)) == 8
    assert torch.allclose(weights(two), weights(one), atol=1e-5)
    (made,) = two.glob("train/*/tiny/seed0/done.json")
    assert json.loads(made.read_text())["made_on"]["device"] == "cpu + cpu"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("broken", "the loss or its gradient is nan at step 4 of 40"),
        ("ending", "one of the processes that trained together ended with status 3 and without a word"),
        ("lingering", "one of the processes that trained together ended with status 3 and without a word"),
    ],
)
def test_what_stops_one_stops_both(workshop: Workshop, method: str, line: str) -> None:
    done = workshop.process(together(workshop, method, method))  # which ends: nobody waits for the other
    assert done.returncode in (1, 2)
    failed = [text for text in done.stderr.splitlines() if "FAILED" in text]
    assert line in failed[0]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_training_that_another_process_holds_is_told(workshop: Workshop) -> None:
    """One line that says so, and not that its processes ended without a word."""
    with locked(folder_of(workshop.folder / "held", "train/small/tiny/seed0")):
        done = workshop.process(together(workshop, "small", "held"))
    assert done.returncode == 2
    (line,) = (text for text in done.stderr.splitlines() if "train/small/tiny/seed0 FAILED" in text)
    assert "is in use by another process" in line


@pytest.fixture(scope="module")
def whole(workshop: Workshop) -> Path:
    """A longer training by two that nobody disturbed."""
    (workshop.folder / "long.toml").write_text(
        (workshop.folder / "tiny.toml").read_text().replace("steps = 40", "steps = 600")
    )
    assert workshop.process(together(workshop, "small", "whole", recipe="long.toml")).returncode == 0
    return workshop.folder / "whole"


@pytest.mark.slow
def test_an_interrupted_training_of_two_goes_on(workshop: Workshop, whole: Path) -> None:
    process = workshop.popen(together(workshop, "small", "asked", recipe="long.toml"))
    for _ in range(12000):
        said = read_under_way(workshop.folder / "asked", "train/small/tiny/seed0")
        if said is not None and said.done > 20:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    again = workshop.process(together(workshop, "small", "asked", recipe="long.toml"))
    assert again.returncode == 0, again.stderr
    assert "goes on after" in again.stderr
    for file in ("weights.safetensors", "log.jsonl"):
        parts, undisturbed = (run / "train/small/tiny/seed0" / file for run in (workshop.folder / "asked", whole))
        assert parts.read_bytes() == undisturbed.read_bytes()


def test_a_batch_is_shared_out_equally(refused: Refused) -> None:
    assert [list(rows_of(rank, 2, 4)) for rank in (0, 1)] == [[0, 1], [2, 3]]
    with refused("a batch of 18 cannot be shared out among 4 devices", "such as 3"):
        rows_of(0, 4, 18)


def test_devices_are_grouped(refused: Refused) -> None:
    assert choose_executor("", "auto", "cpu:4", 2).devices == ("cpu+cpu", "cpu+cpu")
    assert choose_executor("", "auto", "cpu:2", 2).kind == "processes"
    for words in (
        ("", "auto", "cpu:3", 2),
        ("", "auto", "", 2),
        ("inline", "auto", "cpu:2", 2),
        ("slurm", "auto", "", 2),
    ):
        with refused(""):
            choose_executor(*words)
