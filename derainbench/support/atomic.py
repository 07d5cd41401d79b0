"""Files that are either whole or not there: written beside their final name, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from derainbench.errors import StorageError, UserError
from derainbench.support.leftovers import remove_leftovers, unfinished_beside

#: How the name of a file ends that is being written.
PART = ".part"

#: What the system says of this one name, not of the disk: another file may well be written.
_OF_THE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ)


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a kill at any moment leaves the old file or the new one, never a part.

    Folders are made as needed. What killed processes left unfinished in the folder goes, the first time that this one
    writes into it. Raises :class:`StorageError` with the path and the remedy when the disk refuses.
    """
    # Not tempfile's: its files are for their owner alone, and a run folder is there to be shared.
    temporary = unfinished_beside(path, PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers_once(str(path.parent.absolute()), os.getpid())
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:  # an interrupt, too, leaves nothing behind
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


@lru_cache(maxsize=4096)
def _remove_leftovers_once(folder: str, process: int) -> None:
    remove_leftovers(Path(folder), PART)


def remove(path: Path) -> None:
    """Delete a file, if it is there; :class:`StorageError` when the disk refuses."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """``value`` as indented JSON, atomically. Keys keep their order, floats their full precision."""
    # Half of a surrogate pair, as names that are no UTF-8 have it, becomes the escape that JSON has for it.
    write_atomic(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))


def read_regular(path: Path) -> bytes:
    """The content of a regular file; :class:`UserError` if it is none, or cannot be read."""
    try:
        _check_regular(path)
        return path.read_bytes()
    except OSError as error:
        raise storage_error(path, error) from error


def read_json(path: Path) -> Any:
    """The JSON at ``path``; :class:`UserError` if it cannot be read or is not JSON."""
    content = read_regular(path)
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not readable as JSON ({error}); delete it and run the same command again"
        ) from error


def file_hash(path: Path) -> str:
    """sha256 of a file's content; :class:`StorageError` where it cannot be read, :class:`UserError` where it is not."""
    try:
        _check_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:  # of this file, not of the disk
        raise UserError(str(storage_error(path, error))) from error
    except OSError as error:
        raise storage_error(path, error) from error


def _check_regular(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe is waited for, and a device has no end
        raise UserError(f"{path} is no regular file; remove it and run the same command again")


def storage_error(path: Path, error: OSError) -> UserError:
    """The operating system's refusal as one line with a remedy: a :class:`StorageError` unless it is of the name."""
    remedy = {
        errno.ENOSPC: "the disk is full: free some space and run the same command again, what is finished is kept",
        errno.EDQUOT: "your quota is used up: free some space and run the same command again, what is finished is kept",
        errno.EROFS: "the file system is read-only: choose another folder",
        errno.EACCES: "permission denied: change its permissions, or choose another place",
        errno.EPERM: "not permitted: change its permissions, or choose another place",
        errno.ENOENT: "no such file or folder: check the path",
        errno.ENOTDIR: "a part of this path is a file, not a folder: choose another folder",
        errno.EEXIST: "a file of that name is in the way: choose another folder",
        errno.EISDIR: "this is a folder, not a file: check the path",
        errno.ENAMETOOLONG: "the name is too long for this file system: choose a shorter one",
    }.get(error.errno or 0, f"{error.strerror or error}: check the disk and run the same command again")
    return (UserError if error.errno in _OF_THE_NAME else StorageError)(f"{path}: {remedy}")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be synced (Windows does not)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
