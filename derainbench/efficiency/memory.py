"""The most memory a computation takes, as each kind of device can tell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from derainbench.efficiency.latency import synchronise


class Peak(NamedTuple):
    """``peak`` bytes, or None with the reason in ``why_not``; ``before`` bytes were taken before it began."""

    peak: int | None
    before: int | None
    why_not: str = ""


def peak_of(run: Callable[[], object], device: torch.device) -> Peak:
    """Run it once and see how much memory it took. On the CPU the process must be a fresh one: its peak never falls."""
    if device.type == "cuda":
        synchronise(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        synchronise(device)
        return Peak(torch.cuda.max_memory_allocated(device), before)
    resident = peak_resident() if device.type == "cpu" else None
    run()
    synchronise(device)
    if device.type == "cpu":
        why = "" if resident is not None else f"{sys.platform} does not tell a process its peak"
        return Peak(peak_resident(), resident, why)
    return Peak(None, None, f"torch keeps no peak of {device.type} memory")


def peak_resident() -> int | None:
    """The most resident memory this process ever had, in bytes; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage here: on Linux it begins at what the parent had when it started this process
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes there
    return None
