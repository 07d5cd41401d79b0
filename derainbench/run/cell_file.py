"""What a cell that is under way says of itself: a small file that any process, or machine, can read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from derainbench.errors import UserError
from derainbench.run.work import Teller
from derainbench.support.atomic import remove, write_json
from derainbench.support.lock import locked

#: Seconds between two writings of the file.
EVERY = 1.0


class UnderWay(BaseModel):
    """How far a cell is, where, since when; times are seconds since 1970. ``resumed`` is the step it went on from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cell: str
    host: str
    process: int
    device: str
    started: float
    updated: float
    done: int = 0
    total: int = 0
    loss: float | None = None
    resumed: int | None = None
    notes: tuple[str, ...] = ()


def folder_of(run: Path, cell: str) -> Path:
    """Where a cell's lock and file are while it is under way: outside its own folder, which is replaced."""
    return run / ".cells" / hashlib.sha256(cell.encode()).hexdigest()[:24]


def forget(run: Path, cell: str | None = None) -> None:
    """Take away what was said of a cell, or of all, by whoever holds the run's lock. Who holds a cell's lock keeps it:
    a process whose driver was killed a moment ago."""
    folders = [folder_of(run, cell)] if cell is not None else [*(run / ".cells").glob("*")]
    for folder in folders:
        remove(folder / "progress.json")
        with contextlib.suppress(UserError), locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        (run / ".cells").rmdir()


def read_under_way(run: Path, cell: str) -> UnderWay | None:
    """What a cell last said; None where it is not under way, or says nothing that can be read."""
    try:
        return UnderWay.model_validate_json((folder_of(run, cell) / "progress.json").read_bytes())
    except (OSError, ValidationError):
        return None


def all_under_way(run: Path) -> list[UnderWay]:
    """What all cells under way say, by name."""
    found = []
    for file in (run / ".cells").glob("*/progress.json"):
        with contextlib.suppress(OSError, ValidationError):
            found.append(UnderWay.model_validate_json(file.read_bytes()))
    return sorted(found, key=lambda each: each.cell)


class CellFile:
    """Writes the file, at most every :data:`EVERY` seconds: a :class:`.work.Teller`.

    ``process`` is whose number it tells, this one's by default.
    """

    def __init__(
        self,
        run: Path,
        cell: str,
        device: str | Sequence[str],
        clock: Callable[[], float] = time.time,
        process: int | None = None,
    ) -> None:
        self._path, self._clock = folder_of(run, cell) / "progress.json", clock
        now, place = clock(), device if isinstance(device, str) else " + ".join(device)
        self._said = UnderWay(
            cell=cell, host=platform.node(), process=process or os.getpid(), device=place, started=now, updated=now
        )
        self._write()

    def progress(self, done: int, total: int, loss: float | None) -> None:
        if self._clock() - self._said.updated >= EVERY:
            self._change(done=done, total=total, loss=loss)

    def resumed(self, done: int, total: int) -> None:
        self._change(done=done, total=total, resumed=done)

    def note(self, text: str) -> None:
        self._change(notes=(*self._said.notes, text))

    def _change(self, **values: object) -> None:
        self._said = self._said.model_copy(update={**values, "updated": self._clock()})
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, self._said.model_dump(mode="json"))


class Follower:
    """Tells a teller what a cell's file says, each thing once each time that the cell is begun."""

    def __init__(self, run: Path, cell: str, teller: Teller) -> None:
        self._run, self._cell, self._teller = run, cell, teller
        self._told: UnderWay | None = None

    def look(self, process: int | None = None) -> UnderWay | None:
        """What it says now; a file of another process than ``process``, if given, says nothing."""
        said, before = read_under_way(self._run, self._cell), self._told
        if said is None or said == before or (process is not None and said.process != process):
            return said
        if before is not None and before.started != said.started:
            before = None  # the cell was begun again, in another process
        if said.resumed is not None and (before is None or before.resumed is None):
            self._teller.resumed(said.resumed, said.total)
        for text in said.notes[0 if before is None else len(before.notes) :]:
            self._teller.note(text)
        if said.total:
            self._teller.progress(said.done, said.total, said.loss)
        self._told = said
        return said
