"""Feeding a training: patches a second from our loader and from one that decodes both PNGs for every patch.

The reference opens both files, cuts at random, flips and converts, as most training code does. Then: memory of the
workers, and what opening a split of very many pairs from its manifest takes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler

from benchmarks.large_split import make_split
from benchmarks.timing import interleaved, machine, parse, parser, table
from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import locate
from derainbench.catalogue.pairing import Pair
from derainbench.engine.image_cache_space import decoded_folder
from derainbench.engine.patches import Patches
from derainbench.plugins.recipe import Recipe
from derainbench.rain.models import preset
from derainbench.rain.photographs import photograph

ROOT = Path(__file__).resolve().parents[1]
HEIGHT, WIDTH = 321, 481  # of Rain100L's images, or the other way round
PHOTOGRAPHS = ("astronaut", "coffee", "motorcycle", "rocket")
BATCH, PATCH = 16, 100
LEAST_RATIO, MOST_GROWTH_MIB, MOST_SECONDS, MOST_MIB = 5, 30, 3, 200
FOREVER = 10**9
CARD = """
name = "made"
title = "Made"
rain_model = "streak"
kind = "synthetic"
root = "made"
[[layouts]]
name = "folders"
train = { rainy = "rainy/{scene}.png", clean = "clean/{scene}.png" }
"""

Batches = Iterator[Sequence[torch.Tensor]]


class PlainPairs(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The reference: an item is a patch, both files are decoded for it."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.files = [(str(pair.rainy), str(pair.clean)) for pair in pairs]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rainy, clean = (Image.open(path).convert("RGB") for path in self.files[index])
        top = int(torch.randint(0, rainy.height - PATCH + 1, ()))
        left = int(torch.randint(0, rainy.width - PATCH + 1, ()))
        box = (left, top, left + PATCH, top + PATCH)
        rainy, clean = rainy.crop(box), clean.crop(box)
        for flip in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
            if torch.rand(()) < 0.5:
                rainy, clean = rainy.transpose(flip), clean.transpose(flip)
        one, other = (np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255 for image in (rainy, clean))
        return torch.from_numpy(one), torch.from_numpy(other)


def make_set(folder: Path, count: int) -> Path:
    """A card beside ``count`` pairs of PNGs of Rain100L's size: photographs with its kind of rain."""
    random, rain = np.random.default_rng(0), preset("rain100l")
    for number in range(count):
        height, width = (HEIGHT, WIDTH) if number % 4 else (WIDTH, HEIGHT)
        whole = photograph(PHOTOGRAPHS[number % len(PHOTOGRAPHS)])
        if whole.shape[0] < height:  # the low ones lie on their side
            whole = np.rot90(whole)
        top, left = (
            int(random.integers(0, side - cut + 1)) for side, cut in zip(whole.shape, (height, width), strict=False)
        )
        clean = np.ascontiguousarray(whole[top : top + height, left : left + width, :: random.choice([-1, 1])])
        for role, image in (("clean", clean), ("rainy", rain(clean, None, number).rainy)):
            path = folder / "made" / role / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    card = folder / "made.toml"
    card.write_text(CARD)
    return card


def pairs_of(card: Path) -> Sequence[Pair]:
    dataset = locate(read_card(card), None)
    assert dataset is not None
    return dataset.pairs("train")


def recipe(**changes: Any) -> Recipe:
    fields = {"lr": 1e-3, "loss": "l1", "steps": FOREVER, "batch": BATCH, "patch": PATCH, "augment": ["hflip", "vflip"]}
    return Recipe.model_validate({**fields, **changes})


def plain(pairs: Sequence[Pair], workers: int) -> Batches:
    data = PlainPairs(pairs)
    sampler = RandomSampler(data, replacement=True, num_samples=FOREVER)
    return iter(DataLoader(data, batch_size=BATCH, sampler=sampler, num_workers=workers))


def ours(pairs: Sequence[Pair], workers: int) -> Batches:
    return iter(DataLoader(Patches(pairs, recipe(), 0), batch_size=None, sampler=range(FOREVER), num_workers=workers))


def take(batches: Batches, count: int) -> None:
    for rainy, clean, *_ in islice(batches, count):
        assert rainy.shape == clean.shape == (BATCH, 3, PATCH, PATCH)


