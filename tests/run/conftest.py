"""A whole run small enough to be made many times: a tiny method, a tiny dataset, a tiny recipe."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.forked import Forked
from tests.helpers.tiny_card import CARD

PLUGIN = Path(__file__).parents[1] / "plugin_method.py"

RECIPE = """
base = "quick"
steps = 40
batch = 2
patch = 16
lr = 5e-3
validation = 0.3
validate_every = 20
checkpoint_every = 10
"""


@dataclass(frozen=True)
class Workshop:
    """A folder with a card, its images, a recipe, and the command line that uses them."""

    folder: Path

    def arguments(self, methods: str = "tinycnn[dropout=0.1]", out: str = "run", **more: str) -> list[str]:
        """The arguments of ``derainbench run``; an option that is given as ``""`` is left out."""
        fixed = {"methods": methods, "datasets": "tiny", "card": "card.toml", "plugin": str(PLUGIN), "out": out}
        options = {"recipe": "tiny.toml", "device": "cpu", **fixed, **more}
        given = {f"--{name.replace('_', '-')}": value for name, value in options.items() if value}
        return ["run", *(part for option in given.items() for part in option)]

    def popen(self, arguments: Sequence[str], start_new_session: bool = False) -> Forked:
        """Start derainbench in this folder, in a process of its own; in a new session it has a group of them."""
        return Forked(arguments, self.folder, self.environment, start_new_session)

    @property
    def environment(self) -> dict[str, str]:
        """One thread, and a cache of its own."""
        return {**os.environ, "OMP_NUM_THREADS": "1", "DERAINBENCH_CACHE": str(self.folder / "cache")}

    def process(self, arguments: Sequence[str], timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run derainbench in this folder, in a process of its own, to its end, within so many seconds."""
        process = self.popen(arguments)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(arguments, process.wait(), out, err)

    def __call__(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """The same within this process, which saves importing torch each time."""
        from derainbench.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["derainbench", *arguments])
            patch.setenv("DERAINBENCH_CACHE", self.environment["DERAINBENCH_CACHE"])
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
                main()
        return subprocess.CompletedProcess(arguments, int(stop.value.code or 0), out.getvalue(), err.getvalue())

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Change a text file."""
        path = self.folder / name
        path.write_text(change(path.read_text()))


def results(run: Path) -> dict[str, bytes]:
    """Everything that was learnt or measured in a run, by path."""
    kinds = ("weights.safetensors", "scores.parquet", "log.jsonl", "*.png")
    return {path.relative_to(run).as_posix(): path.read_bytes() for kind in kinds for path in run.glob(f"*/**/{kind}")}


def save(path: Path, image: np.ndarray) -> None:
    """Write an 8-bit image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def workshop_in(folder: Path) -> Workshop:
    """Six training pairs of three scenes and two test pairs, about 20 pixels a side."""
    random = np.random.default_rng(0)
    data = folder / "data"

    def pair(split: str, scene: str, rains: Sequence[str], shape: tuple[int, int]) -> None:
        clean = np.kron(random.integers(30, 200, (shape[0] // 4, shape[1] // 4, 3)), np.ones((4, 4, 1))).astype(
            np.uint8
        )
        save(data / split / "clean" / f"{scene}.png", clean)
        for rain in rains:
            streaks = 50 * (random.random((*clean.shape[:2], 1)) > 0.9)
            save(data / split / "rainy" / f"{scene}{rain}.png", (clean + streaks).astype(np.uint8))

    for scene in ("a", "b", "c"):
        pair("train", scene, ("-1", "-2"), (24, 28))
    for scene in ("x", "y"):
        pair("test", scene, ("",), (20, 24))
    (folder / "card.toml").write_text(CARD)
    (folder / "tiny.toml").write_text(RECIPE)
    return Workshop(folder)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A workshop of the test's own."""
    return workshop_in(tmp_path)
