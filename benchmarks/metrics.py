"""The default metric protocols against scikit-image measuring the same: ``python benchmarks/metrics.py``.

Prints medians and ratios (scikit-image's time / ours) for one 321x481 pair, the size of a Rain100L image, interleaved
in one run. Both sides start from float arrays in [0, 1] and do all that a protocol asks: rounding, colour, PSNR, SSIM.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import skimage.metrics
import torch
from tabulate import tabulate

from derainbench.metrics import DEFAULT_PROTOCOLS, score_all

HEIGHT, WIDTH = 321, 481
METRICS: Any = skimage.metrics  # has no type annotations
WANG: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def measure(x: np.ndarray, y: np.ndarray, data_range: int, **ssim: Any) -> tuple[float, float]:
    psnr = METRICS.peak_signal_noise_ratio(y, x, data_range=data_range)
    return psnr, METRICS.structural_similarity(y, x, data_range=data_range, **ssim)


def reference_y(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    x, y = (np.rint(image * 255) @ (65.481, 128.553, 24.966) / 255 + 16 for image in (x, y))
    return measure(x, y, 255, **WANG)


def reference_rgb(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return measure(np.rint(x * 255), np.rint(y * 255), 255, channel_axis=2, **WANG)


def reference_u7(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return measure(x, y, 1, channel_axis=2)


REFERENCES = {"y": reference_y, "rgb": reference_rgb, "rgb-float-u7": reference_u7}


def reference(names: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return [REFERENCES[n](x, y) for n in names]


def ours(names: tuple[str, ...], x: torch.Tensor, y: torch.Tensor) -> list[tuple[float, float]]:
    return [(float(s.psnr), float(s.ssim)) for s in score_all(x, y, names).values()]


def machine() -> str:
    """The processor's name where Linux tells it, and how many of them there are."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return f"{found[1] if found else platform.machine()}, {os.cpu_count()} processors"


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--threads", type=int, default=2, help="torch threads; scikit-image has one (default: %(default)s)"
    )
    parser.add_argument(
        "--repeats", type=int, default=9, help="interleaved repetitions, at least 5 (default: %(default)s)"
    )
    options = parser.parse_args()
    if options.repeats < 5:
        parser.error("--repeats: a median of fewer than 5 is no measurement")
    torch.set_num_threads(options.threads)

    random = np.random.default_rng(0)
    clean = random.random((HEIGHT, WIDTH, 3))
    restored = np.clip(clean + random.normal(0, 0.05, clean.shape), 0, 1)
    tensors = {
        dtype: tuple(torch.from_numpy(a).permute(2, 0, 1)[None].to(dtype).contiguous() for a in (restored, clean))
        for dtype in (torch.float64, torch.float32)
    }

    rows = []
    for label, names in [*((n, (n,)) for n in DEFAULT_PROTOCOLS), ("the three together", DEFAULT_PROTOCOLS)]:
        calls = {
            "scikit-image": partial(reference, names, restored, clean),
            **{str(dtype).removeprefix("torch."): partial(ours, names, *pair) for dtype, pair in tensors.items()},
        }
        if not np.allclose(calls["float64"](), calls["scikit-image"](), rtol=0, atol=1e-9):
            raise SystemExit(f"{label}: the two sides disagree, so their times mean nothing")
        calls["float32"]()  # the check above warmed the other two
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(options.repeats):
            for name, call in calls.items():
                times[name].append(milliseconds(call))
        theirs, double, single = (statistics.median(t) for t in times.values())
        rows.append((label, theirs, double, single, theirs / double, theirs / single))

    print(f"one {HEIGHT}x{WIDTH} pair; medians of {options.repeats} interleaved; {options.threads} torch threads")
    print(f"{machine()}; torch {torch.__version__}, scikit-image {version('scikit-image')}")
    headers = ("protocol", "scikit-image ms", "float64 ms", "float32 ms", "float64 ratio", "float32 ratio")
    print(tabulate(rows, headers=headers, floatfmt=".1f"))


if __name__ == "__main__":
    main()
