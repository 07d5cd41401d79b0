"""One training carried out by several processes of this machine: started, watched and ended together."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from derainbench.engine.ranks import become_rank
from derainbench.errors import FOREIGN, StorageError, UserError, one_line
from derainbench.run.cell_file import CellFile, folder_of
from derainbench.run.job import Job, Words
from derainbench.run.work import Ending, Teller, why_silent
from derainbench.support.lock import locked
from derainbench.support.stopping import Stopped
from derainbench.support.workers import interrupts_held

#: Seconds that the other processes have for ending by themselves once the first one has written the result.
LAST = 30.0

#: Seconds for which a process that broke off is not believed alone: another's end, which broke it, may not be seen yet.
CAUSE = 3.0

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class _Part:
    """What one of the processes is told: its number, the cell in words, the devices of all, and where they meet."""

    number: int
    job: Job
    name: str
    words: Words
    devices: tuple[str, ...]
    threads: int
    port: int


def train_together(job: Job, name: str, words: Words, devices: Sequence[str], threads: int) -> Ending:
    """Carry out a training by a process on each device, under the cell's own lock.

    The first that ends without having been asked to ends all, and what it says is how the training ended: the others
    would wait for it for ever. :class:`.stopping.Stopped` is passed on to the process that saves the state.
    :class:`UserError` where another process holds the cell.
    """
    port = _free_port()
    with locked(folder_of(words.folder, name)):
        parts = [_Part(number, job, name, words, tuple(devices), threads, port) for number in range(len(devices))]
        ranks = [_Rank(part) for part in parts]
        try:
            return _first_ending(ranks)
        except Stopped:
            ranks[0].process.terminate()
            ranks[0].process.join()
            raise
        finally:
            for rank in ranks:
                rank.process.kill()
                rank.process.join()
                rank.answer.close()


@dataclass(frozen=True)
class _Said:
    """How one of the processes says that the training ended, and when: the clock is the machine's."""

    ending: Ending
    when: float = field(default_factory=time.monotonic)


class _Rank:
    """One of the processes, and where it answers."""

    def __init__(self, part: _Part) -> None:
        self.answer, sending = _SPAWN.Pipe(duplex=False)
        self.process: BaseProcess = _SPAWN.Process(target=_rank, args=(part, sending), daemon=False)
        with interrupts_held():
            self.process.start()
        sending.close()


def _first_ending(ranks: Sequence[_Rank]) -> Ending:
    """What the first process says that has something to say: rank 0 of the result, any of an error."""
    left = {rank.answer: rank for rank in ranks}
    broken: list[_Said] = []
    until: float | None = None
    while True:
        ready = wait(list(left), None if until is None else max(0.0, until - time.monotonic())) if left else []
        if not ready:  # all have said what broke them, or the others go on
            return min(broken, key=lambda said: said.when).ending
        for answer in ready:
            assert isinstance(answer, Connection)
            rank = left.pop(answer)
            try:
                said = answer.recv()
            except EOFError:
                rank.process.join()
                return Ending(0.0, why_silent("one of the processes that trained together", rank.process.exitcode))
            if isinstance(said, BaseException):
                raise said
            if said is None:  # it has done its part
                continue
            assert isinstance(said, _Said)
            if said.ending.crash:  # perhaps only because another one is gone
                broken.append(said)
                until = until or time.monotonic() + CAUSE
                continue
            if rank is ranks[0]:
                for other in ranks[1:]:
                    other.process.join(LAST)
            return said.ending


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class _Silent:
    """A teller of a process of which another one tells."""

    def progress(self, done: int, total: int, loss: float | None) -> None:
        pass

    def resumed(self, done: int, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def _rank(part: _Part, answer: Connection) -> None:
    """One of the processes, from its beginning to its end."""
    from derainbench.support.stopping import SIGNALS, obeyed_once
    from derainbench.support.workers import end_with_parent

    threading.Thread(target=end_with_parent, daemon=True).start()
    become_rank(part.number, len(part.devices), part.port)
    try:
        if part.number:
            for each in SIGNALS:  # it goes on until the first has saved a state to which all contributed
                signal.signal(each, signal.SIG_IGN)
            _train(part, _Silent())
            answer.send(None)
        else:
            with obeyed_once():
                teller = CellFile(part.words.folder, part.name, part.devices, process=os.getppid())
                answer.send(_Said(_train(part, teller)))
    except Stopped as stopped:
        os._exit(stopped.status)
    except StorageError as error:
        answer.send(error)
    except UserError as mistake:
        answer.send(_Said(Ending(0.0, str(mistake))))
    except FOREIGN as exception:
        answer.send(_Said(Ending(0.0, f"{type(exception).__name__}: {one_line(exception)}", repr(exception))))
    with contextlib.suppress(OSError):
        answer.close()
    os._exit(0)  # without goodbyes to processes that may be gone


def _train(part: _Part, teller: Teller) -> Ending:
    import torch

    from derainbench.engine.device import choose_engine
    from derainbench.plugins.registry import discover
    from derainbench.run.cells import TrainCell
    from derainbench.run.choices import dataset_finder
    from derainbench.run.job import cell_of
    from derainbench.run.store import Store
    from derainbench.run.work import carry_out, train_cell

    words = part.words
    torch.set_num_threads(part.threads)
    cell = cell_of(part.job, discover(words.plugin), dataset_finder(words.card, words.data_root))
    assert isinstance(cell, TrainCell)
    engine = choose_engine(part.devices[part.number], part.job.precision, part.devices)
    engine.fabric.launch()
    if not part.number:
        return carry_out(cell, Store(words.folder), engine, words.aside, teller)
    train_cell(cell, words.folder / cell.name, engine, words.aside, teller)
    return Ending(0.0)
