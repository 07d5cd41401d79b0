"""Work shared out over processes, in chunks; a process that loses its parent ends."""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from itertools import islice
from typing import TypeVar

from derainbench.errors import UserError
from derainbench.support.stopping import held
from derainbench.support.threads import available_cores

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_MOST = 8
_LARGEST_CHUNK = 16  # progress should move, and little be lost where a run is interrupted


def default_workers() -> int:
    """As many processes as there are cores for this one, at most 8."""
    return min(available_cores(), _MOST)


def in_chunks(
    work: Callable[[Sequence[_Item]], _Result], items: Sequence[_Item], workers: int, largest: int = _LARGEST_CHUNK
) -> Iterator[tuple[int, _Result]]:
    """``work`` on one part of ``items`` after another: (how many items the part had, its result), as they are ready.

    Neighbours stay together, at most ``largest`` of them. Only a few parts are under way at a time: what results need
    of memory is the caller's affair. With one worker, or too little to share, it happens in this process; otherwise in
    new ones ("spawn"), so that ``work`` must be picklable: a module's function, or a ``partial`` of one. The first
    exception ends it; parts that were begun are finished. :class:`UserError` where a process was killed
    or none could start.
    """
    size = max(1, min(largest, math.ceil(len(items) / (4 * workers))))
    starts = range(0, len(items), size)
    chunks = (items[start : start + size] for start in starts)
    workers = min(workers, len(starts))
    if workers <= 1:
        yield from ((len(chunk), work(chunk)) for chunk in chunks)
        return
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.RawValue(ctypes.c_bool, False)  # without a lock, that a worker may die with
    started = spawn.RawValue(ctypes.c_bool, False)
    pool = ProcessPoolExecutor(workers, spawn, initializer=_prepare_worker, initargs=(stop, started))
    try:
        with interrupts_held():
            futures = {pool.submit(_unless_stopped, work, chunk): len(chunk) for chunk in islice(chunks, 3 * workers)}
        while futures:
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                yield futures.pop(future), future.result()
                futures.update((pool.submit(_unless_stopped, work, chunk), len(chunk)) for chunk in islice(chunks, 1))
    except BrokenProcessPool as error:
        if not started.value:  # each began by running the caller's script again, which got here itself
            raise UserError(
                "worker processes could not start: call from a script, under `if __name__ == '__main__':`, or use one"
                " worker"
            ) from error
        raise UserError(
            "a worker process was killed, by lack of memory perhaps; give fewer --workers and run the same command"
            " again, what is finished is kept"
        ) from error
    finally:
        stop.value = True  # the pool hands out more parts than are begun, and cannot take those back
        pool.shutdown(wait=True, cancel_futures=True)


def interrupts_held() -> AbstractContextManager[None]:
    """Processes that start in the block never hear of Ctrl-C: in its first moments a Python would die of it aloud."""
    return held(signal.SIGINT)


class _Worker:
    """What a worker process knows of its pool."""

    stop: ctypes.c_bool


def _prepare_worker(stop: ctypes.c_bool, started: ctypes.c_bool) -> None:
    started.value = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its workers in good order
    threading.Thread(target=end_with_parent, daemon=True).start()
    _Worker.stop = stop


def _unless_stopped(work: Callable[[Sequence[_Item]], _Result], items: Sequence[_Item]) -> _Result:
    if _Worker.stop.value:
        raise InterruptedError("nobody waits for this part")
    return work(items)


def end_with_parent() -> None:
    """A worker whose parent is killed would otherwise wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
