"""Equal trainings on two devices against one: ``python -m benchmarks.devices``.

``derainbench run`` on the processor, one thread a process: ``inline``, and ``--devices cpu:2``. All that was learnt
or measured must be the same bytes. The overhead of a cell is what two processes took together beyond what one took.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.timing import machine, table
from tests.run.conftest import Workshop, results, workshop_in

CELLS, STEPS = 24, 1000  # a training of ten seconds or so
HEADERS = ("cells", "one process s", "two processes s", "times as fast", "overhead a cell ms")
DIGITS = (None, 1, 1, 2, 0)


def seconds(workshop: Workshop, out: str, seeds: int, **where: str) -> float:
    """How long the run takes, with what Python needs to start."""
    named = ",".join(map(str, range(seeds)))
    arguments = workshop.arguments(
        "tinycnn[width=32]", out, seeds=named, recipe="equal.toml", baseline="none", threads="1", **where
    )
    begun = time.monotonic()
    done = workshop.process(arguments)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.monotonic() - begun


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
        seconds(workshop, "warm", 1)  # decodes the images, once for all
        one = seconds(workshop, "one", cells)
        two = seconds(workshop, "two", cells, device="", devices="cpu:2")
        if results(workshop.folder / "one") != results(workshop.folder / "two"):
            raise SystemExit("the two differ; their times mean nothing")
    print(f"{cells} equal trainings, each with its evaluation; one run each. {machine()}.\n")
    print(table([(cells, one, two, one / two, 1e3 * (2 * two - one) / (2 * cells))], HEADERS, DIGITS))


if __name__ == "__main__":
    main()
