"""Peak memory of restoring a large image in tiles, each in a process of its own, and of a smaller one whole.

The resident memory counted is all that the process ever held at once: Python, torch, the image, what the network needs.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import machine, parse, parser, table

NETWORK = "prenet"
LIMIT_MIB = 2048
HEADERS = ("image", "tile", "restored in s", "peak MiB", "before restoring MiB", "ratio to first")


class Peak(NamedTuple):
    """The tiles' side in pixels (0: whole), seconds, and MiB before and after."""

    tile: int
    seconds: float
    before: float
    after: float


def peak_mib() -> float:
    """The most resident memory this process has had. ``getrusage`` alone is the fallback: on Linux it begins at what
    the parent had when it started this process."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def measure(side: int, asked: int | None, threads: int) -> Peak:
    """Restore a square image of noise, in tiles of ``asked`` px (None: as ``--tile auto`` does; 0: whole).

    Runs in a fresh process, and imports torch only there.
    """
    import torch

    from derainbench.engine.device import choose_engine
    from derainbench.engine.restore import prepare, restore_tiled, tile_side
    from derainbench.plugins.registry import discover

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    derainer = discover().variant(NETWORK).build()
    network = prepare(choose_engine("cpu", "fp32").fabric, derainer)
    rainy = torch.rand(1, 3, side, side)
    tile = tile_side(side, side, derainer, asked)
    before, start = peak_mib(), time.perf_counter()
    restore_tiled(network, rainy, tile, derainer.reach, derainer.size_multiple)
    return Peak(tile, time.perf_counter() - start, before, peak_mib())


def main() -> None:
    options = parse(parser(__doc__))
    # Small enough to fit whole, for comparison; then the size of the claim, which would not.
    runs = [(96, 0), (160, 64)] if options.quick else [(1024, 0), (4096, None)]
    spawn = multiprocessing.get_context("spawn")
    peaks = []
    for side, asked in runs:
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            peaks.append(pool.submit(measure, side, asked, options.threads).result())
    rows = [
        (f"{side}x{side}", p.tile or "whole", p.seconds, p.after, p.before, p.after / peaks[0].after)
        for (side, _), p in zip(runs, peaks, strict=True)
    ]
    print(f"{NETWORK}, float32, random weights; one run each. {machine()}.\n")
    print(table(rows, HEADERS, (None, None, 1, 0, 0, 2)))
    if peaks[-1].after > LIMIT_MIB:
        raise SystemExit(f"the tiled image took {peaks[-1].after:.0f} MiB, more than {LIMIT_MIB}")


if __name__ == "__main__":
    main()
