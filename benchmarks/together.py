"""What two processes that train one network together learn, against one process: ``python -m benchmarks.together``.

Each network is trained twice by ``derainbench run``, on the processor and one thread a process, by its quick recipe;
differences are those of the losses of all steps, of all weights, and of the restored images' PSNR.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch

from benchmarks.timing import machine, table
from derainbench.plugins.weights import read_weights

METHODS = ("prenet", "rescan", "spanet", "spanet[directional]", "nasnet")
HEADERS = ("network", "steps", "largest loss", "its difference", "largest weight", "its difference", "PSNR, dB apart")
DIGITS = (None, None, 3, 8, 3, 7, 5)


def train(method: str, folder: Path, recipe: Path, together: bool) -> Path:
    """The training's folder."""
    devices = ["--devices", "cpu:2", "--devices-per-cell", "2"] if together else ["--device", "cpu"]
    command = [sys.executable, "-m", "derainbench", "run", "--methods", method, "--datasets", "demo-drop"]
    options = ["--baseline", "none", "--threads", "1", "--recipe", str(recipe), "--out", str(folder)]
    subprocess.run([*command, *options, *devices], check=True, capture_output=True)
    (done,) = folder.glob("train/*/*/*/done.json")
    return done.parent


def losses(training: Path) -> torch.Tensor:
    lines = [json.loads(line) for line in (training / "log.jsonl").read_text().splitlines()]
    return torch.tensor([line["loss"] for line in lines if "loss" in line])


def weights(training: Path) -> torch.Tensor:
    values = read_weights(training / "weights.safetensors")
    return torch.cat([values[name].flatten() for name in sorted(values)])


def psnr(run: Path) -> pd.Series:
    (scores,) = run.glob("eval/*/*/*/*/scores.parquet")
    return pd.read_parquet(scores)["psnr"]


def measure(method: str, home: Path, steps: int, patch: int) -> tuple[object, ...]:
    """A row of the table."""
    recipe = home / "recipe.toml"
    recipe.write_text(f'base = "quick"\nsteps = {steps}\npatch = {patch}\nbatch = 2\n', encoding="utf-8")
    runs = [home / f"{method}-{name}" for name in ("one", "two")]
    one, two = (train(method, run, recipe, together) for run, together in zip(runs, (False, True), strict=True))
    rows: list[float] = []
    for values in (losses, weights):
        here, there = values(one), values(two)
        rows += [float(here.abs().max()), float((here - there).abs().max())]
    apart = float((psnr(runs[0]) - psnr(runs[1])).abs().max())
    return method, steps, *rows, apart


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), help="which (default: all)")
    parser.add_argument("--quick", action="store_true", help="two steps of PReNet: does it run at all?")
    options = parser.parse_args()
    methods, steps, patch = (["prenet"], 2, 16) if options.quick else (options.methods, 20, 32)
    with tempfile.TemporaryDirectory() as home:
        rows = [measure(method, Path(home), steps, patch) for method in methods]
    print(f"Two processes against one, {steps} steps of two {patch}x{patch} patches. {machine()}.\n")
    print(table(rows, HEADERS, DIGITS))


if __name__ == "__main__":
    main()
