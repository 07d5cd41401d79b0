"""A sparse file of arrays at offsets known beforehand, filled by whichever process needs one first, without locks."""

from __future__ import annotations

import mmap
import os
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What writing leaves free on the disk: checkpoints and results must still find room.
RESERVE_BYTES = 1 << 30

#: A file in use has a time of change at most about this old, in seconds; older ones may be removed.
TOUCH_EVERY = 600.0

_ALIGNMENT = 64  # bytes: any type of number may be read in place
_FILLED = 1 << 32  # above the 32 bits of a checksum, so that a place never filled, all zero, is told from it


class DecodedFile:
    """Arrays of bytes, the n-th ``sizes[n]`` long, in a file that is read through a memory map.

    The file begins with a number an array: its CRC-32, written after the array itself. Every process compares it the
    first time it reads the array, so that a torn write, a killed process or a power cut leave an empty place, never
    wrong pixels. Two processes that fill one place write the same bytes. Where the file cannot be mapped or written
    (no permission, a full disk, removed meanwhile) places stay empty; nothing is raised. One that somebody cuts short
    while it is mapped begins anew.

    Writing goes through the file and not through the map: on a full disk the latter would end the process.
    """

    # What a process has of its own; another begins without.
    _mapping: mmap.mmap | None
    _content: NDArray[np.uint8] | None
    _checksums: NDArray[np.uint64]
    _checked: NDArray[np.bool_]
    _mapped_file: tuple[int, int]
    _writable: bool
    _touch_at: float

    def __init__(self, path: Path, sizes: NDArray[np.int64]) -> None:
        self.path, self._sizes = path, sizes
        spaces = -(-sizes // _ALIGNMENT) * _ALIGNMENT
        ends = np.cumsum(spaces) + -(-8 * len(sizes) // mmap.PAGESIZE) * mmap.PAGESIZE
        self._offsets = ends - spaces
        #: How long the file is when every place is filled.
        self.bytes = int(ends[-1])
        self._forget()

    def read(self, number: int) -> NDArray[np.uint8] | None:
        """The array, read-only, not copied; None where it is not there yet or not whole."""
        size, start = int(self._sizes[number]), int(self._offsets[number])
        if self._mapping is not None and self._mapping.size() < self.bytes:
            self._forget()  # to touch what is no longer there would end the process (SIGBUS)
        content = self._mapped()
        if content is None or not size:
            return None
        if not self._checked[number]:
            # First whether anything is there: merely to look at a hole takes memory where the folder is in memory.
            stored = self._checksums[number]
            if not stored or stored != _checksum(content[start : start + size]):
                return None
            self._checked[number] = True
        return content[start : start + size]

    def write(self, number: int, array: NDArray[Any]) -> bool:
        """Fill a place with an array of as many bytes; False where that cannot be done, now or ever again."""
        if array.nbytes != self._sizes[number]:
            raise ValueError(f"{array.nbytes} bytes for a place of {self._sizes[number]}")
        if self._mapped() is None or not self._writable:
            return False
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        try:
            if shutil.disk_usage(self.path.parent).free < RESERVE_BYTES:
                self._writable = False
                return False
            # Opened anew each time: so there is nothing to close, to pass on to a child process or to leak.
            descriptor = os.open(self.path, os.O_WRONLY)
            try:
                if _identity(descriptor) != self._mapped_file:  # it was deleted, and another process made it again
                    self._forget()
                    return False
                _write_all(descriptor, content.data, int(self._offsets[number]))
                _write_all(descriptor, memoryview(_checksum(content).tobytes()), 8 * number)
            finally:
                os.close(descriptor)
        except OSError:
            self._writable = False
        return self._writable

    def _mapped(self) -> NDArray[np.uint8] | None:
        now = time.monotonic()
        if now >= self._touch_at:
            self._touch_at = now + TOUCH_EVERY
            if self._content is None:
                self._open()
            with suppress(OSError):
                os.utime(self.path)
        return self._content

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if os.fstat(descriptor).st_size < self.bytes:
                    os.ftruncate(descriptor, self.bytes)  # all processes to the same length: no harm in doing it twice
                self._mapped_file = _identity(descriptor)
                mapped = mmap.mmap(descriptor, self.bytes, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        except (OSError, OverflowError):  # the latter: more than 32 bits can address
            self._touch_at = float("inf")
            return
        self._mapping, self._content = mapped, np.frombuffer(mapped, np.uint8)
        self._checksums = self._content[: 8 * len(self._sizes)].view(np.uint64)

    def _forget(self) -> None:
        self._mapping = self._content = None
        self._checksums = np.empty(0, np.uint64)
        self._checked = np.zeros(len(self._sizes), bool)
        self._mapped_file = (0, 0)
        self._writable = True
        self._touch_at = 0.0  # and open it, the first time

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in type(self).__annotations__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()


def _identity(descriptor: int) -> tuple[int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


def _checksum(content: NDArray[np.uint8]) -> np.uint64:
    return np.uint64(_FILLED | zlib.crc32(content.data))


def _write_all(descriptor: int, content: memoryview, offset: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written
