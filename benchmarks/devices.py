"""Equal trainings on two devices against one: ``python -m benchmarks.devices``.

``derainbench run`` on the processor, one thread a process: ``inline``, and ``--devices cpu:2``. All that was learnt
or measured must be the same bytes. The overhead of a cell is what two processes took together beyond what one took.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import machine, table
from tests.run.conftest import Workshop, workshop_in

CELLS, STEPS = 24, 1000  # a training of ten seconds or so
HEADERS = ("cells", "one process s", "two processes s", "times as fast", "overhead a cell ms")
DIGITS = (None, 1, 1, 2, 0)


def seconds(workshop: Workshop, out: str, seeds: int, where: list[str]) -> float:
    """How long the run takes, without what Python needs to start."""
    arguments = workshop.arguments(
        "tinycnn[width=32]", out, seeds=",".join(map(str, range(seeds))), recipe="equal.toml", baseline="none"
    )
    place = arguments.index("--device")
    command = [sys.executable, "-m", "derainbench", *arguments[:place], *arguments[place + 2 :], *where]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=workshop.folder, env=workshop.environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return time.monotonic() - begun


def results(run: Path) -> dict[str, bytes]:
    kinds = ("weights.safetensors", "scores.parquet", "log.jsonl", "*.png")
    return {path.relative_to(run).as_posix(): path.read_bytes() for kind in kinds for path in run.glob(f"*/**/{kind}")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="of each process; taken for one")
    parser.add_argument("--quick", action="store_true", help="two cells of a few steps: does it run at all?")
    options = parser.parse_args()
    cells, steps = (2, 5) if options.quick else (CELLS, STEPS)
    with tempfile.TemporaryDirectory() as home:
        workshop = workshop_in(Path(home))
        recipe = f'base = "quick"\nsteps = {steps}\nbatch = 4\npatch = 32\ncheckpoint_every = 1000\n'
        (workshop.folder / "equal.toml").write_text(recipe, encoding="utf-8")
        os.environ["OMP_NUM_THREADS"] = "1"
        seconds(workshop, "warm", 1, ["--device", "cpu", "--threads", "1"])  # decodes the images, once for all
        one = seconds(workshop, "one", cells, ["--device", "cpu", "--threads", "1"])
        two = seconds(workshop, "two", cells, ["--devices", "cpu:2", "--threads", "1"])
        if results(workshop.folder / "one") != results(workshop.folder / "two"):
            raise SystemExit("the two differ; their times mean nothing")
    print(f"{cells} equal trainings, each with its evaluation; one run each. {machine()}.\n")
    print(table([(cells, one, two, one / two, 1e3 * (2 * two - one) / (2 * cells))], HEADERS, DIGITS))


if __name__ == "__main__":
    main()
