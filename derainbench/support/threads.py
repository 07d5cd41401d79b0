"""How many threads compute, and how they wait for each other."""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

#: How often a waiting thread looks before it sleeps, where cores are short: libgomp's own number is 300,000.
SPINS = 10_000

_CGROUPS = Path("/sys/fs/cgroup")


def wait_briefly_where_busy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Where other programs keep the machine busy, have OpenMP's threads give up a core soon while they wait.

    To be called before torch is there; whatever the user says of waiting stands. By default they spin for as long as a
    core's turn may take, which beside other programs is a wait for a thread that has no core. On a machine of one's own
    spinning is right: sleeping at once (``OMP_WAIT_POLICY=PASSIVE``) made two threads as slow as one there.
    """
    if busy_note() and not any(name in environment for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")):
        environment["GOMP_SPINCOUNT"] = str(SPINS)


def available_cores(cgroups: Path = _CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> int:
    """How many cores this process may use: those it is bound to, and no more than a container's limit allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _quota(cgroups, membership))))


def busy_note() -> str:
    """What to say where other programs want more of the machine than it has; empty where they do not."""
    if not hasattr(os, "getloadavg"):
        return ""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= cores:
        return ""
    return f"note: this machine is busy (load {load:.1f} on {cores} cores): all takes longer, and times say little"


def threads_note(threads: int) -> str:
    """What to say of so many threads here, in a line: more than cores, or several beside other programs, wait for each
    other at every layer; two commands of two threads on two cores took ten times as long each. Empty where all is well.
    """
    cores = available_cores()
    if threads > cores:
        return f"note: {threads} threads on {cores} cores wait for each other: give --threads {cores}"
    busy = busy_note()
    if busy and threads > 1:
        return f"{busy}; {threads} threads wait for each other then: --threads 1 may be many times faster"
    return busy


def _quota(cgroups: Path, membership: Path) -> float:
    """The least limit of the process's control groups, in cores; infinite where there is none."""
    try:
        groups = dict(line.split(":", 2)[1:] for line in membership.read_text().splitlines())
    except (OSError, ValueError):
        return math.inf
    found = [math.inf]
    for controllers, group in groups.items():
        below = group.strip("/").split("/")
        # A container may see its own group as the root, whatever it is called outside.
        for depth in range(len(below) + 1):
            if controllers == "":  # version 2
                found.append(_ratio(cgroups.joinpath(*below[:depth], "cpu.max")))
            elif "cpu" in controllers.split(","):
                place = cgroups.joinpath("cpu", *below[:depth])
                found.append(_ratio(place / "cpu.cfs_quota_us", place / "cpu.cfs_period_us"))
    return min(found)


def _ratio(*files: Path) -> float:
    """Quota by period, in one file or two; infinite where there is no limit."""
    try:
        quota, period = " ".join(file.read_text() for file in files).split()
        return int(quota) / int(period) if int(quota) > 0 and int(period) > 0 else math.inf
    except (OSError, ValueError):  # "max", too
        return math.inf
