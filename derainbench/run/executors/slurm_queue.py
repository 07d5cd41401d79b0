"""What Slurm's own commands say of jobs, and what is asked of them."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from derainbench.support.stopping import SIGNALS, held

#: States in which a job has ended. Whatever else one is in, it may still run, or run again.
_ENDED = frozenset(
    [
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    ]
)

#: Seconds for which a controller that is busy is waited for.
_PATIENCE = 60

#: Jobs that one command names.
_AT_ONCE = 200


@dataclass(frozen=True)
class Listed:
    """A job in Slurm's words: its state, why it waits, and its name."""

    state: str
    reason: str = ""
    name: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not run again by itself."""
        return self.state in _ENDED


def jobs_of_mine() -> Mapping[str, Listed] | None:
    """All jobs of this user that Slurm has in mind, by their numbers; None where it does not answer now."""
    with signals_held():
        out = _said(["squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%j"])
    if out is None:
        return None
    found = {}
    for line in out.splitlines():
        number, state, reason, name = line.split("|", 3)
        found[number] = Listed(state, reason, name)
    return found


def state_in_books(job: str) -> str:
    """The state of a job that Slurm no longer has in mind, if the cluster keeps books: otherwise ``UNKNOWN``."""
    with signals_held():
        out = _said(["sacct", "--noheader", "--allocations", "--parsable2", f"--jobs={job}", "--format=State"])
    # "CANCELLED by 1000"; a line for each time that it was started
    return (out or "").strip().rpartition("\n")[2].partition(" ")[0] or "UNKNOWN"


def state_of(job: str) -> str:
    """The state of a job that has not ended; empty where Slurm does not answer."""
    return (_said(["squeue", "--noheader", "--format=%T", f"--jobs={job}"]) or "").strip()


def requeue(job: str) -> bool:
    """Have a job begin again, from within it; whether Slurm agrees."""
    return _said(["scontrol", "requeue", job]) is not None


def cancel(jobs: Sequence[str]) -> None:
    """End jobs: those that run hear of it, and have some time."""
    with signals_held():
        for first in range(0, len(jobs), _AT_ONCE):
            if _said(["scancel", *jobs[first : first + _AT_ONCE]]) is None:
                logging.getLogger(__name__).warning("scancel fails: jobs go on, and the same command finds them")


def signals_held() -> AbstractContextManager[None]:
    """What asks for an end is obeyed after the block; Slurm's commands that start in it never hear of Ctrl-C."""
    return held(*SIGNALS)


def _said(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
