"""What carries out cells, whatever and wherever it is."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol, Self

from derainbench.run.cells import Cell
from derainbench.run.work import Ending, Teller


class Executor(Protocol):
    """As :class:`concurrent.futures.Executor`, for cells: at most ``slots`` of them at a time."""

    slots: int

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        """Begin a cell. The future has :class:`StorageError` where the disk refuses."""

    def poll(self) -> None:
        """Tell the tellers what is new."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """What is under way is asked to save its state, and waited for."""
