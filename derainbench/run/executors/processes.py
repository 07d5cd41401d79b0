"""Cells carried out in processes of this machine, one on each of several devices."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

from derainbench.errors import StorageError
from derainbench.run.cell_file import Follower, forget
from derainbench.run.cells import Cell
from derainbench.run.elsewhere import carry_out_elsewhere
from derainbench.run.job import Job, Words, job_of
from derainbench.run.work import Ending, Teller
from derainbench.support.stopping import Stopped
from derainbench.support.threads import available_cores
from derainbench.support.workers import interrupts_held


class Processes:
    """A new process for each cell, one at a time on each device: what one leaves behind ends with it."""

    def __init__(self, words: Words, devices: Sequence[str], threads: int | None = None) -> None:
        self._words, self._free = words, list(devices)
        self.slots = len(devices)
        processes = sum(len(group.split("+")) for group in devices)
        self._threads = threads or max(1, available_cores() // processes)
        self._under_way: dict[str, _UnderWay] = {}
        self._waiting: list[threading.Thread] = []

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        device, future = self._free.pop(0), Future[Ending]()
        receiving, sending = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(
            target=_child, args=(job_of(cell), cell.name, self._words, device, self._threads, sending), daemon=False
        )
        with _threads_of_children(self._threads), interrupts_held():
            process.start()
        sending.close()
        self._under_way[cell.name] = _UnderWay(process, device, Follower(self._words.folder, cell.name, teller))
        waiting = threading.Thread(target=self._await, args=(cell.name, receiving, future), daemon=True)
        self._waiting.append(waiting)
        waiting.start()
        return future

    def poll(self) -> None:
        for each in list(self._under_way.values()):
            each.follower.look(each.process.pid)

    def __enter__(self) -> Self:
        forget(self._words.folder)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for each in list(self._under_way.values()):
            each.process.terminate()
        for thread in self._waiting:  # they take away what is left of each cell
            thread.join()
        forget(self._words.folder)

    def _await(self, name: str, receiving: Connection, future: Future[Ending]) -> None:
        """Hand on what a cell's process answers, or that it ended without an answer; its device is free before."""
        process = self._under_way[name].process
        try:
            answer = receiving.recv()
        except (EOFError, OSError):
            answer = None
        process.join()
        forget(self._words.folder, name)
        self._free.append(self._under_way.pop(name).device)
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer or Ending(0.0, _why(process.exitcode)))


_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class _UnderWay:
    """A cell's process, where it is, and who tells of it."""

    process: BaseProcess
    device: str
    follower: Follower


@contextlib.contextmanager
def _threads_of_children(count: int) -> Iterator[None]:
    """What starts in this block computes with so many threads, also in libraries that read it when they are loaded."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _why(status: int | None) -> str:
    if status == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory; what it had saved is kept: run it again"
    return f"its process ended with status {status} and without a word; what it had saved is kept: run it again"


def _child(job: Job, name: str, words: Words, device: str, threads: int, answer: Connection) -> None:
    """The process of one cell."""
    from derainbench.support.stopping import obeyed_once
    from derainbench.support.workers import end_with_parent

    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        with obeyed_once():
            answer.send(_carry_out(job, name, words, device.split("+"), threads))
    except StorageError as error:
        answer.send(error)
    except Stopped as stopped:
        os._exit(stopped.status)


def _carry_out(job: Job, name: str, words: Words, devices: Sequence[str], threads: int) -> Ending:
    """A training on all of the devices together; an evaluation, which cannot be shared out, on the first."""
    if len(devices) > 1 and job.recipe is not None:
        from derainbench.run.ranks import train_together

        return train_together(job, name, words, devices, threads)
    return carry_out_elsewhere(job, name, words, devices[0], threads)
