"""One cell in a process of its own: what it leaves behind ends with it, and a signal has it save its state."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection

from derainbench.errors import StorageError, UserError
from derainbench.run.elsewhere import carry_out_elsewhere
from derainbench.run.executors.forks import context
from derainbench.run.job import Job, Words
from derainbench.run.work import Ending, why_silent
from derainbench.support.stopping import Stopped, obeyed_once
from derainbench.support.workers import end_with_parent, interrupts_held


class Child:
    """The process, which is started. It ends with this one, also where this one is killed."""

    def __init__(
        self,
        job: Job,
        name: str,
        words: Words,
        device: str,
        threads: int,
        patience: float = 0.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._answer, sending = _NEW.Pipe(duplex=False)
        # OMP_NUM_THREADS: also libraries that read it when they are loaded compute with so many threads
        with _environment({"OMP_NUM_THREADS": str(threads), **(environment or {})}), interrupts_held():
            self._process = _NEW.Process(
                target=_child,
                args=(job, name, words, device, threads, patience, dict(os.environ), sending),
                daemon=False,
            )
            self._process.start()
        sending.close()

    @property
    def process(self) -> int | None:
        """The process's number."""
        return self._process.pid

    def ended(self, seconds: float) -> bool:
        """Whether there is an answer, or none to wait for any more; waits so long for it."""
        return self._answer.poll(seconds)

    def answer(self) -> Ending | StorageError | None:
        """How the cell ended, when the process has ended too; None if it did so without a word."""
        try:
            answer: Ending | StorageError | None = self._answer.recv()
        except (EOFError, OSError):
            answer = None
        self._process.join()
        return answer

    @property
    def why(self) -> str:
        """Why there was no answer, in words for the cell's user."""
        return why_silent("its process", self._process.exitcode)

    def stop(self) -> None:
        """Ask it to save its state and end."""
        self._process.terminate()


_NEW = context()


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What starts in this block has these variables."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _child(
    job: Job,
    name: str,
    words: Words,
    device: str,
    threads: int,
    patience: float,
    environment: Mapping[str, str],
    answer: Connection,
) -> None:
    """The process of one cell."""
    os.environ.clear()  # a fork has the one of the first
    os.environ.update(environment)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        with obeyed_once():
            answer.send(_carry_out(job, name, words, device.split("+"), threads, patience))
    except StorageError as error:
        answer.send(error)
    except UserError as held:  # by another process
        answer.send(Ending(0.0, str(held)))
    except Stopped as stopped:
        os._exit(stopped.status)


def _carry_out(job: Job, name: str, words: Words, devices: Sequence[str], threads: int, patience: float) -> Ending:
    """A training on all of the devices together; an evaluation, which cannot be shared out, on the first."""
    if len(devices) > 1 and job.recipe is not None:
        from derainbench.run.ranks import train_together

        return train_together(job, name, words, devices, threads)
    return carry_out_elsewhere(job, name, words, devices[0], threads, patience)
