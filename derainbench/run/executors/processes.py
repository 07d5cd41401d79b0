"""Cells carried out in processes of this machine, one on each of several devices."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Self

from derainbench.errors import StorageError
from derainbench.run.cell_file import Follower, forget
from derainbench.run.cells import Cell
from derainbench.run.executors.child import Child
from derainbench.run.job import Words, job_of
from derainbench.run.work import Ending, Teller
from derainbench.support.threads import available_cores


class Processes:
    """A new process for each cell, one at a time on each device."""

    def __init__(self, words: Words, devices: Sequence[str], threads: int | None = None) -> None:
        self._words, self._free = words, list(devices)
        self.slots = len(devices)
        processes = sum(len(group.split("+")) for group in devices)
        self._threads = threads or max(1, available_cores() // processes)
        self._under_way: dict[str, _UnderWay] = {}
        self._waiting: list[threading.Thread] = []

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        device, future = self._free.pop(0), Future[Ending]()
        child = Child(job_of(cell), cell.name, self._words, device, self._threads)
        self._under_way[cell.name] = _UnderWay(child, device, Follower(self._words.folder, cell.name, teller))
        waiting = threading.Thread(target=self._await, args=(cell.name, future), daemon=True)
        self._waiting.append(waiting)
        waiting.start()
        return future

    def poll(self) -> None:
        for each in list(self._under_way.values()):
            each.follower.look(each.child.process)

    def __enter__(self) -> Self:
        forget(self._words.folder)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for each in list(self._under_way.values()):
            each.child.stop()
        for thread in self._waiting:  # they take away what is left of each cell
            thread.join()
        forget(self._words.folder)

    def _await(self, name: str, future: Future[Ending]) -> None:
        """Hand on what a cell's process answers, or that it ended without an answer; its device is free before."""
        child = self._under_way[name].child
        answer = child.answer()
        forget(self._words.folder, name)
        self._free.append(self._under_way.pop(name).device)
        if isinstance(answer, StorageError):
            future.set_exception(answer)
        else:
            future.set_result(answer or Ending(0.0, child.why))


@dataclass(frozen=True)
class _UnderWay:
    """A cell's process, where it is, and who tells of it."""

    child: Child
    device: str
    follower: Follower