def from_the_start(loader: Callable[[Sequence[Pair], int], Batches], pairs: Sequence[Pair], workers: int) -> None:
    """As many patches as there are pairs, from a loader that is started for it and finds nothing decoded."""
    for file in decoded_folder().glob("*"):
        file.unlink()
    take(loader(pairs, workers), -(-len(pairs) // BATCH))


def memory(pid: int) -> dict[str, float]:
    """MiB of a process by Linux's names: Rss, Pss (what is shared, divided), Private_Dirty (its own alone)."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines if words[-1] == "kB"}


def memory_rows(pairs: Sequence[Pair], batches: int) -> list[tuple[Any, ...]]:
    """Memory of a worker, the mean of two, once every image was read and after ``batches`` batches more."""
    rows = []
    for name, loader in (("plain", plain), ("ours", ours)):
        running = loader(pairs, 2)
        found = []
        for count in (2 * len(pairs) // BATCH + 2, batches):
            take(running, count)
            each = [memory(process.pid) for process in multiprocessing.active_children() if process.pid]
            found.append({key: float(np.mean([one[key] for one in each])) for key in ("Rss", "Pss", "Private_Dirty")})
        first, last = found
        rows.append((name, *last.values(), *(last[key] - first[key] for key in ("Pss", "Private_Dirty"))))
        del running
    return rows


def rates(pairs: Sequence[Pair], repeats: int, quick: bool) -> list[tuple[Any, ...]]:
    """Patches a second with and without workers, while images are decoded the first time and later."""
    rows = []
    for workers in (0, 2):
        count = -(-len(pairs) // BATCH) * BATCH
        cold = {name: partial(from_the_start, loader, pairs, workers) for name, loader in (("p", plain), ("o", ours))}
        ms = interleaved(cold, repeats)
        rows.append((workers, "first", *(1e3 * count / ms[name] for name in "po"), ms["p"] / ms["o"]))
        loaders = {"p": plain(pairs, workers), "o": ours(pairs, workers)}
        # More batches than workers prepare while the other loader has its turn.
        batches = {"p": 2, "o": 4} if quick else {"p": 40, "o": 400}
        take(loaders["o"], 3 * len(pairs) // BATCH + 3)
        ms = interleaved({name: partial(take, loaders[name], batches[name]) for name in "po"}, repeats)
        plainly, by_ours = (1e3 * BATCH * batches[name] / ms[name] for name in "po")
        rows.append((workers, "later", plainly, by_ours, by_ours / plainly))
    return rows


def large(folder: Path, count: int, repeats: int) -> tuple[tuple[object, ...], float, float]:
    """A row about a split of ``count`` pairs, the seconds to open it, and the peak MiB."""
    card = make_split(folder, count)
    command = [sys.executable, "-m", "benchmarks.large_split", str(card)]
    runs = [
        json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(1 + repeats)
    ]
    scan, *opened = runs
    seconds, peak, before, access = (
        median(run[key] for run in opened) for key in ("seconds", "after", "before", "access")
    )
    start = time.perf_counter()
    Patches(pairs_of(card), recipe(patch=8, stride=4), 0)[0]
    first = time.perf_counter() - start
    row = (f"{count:,}", scan["seconds"], scan["after"], seconds, peak, before, 1e6 * access, first)
    return row, seconds, peak


def main() -> None:
    options = parse(parser(__doc__))
    count, many = (8, 500) if options.quick else (100, 200_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DERAINBENCH_CACHE"] = str(folder / "cache")
        pairs = pairs_of(make_set(folder, count))
        rows = rates(pairs, options.repeats, options.quick)
        print(f"{count} pairs of {WIDTH}x{HEIGHT} PNGs, batches of {BATCH} random crops of {PATCH}x{PATCH}, flipped;")
        print(
            f"medians of {options.repeats} interleaved rounds. plain: PIL decodes both files for each patch. *first*: a"
        )
        print("loader starts, nothing is decoded, as many patches as pairs; *later*: every image was decoded once.")
        print(f"{machine()}.\n")
        headers: tuple[str, ...] = ("workers", "images", "plain patches/s", "ours patches/s", "ratio")
        print(table(rows, headers, (0, None, 0, 0, 2)))
        if Path("/proc/self/smaps_rollup").exists():
            more = 4 if options.quick else 500
            print("\nMemory of one of two workers in MiB after every image was read, and how much it grew in")
            print(f"{more} batches more:\n")
            headers = ("loader", "resident", "shared parts divided", "its own", "growth, divided", "growth, its own")
            by_loader = memory_rows(pairs, more)
            print(table(by_loader, headers, (None, 1, 1, 1, 1, 1)))
            if by_loader[-1][-1] > MOST_GROWTH_MIB:
                raise SystemExit(f"a worker grew by {by_loader[-1][-1]:.0f} MiB, more than {MOST_GROWTH_MIB}")
        row, seconds, peak = large(folder, many, options.repeats)
        print("\nOpening a split of tiny PNGs (hard links to a few files: so many names, not so much disk) in a fresh")
        print("process: the scan that makes its manifest, then from the manifest; and the first batch of a grid:\n")
        headers = (
            "pairs",
            "scan s",
            "scan MiB",
            "open s",
            "open peak MiB",
            "imports alone",
            "µs a pair",
            "first batch s",
        )
        print(table([row], headers, (None, 1, 0, 2, 0, 0, 1, 2)))
    ratios = [ratio for _, images, _, _, ratio in rows if images == "later"]
    if not options.quick and min(ratios) < LEAST_RATIO:
        raise SystemExit(f"only {min(ratios):.1f} times as fast as decoding each time, not {LEAST_RATIO}")
    if not options.quick and (seconds > MOST_SECONDS or peak > MOST_MIB):
        raise SystemExit(f"opened in {seconds:.1f} s and {peak:.0f} MiB, more than {MOST_SECONDS} s or {MOST_MIB} MiB")


if __name__ == "__main__":
    main()
