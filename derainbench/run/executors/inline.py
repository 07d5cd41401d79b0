"""Cells carried out in this process, one after another."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Self

from derainbench.engine.device import Engine
from derainbench.run.cell_file import CellFile, forget
from derainbench.run.cells import Cell
from derainbench.run.store import Store
from derainbench.run.work import Ending, Teller, carry_out


class Inline:
    """One cell at a time, in this process."""

    slots = 1

    def __init__(self, store: Store, engine: Engine, workers: int | None) -> None:
        self._store, self._engine, self._workers = store, engine, workers

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        future, file = Future[Ending](), CellFile(self._store.folder, cell.name, str(self._engine.device))
        future.set_result(carry_out(cell, self._store, self._engine, self._workers, _Both(teller, file)))
        forget(self._store.folder, cell.name)
        return future

    def poll(self) -> None:
        pass

    def __enter__(self) -> Self:
        forget(self._store.folder)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        forget(self._store.folder)


@dataclass(frozen=True)
class _Both:
    """Tells two."""

    first: Teller
    second: Teller

    def progress(self, done: int, total: int, loss: float | None) -> None:
        self.first.progress(done, total, loss)
        self.second.progress(done, total, loss)

    def resumed(self, done: int, total: int) -> None:
        self.first.resumed(done, total)
        self.second.resumed(done, total)

    def note(self, text: str) -> None:
        self.first.note(text)
        self.second.note(text)
