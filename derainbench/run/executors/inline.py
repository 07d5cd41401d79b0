"""Cells carried out in this process, one after another."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from derainbench.engine.device import Engine
from derainbench.errors import StorageError, UserError
from derainbench.run.cell_file import CellFile, folder_of, forget
from derainbench.run.cells import Cell
from derainbench.run.driver_file import obey_if_asked
from derainbench.run.job import Aside
from derainbench.run.store import Store
from derainbench.run.work import Ending, Teller, carry_out
from derainbench.support.lock import locked


class Inline:
    """One cell at a time, in this process."""

    slots = 1

    def __init__(self, store: Store, engine: Engine, aside: Aside) -> None:
        self._store, self._engine, self._aside = store, engine, aside

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        future = Future[Ending]()
        future.set_result(self._carry_out(cell, teller))
        forget(self._store.folder, cell.name)
        return future

    def poll(self) -> None:
        pass

    def __enter__(self) -> Self:
        forget(self._store.folder)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        forget(self._store.folder)

    def _carry_out(self, cell: Cell, teller: Teller) -> Ending:
        """Under the cell's own lock, too: a driver that was killed may have left jobs that go on with it."""
        run = self._store.folder
        try:
            with locked(folder_of(run, cell.name)):
                told = _Told(teller, CellFile(run, cell.name, str(self._engine.device)), run)
                return carry_out(cell, self._store, self._engine, self._aside, told)
        except StorageError:
            raise
        except UserError as held:
            return Ending(0.0, str(held))


@dataclass(frozen=True)
class _Told:
    """Tells the driver's teller and the cell's file, and heeds who asks the run to stop."""

    teller: Teller
    file: CellFile
    run: Path

    def progress(self, done: int, total: int, loss: float | None) -> None:
        self.teller.progress(done, total, loss)
        self.file.progress(done, total, loss)
        obey_if_asked(self.run)

    def resumed(self, done: int, total: int) -> None:
        self.teller.resumed(done, total)
        self.file.resumed(done, total)

    def note(self, text: str) -> None:
        self.teller.note(text)
        self.file.note(text)
