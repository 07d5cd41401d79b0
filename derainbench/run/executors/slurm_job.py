"""What a job of Slurm does: one cell, until it is done or Slurm wants the machine back."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from derainbench.errors import StorageError
from derainbench.run.executors.slurm_queue import requeue, state_of
from derainbench.run.job import Job, Words
from derainbench.run.work import Ending

#: How often a job that saves nothing before its end comes is begun again.
FRUITLESS = 3


def carry_out_in_job(
    job: Job, name: str, words: Words, device: str, threads: int | None
) -> Ending | StorageError | None:
    """Do a cell within a job of submitit's. Where a signal ends it, what it has is saved, and the job begins again
    unless somebody cancelled it: it does not return then, or None where Slurm would not begin it again.

    Slurm tells a job by submitit's signal that its time is nearly over, and by SIGTERM that it makes room for another
    (as where somebody cancels it: then its state says so).
    """
    from submitit import JobEnvironment

    from derainbench.run.elsewhere import carry_out_elsewhere
    from derainbench.support.stopping import Stopped, obeyed_once

    number, before = JobEnvironment().job_id, saved(words.folder, name)
    notice = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
    try:
        with obeyed_once(notice) as came:
            ending = carry_out_elsewhere(job, name, words, device, threads or _cores())
        if not (ending.error and came()):  # processes that load data may die of the signal first, and the cell of them
            return ending
    except StorageError as error:
        return error
    except Stopped:
        pass
    finally:
        signal.signal(notice, signal.SIG_IGN)  # submitit would take it for a failure
    if state_of(number) != "RUNNING":  # it was cancelled, or is begun again without its doing
        os._exit(128 + signal.SIGTERM)
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if restarts >= FRUITLESS and saved(words.folder, name) == before:
        return Ending(0.0, f"its job {number} was ended {restarts + 1} times before it had anything to save; {_REMEDY}")
    if requeue(number):
        os._exit(128 + signal.SIGTERM)
    return None


_REMEDY = "give --executor slurm=time=... with more time, or another partition"


def saved(run: Path, name: str) -> tuple[int, ...]:
    """When what a cell goes on from was last written."""
    states = (run / name / "checkpoint.pt", run / name / "scores.partial.jsonl")
    found = []
    for path in states:
        with contextlib.suppress(OSError):
            found.append(path.stat().st_mtime_ns)
    return tuple(found)


def _cores() -> int:
    """As many threads as the job has cores: a machine may have more that it can see, and not all are its own."""
    return int(os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or "1")
