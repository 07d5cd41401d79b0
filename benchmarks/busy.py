"""A training step beside other programs, by how OpenMP's threads wait: ``python -m benchmarks.busy``.

Each row is a process of its own, PReNet on four patches of 48x48 pixels; the reference is the policy that
libgomp has by itself, with the machine to itself. The other programs are plain loops of Python. A busy machine's
commands wait for so many spins as :data:`derainbench.support.threads.SPINS` says.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.timing import machine, parse, parser, table
from derainbench.support.threads import SPINS

STEP = """
import os, sys, time
import torch
from derainbench.engine.device import choose_engine
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.engine.trainer import Trainer
variant, fabric = discover().variant("prenet"), choose_engine("cpu", "fp32").fabric
torch.manual_seed(0)
trainer = Trainer(fabric, variant.build(), variant.method.recipe.changed({"steps": 99}), 99)
batch = Batch(torch.rand(4, 3, 48, 48), torch.rand(4, 3, 48, 48))
trainer.step(0, batch)
times = []
for step in range(int(sys.argv[1])):
    begun = time.perf_counter()
    trainer.step(step, batch)
    times.append(time.perf_counter() - begun)
print(sorted(times)[len(times) // 2])
"""


@contextlib.contextmanager
def others(count: int) -> Iterator[None]:
    """So many processes that never rest."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def step(waits: dict[str, str], threads: int, steps: int) -> float:
    """Median seconds of a training step in a new process."""
    known = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    environment = {**known, "OMP_NUM_THREADS": str(threads), **waits}
    done = subprocess.run(
        [sys.executable, "-c", STEP, str(steps)], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    options = parse(parser(__doc__))
    steps, loads = (1, (0,)) if options.quick else (5, (0, 3))
    ways: dict[str, tuple[dict[str, str], int]] = {
        f"{options.threads} threads, as libgomp waits": ({}, options.threads),
        f"{options.threads} threads, {SPINS:,} spins": ({"GOMP_SPINCOUNT": str(SPINS)}, options.threads),
        f"{options.threads} threads, passive": ({"OMP_WAIT_POLICY": "PASSIVE"}, options.threads),
        "1 thread": ({}, 1),
    }
    if options.quick:
        ways = dict(list(ways.items())[-2:])
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(min(options.repeats, 3)):
        for load in loads:
            with others(load):
                for name, (waits, threads) in ways.items():
                    times.setdefault((name, load), []).append(step(waits, threads, steps))
    medians = {key: statistics.median(values) for key, values in times.items()}
    reference = next(iter(medians.values()))
    rows: list[tuple[object, ...]] = [
        (name, load, median, median / reference) for (name, load), median in medians.items()
    ]
    print(f"{machine('cpu')}\n")
    print(table(rows, ("", "other programs", "seconds a step", "ratio"), (None, None, 3, 2)))


if __name__ == "__main__":
    main()
