"""What two processes that train one network together learn, against one process: ``python -m benchmarks.together``.

Each network is trained twice by ``derainbench run`` on the processor, one thread a process, by its quick recipe on tiny
images; differences are those of the losses of all steps, of all weights, and of the restored images' PSNR.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd
import torch

from benchmarks.timing import machine, table
from derainbench.plugins.weights import read_weights
from tests.run.conftest import Workshop, workshop_in

METHODS = (
    "prenet",
    "rescan",
    "spanet",
    "spanet[directional=true]",
    "nasnet",
    "ddn",
    "jorder",
    "jordere",
    "didmdn[classifier_side=56]",
    "deraindrop[width=8]",
    "dgnl",
    "dafnet",
    "drn",
    "brn",
)
HEADERS = ("network", "steps", "largest loss", "its difference", "largest weight", "its difference", "PSNR, dB apart")
DIGITS = (None, None, 3, 8, 3, 7, 5)


def train(workshop: Workshop, method: str, out: str, together: bool) -> Path:
    """The training's folder."""
    where = {"device": "", "devices": "cpu:2", "devices_per_cell": "2"} if together else {}
    done = workshop.process(workshop.arguments(method, out, recipe="few.toml", baseline="none", threads="1", **where))
    if done.returncode:
        raise SystemExit(done.stderr)
    (finished,) = (workshop.folder / out).glob("train/*/*/*/done.json")
    return finished.parent


def losses(training: Path) -> torch.Tensor:
    lines = [json.loads(line) for line in (training / "log.jsonl").read_text().splitlines()]
    return torch.tensor([line["loss"] for line in lines if "loss" in line])


def weights(training: Path) -> torch.Tensor:
    values = read_weights(training / "weights.safetensors")
    return torch.cat([values[name].flatten() for name in sorted(values)])


def psnr(run: Path) -> pd.Series:
    (scores,) = run.glob("eval/*/*/*/*/scores.parquet")
    return pd.read_parquet(scores)["psnr"]


def measure(workshop: Workshop, method: str, steps: int, patch: int) -> tuple[object, ...]:
    """A row of the table."""
    recipe = f'base = "quick"\nsteps = {steps}\npatch = {patch}\nbatch = 2\n[methods.deraindrop]\nadversarial = true\n'
    (workshop.folder / "few.toml").write_text(recipe, encoding="utf-8")
    one, two = (train(workshop, method, f"{method}-{together}", together) for together in (False, True))
    runs = [workshop.folder / f"{method}-{together}" for together in (False, True)]
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
        workshop = workshop_in(Path(home))
        rows = [measure(workshop, method, steps, patch) for method in methods]
    print(f"Two processes against one, {steps} steps of two {patch}x{patch} patches. {machine()}.\n")
    print(table(rows, HEADERS, DIGITS))


if __name__ == "__main__":
    main()
