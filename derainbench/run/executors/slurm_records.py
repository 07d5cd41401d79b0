"""Which job of Slurm's does a cell: kept in the run folder, for a driver that comes after one that was killed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from derainbench.run.cell_file import folder_of
from derainbench.support.atomic import write_json


class Record(BaseModel):
    """A cell's name, its key, and the number of the job that was submitted for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cell: str
    key: str
    job: str


def folder_of_jobs(run: Path, cell: str) -> Path:
    """Where a cell's jobs have their scripts and write what they say: on a disk that all machines see."""
    return run / ".slurm" / folder_of(run, cell).name


def keep(run: Path, record: Record) -> None:
    """Write down that a job was submitted."""
    write_json(folder_of_jobs(run, record.cell) / "job.json", record.model_dump(mode="json"))


def records(run: Path) -> Iterator[Record]:
    """Every job that was written down and not discarded."""
    for path in sorted((run / ".slurm").glob("*/job.json")):
        with contextlib.suppress(OSError, ValidationError):
            yield Record.model_validate_json(path.read_bytes())


def discard(run: Path, cell: str) -> None:
    """Take away everything of a cell's jobs."""
    shutil.rmtree(folder_of_jobs(run, cell), ignore_errors=True)
    with contextlib.suppress(OSError):
        (run / ".slurm").rmdir()
