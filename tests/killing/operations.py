"""Counts a process's file operations, and sends it a signal before one of them."""

from __future__ import annotations

import os
import sys
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

_TOUCHING = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.scandir", "os.utime")


class _Operations:
    def __init__(self, folder: str, at: int | None, signal: int) -> None:
        self.count, self._folder, self._at, self._signal = 0, folder, at, signal

    def told(self, event: str, arguments: tuple[Any, ...]) -> None:
        touched = arguments[0] if event in _TOUCHING and arguments else None
        if isinstance(touched, str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(touched))  # noqa: PTH100 - nothing is to be looked up here
            if path.startswith(self._folder):
                self.passed()

    def passed(self) -> None:
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), self._signal)


def watch(folder: str, at: int | None, signal: int, counted: str) -> None:
    """From now on count operations, and send this process ``signal`` before number ``at``.

    They are those that Python tells its audit hooks of, on files below ``folder``, and every ``fsync``. ``counted`` is
    the file in which their number is when the process ends by itself.
    """
    operations, fsync = _Operations(folder, at, signal), os.fsync

    def counted_fsync(fd: Any) -> None:
        operations.passed()
        fsync(fd)

    os.fsync = counted_fsync
    sys.addaudithook(operations.told)
    Finalize(None, lambda: Path(counted).write_text(str(operations.count)), exitpriority=0)
