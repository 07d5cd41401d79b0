"""Opening a split of very many pairs from its manifest, in a process of its own that imports no torch.

``python -m benchmarks.large_split CARD`` opens the split of a card made by :func:`make_split` and prints what it took.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 16  # px
PER_FILE = 25_000  # file systems allow some 65,000 names for one file
CARD = """
name = "large"
title = "Large"
rain_model = "streak"
kind = "synthetic"
root = "large"
[[layouts]]
name = "folders"
train = { rainy = "rainy/{scene}-{rain:d}.png", clean = "clean/{scene}-{rain:d}.png" }
"""


def make_split(folder: Path, pairs: int) -> Path:
    """A card beside two folders with ``pairs`` names each; returns the card's path.

    The names are hard links to a few small PNGs: opening, decoding and hashing them is that of as many files, only
    that the disk need not hold hundreds of thousands.
    """
    random, root = np.random.default_rng(0), folder / "large"
    for role in ("rainy", "clean"):
        (root / role).mkdir(parents=True)
        for number in range(pairs):
            path = root / role / f"{number // 100:05}-{number % 100}.png"
            if number % PER_FILE == 0:
                first = path
                Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
            else:
                path.hardlink_to(first)
    then = time.time() - 3600  # a manifest does not trust files of the last seconds
    for path in [
        *(root / role / f"{n // 100:05}-0.png" for role in ("rainy", "clean") for n in range(0, pairs, PER_FILE))
    ]:
        os.utime(path, (then, then))
    for path in (root / "rainy", root / "clean", root):
        os.utime(path, (then, then))
    card = folder / "large.toml"
    card.write_text(CARD)
    return card


def peak_mib() -> float:
    """The most resident memory this process has had."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage begins at what the parent had
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def main() -> None:
    from derainbench.catalogue.cards import read_card
    from derainbench.catalogue.locate import locate

    card = read_card(Path(sys.argv[1]))
    before, start = peak_mib(), time.perf_counter()
    dataset = locate(card, None)
    assert dataset is not None
    pairs = dataset.pairs("train")
    opened, after = time.perf_counter() - start, peak_mib()
    places = np.random.default_rng(0).integers(0, len(pairs), 1000)
    start = time.perf_counter()
    assert all(isinstance(rainy := pairs[int(place)].rainy, Path) and rainy.suffix == ".png" for place in places)
    access = (time.perf_counter() - start) / len(places)
    assert "torch" not in sys.modules
    print(json.dumps({"pairs": len(pairs), "seconds": opened, "before": before, "after": after, "access": access}))


if __name__ == "__main__":
    main()
