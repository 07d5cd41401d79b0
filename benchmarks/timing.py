"""Medians of calls timed in turn, and the machine they were timed on: what all benchmarks share."""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from tabulate import tabulate

#: Side of the square matrices whose product gives a device's rate: large enough that the product itself dominates.
MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}


def parser(doc: str | None, repeats: int = 5) -> argparse.ArgumentParser:
    """The options that every benchmark has: ``--threads``, ``--repeats``, ``--quick``."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=repeats, help="interleaved repetitions (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes, one repetition: does it run at all?")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options, threads set. A measurement takes five repetitions at least; ``--quick`` is none and takes one."""
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    elif options.repeats < 5:
        parser.error("--repeats: a median of fewer than 5 is no measurement")
    torch.set_num_threads(options.threads)
    return options


def interleaved(calls: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu") -> dict[str, float]:
    """Median milliseconds of each call. They take turns (A B C A B C ...), so that what else the machine does falls on
    all of them. Comparing the outputs has warmed them, and a median of five forgives one slow start. On a GPU a call
    ends when its work has."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            _wait(device)
            start = time.perf_counter()
            call()
            _wait(device)
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def matrix_products(device: str) -> tuple[dict[str, Callable[[], object]], float]:
    """A float32 matrix product by each library that torch has for it, and its size in GMAC (1e9 multiply-accumulates).

    The faster of them is the most that the device was seen to compute: ``torch.mm`` uses the processor's vectors only
    in part where its library was made for another maker's, a 1x1 convolution, the same product, does not.
    """
    side = MATRIX_SIDE["cuda" if device.startswith("cuda") else "cpu"]
    a, b = torch.rand(2, side, side, device=device).unbind()
    out = torch.empty_like(a)
    pixels = a.view(1, 1, side, side).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    kernel = b.view(side, side, 1, 1)

    @torch.inference_mode()
    def convolution() -> torch.Tensor:
        return torch.nn.functional.conv2d(pixels, kernel)

    return {"mm": lambda: torch.mm(a, b, out=out), "1x1": convolution}, side**3 / 1e9


def machine(device: str = "cpu") -> str:
    """The processor's name where Linux tells it, the threads in use, the GPU if it computes, and torch's version."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    parts = [f"{found[1] if found else platform.machine()} ({os.cpu_count()} processors)"]
    if device.startswith("cuda"):
        parts.append(torch.cuda.get_device_name(device))
    return ", ".join([*parts, f"{torch.get_num_threads()} torch threads", f"torch {torch.__version__}"])


def table(rows: Sequence[tuple[object, ...]], headers: tuple[str, ...], digits: tuple[int | None, ...]) -> str:
    """A Markdown table; ``digits`` are the decimals of each column, None for text. An empty cell is None."""
    formats = tuple("" if d is None else f".{d}f" for d in digits)
    return tabulate(rows, headers=headers, tablefmt="github", floatfmt=formats, missingval="", disable_numparse=False)


def refuse_unequal(label: str, ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> None:
    """End the program unless the largest difference is within ``tolerance`` of the largest value: a faster way to
    something else is no result."""
    difference, largest = float((ours - theirs).detach().abs().max()), float(theirs.detach().abs().max())
    if not difference <= tolerance * largest:
        raise SystemExit(
            f"{label}: the two sides differ by {difference:.1e} of {largest:.1e}; their times mean nothing"
        )


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
