"""One process at a time in a folder that is written to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from derainbench.atomic import storage_error
from derainbench.errors import UserError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which is made: two processes that write into it at once would undo each other's work.

    :class:`UserError` where another process holds it; a process that died holds nothing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except filelock.Timeout as error:
        raise UserError(f"{folder} is in use by another process; wait for it or give another --out") from error
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        yield
    finally:
        lock.release()
