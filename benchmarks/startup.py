"""What a command takes that has nothing to compute: ``python -m benchmarks.startup``.

``--help`` beside a bare interpreter, and runs that find everything done beside the imports that no run can do without.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.timing import interleaved, machine, parse, parser, table

CARD = """
name = "{name}"
title = "Many"
rain_model = "streak"
kind = "synthetic"
root = "{name}"
[[layouts]]
name = "folders"
train = {{ rainy = "train/rainy/{{scene}}.png", clean = "train/clean/{{scene}}.png" }}
test = {{ rainy = "test/rainy/{{scene}}.png", clean = "test/clean/{{scene}}.png" }}
"""
RECIPE = 'base = "quick"\nsteps = 1\nbatch = 1\npatch = 8\n'
PLUGIN = """
from torch import nn
from derainbench import Derainer, Method, Recipe
class Dot(Derainer):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
    def forward(self, rainy):
        return self.layer(rainy)
DOT = Method("dot", "Dot", Dot, Recipe(lr=1e-3, steps=1, batch=1, patch=8, loss="l1"))
"""
IMPORTS = "import torch, pandas, pyarrow.parquet, scipy.stats, pydantic, typer, rich.progress"


def dataset(folder: Path, name: str, images: int) -> None:
    """Images of 12x12 pixels, twelve to train on, and a card."""
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", images)):
        for kind in ("rainy", "clean"):
            (folder / name / split / kind).mkdir(parents=True)
        for number in range(count):
            clean = random.integers(0, 200, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(clean).save(folder / name / split / "clean" / f"{number:05}.png")
            Image.fromarray(clean + np.uint8(20)).save(folder / name / split / "rainy" / f"{number:05}.png")
    long_ago = (1_600_000_000, 1_600_000_000)  # what was just changed is hashed at every start
    for path in (folder / name).rglob("*"):
        os.utime(path, long_ago)
    (folder / f"{name}.toml").write_text(CARD.format(name=name))


def main() -> None:
    options = parse(parser(__doc__))
    cells, images = (5, 50) if options.quick else (1001, 20_000)
    with tempfile.TemporaryDirectory(prefix="derainbench-startup-") as made:
        folder = Path(made)
        (folder / "recipe.toml").write_text(RECIPE)
        (folder / "dot.py").write_text(PLUGIN)
        dataset(folder, "few", 2)
        dataset(folder, "many", images)
        environment = {**os.environ, "DERAINBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}

        def call(*arguments: str) -> None:
            subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, check=True)

        def command(*arguments: str) -> Sequence[str]:
            return ("-m", "derainbench", *arguments)

        common = ("--recipe", "recipe.toml", "--device", "cpu")
        seeds = ",".join(map(str, range(cells)))
        of_cells = command(
            "run", "--methods", "dot", "--plugin", "dot.py", "--datasets", "few", "--card", "few.toml", *common,
            "--seeds", seeds, "--out", "cells", "--baseline", "none",
        )  # fmt: skip
        of_images = command(
            "run", "--methods", "identity", "--datasets", "many", "--card", "many.toml", *common, "--out", "images"
        )
        for first in (of_cells, of_images):
            call(*first)
        calls = {
            "a bare interpreter": lambda: call("-c", "pass"),
            "derainbench --help": lambda: call(*command("--help")),
            "importing torch, pandas, pyarrow, scipy.stats": lambda: call("-c", IMPORTS),
            f"a run of {2 * cells:,} finished cells": lambda: call(*of_cells),
            f"a run of {images:,} finished images": lambda: call(*of_images),
        }
        times = interleaved(calls, options.repeats)
    bare, *_ = times.values()
    rows: list[tuple[object, ...]] = [(name, each / 1e3, each / bare) for name, each in times.items()]
    print(f"{machine('cpu')}\n")
    print(table(rows, ("", "seconds", "ratio"), (None, 2, 1)))


if __name__ == "__main__":
    main()
