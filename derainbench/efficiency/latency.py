"""How long a computation takes: warmed up, on a device that has really finished, several times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

#: Warm-up goes on until a second has passed, at most so many times: clocks, caches and allocators settle.
WARM_UP_SECONDS, WARM_UP_MOST = 1.0, 10
#: Where no number of repeats is asked for: as many as fit into this time, within these bounds.
SECONDS, FEWEST, MOST = 10.0, 3, 50
#: Less time altogether tells nothing of how much of it the processor was had: clocks of processor time are coarse.
LEAST_FOR_SHARE = 0.2


class Timing(NamedTuple):
    """Seconds: the median and the quartiles around it, of ``repeats`` runs.

    ``cpu_share`` is for how much of all their time the calling thread had a processor, None where that says nothing:
    on other devices than the CPU, or of too short a time. On an idle machine it is 1 whatever the number of threads,
    since that thread computes along with the others and ends when they do.
    """

    repeats: int
    median: float
    low: float
    high: float
    cpu_share: float | None = None


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all it was given; a GPU's calls return before that."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def time_runs(run: Callable[[], object], device: torch.device, repeats: int | None = None) -> Timing:
    """Time ``run`` on ``device``, ``repeats`` times after a warm-up; None: by :data:`SECONDS`."""
    spent, times = 0.0, 0
    while times == 0 or (spent < WARM_UP_SECONDS and times < WARM_UP_MOST):
        spent, times = spent + _seconds(run, device), times + 1
    found: list[float] = []
    had = -time.thread_time()
    while len(found) < (repeats or MOST):
        if repeats is None and len(found) >= FEWEST and sum(found) >= SECONDS:
            break
        found.append(_seconds(run, device))
    had += time.thread_time()
    low, median, high = (float(value) for value in np.percentile(found, [25, 50, 75]))
    telling = device.type == "cpu" and sum(found) >= LEAST_FOR_SHARE
    return Timing(len(found), median, low, high, min(1.0, had / sum(found)) if telling else None)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    synchronise(device)
    start = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - start
