"""One process at a time in a folder that is written to."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import filelock

from derainbench.errors import StorageError, UserError
from derainbench.support.atomic import storage_error
from derainbench.support.stopping import ask_oneself_to_end

#: What a disk answers that has no locks of its own, as NFS and Lustre may be mounted.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)

#: Seconds in which whoever only looks whether a folder is held (:func:`is_held`) has let it go again.
MOMENT = 0.2

#: Seconds without a sign of life after which a lease may be taken over; its holder gives one every third of it.
LEASE = 15.0


@contextlib.contextmanager
def locked(folder: Path, patience: float = MOMENT) -> Iterator[None]:
    """Hold ``folder``, which is made: two processes that write into it at once would undo each other's work.

    By the system's lock, which a process that died holds no longer; where the disk has none, by a lease, a file that
    says who holds the folder and since when: it counts as left when no sign of life came for :data:`LEASE` seconds.
    :class:`UserError` where another process holds it, and still does after ``patience`` seconds.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _acquired(folder, patience)
    except filelock.Timeout as error:
        raise UserError(f"{folder} is in use by another process; wait for it or give another --out") from error
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process holds ``folder``, which is there."""
    try:
        with locked(folder):
            return False
    except StorageError:
        raise
    except UserError:
        return True


def _acquired(folder: Path, patience: float) -> filelock.BaseFileLock:
    lock = filelock.FileLock(folder / ".lock", timeout=patience, fallback_to_soft=False)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        return _leased(folder, patience)
    return lock


def _leased(folder: Path, patience: float) -> filelock.BaseFileLock:
    lease = filelock.SoftFileLease(
        folder / ".lease", timeout=0, lease_duration=LEASE, on_compromise=lambda lost: stop_work_in(folder)
    )
    try:
        lease.acquire()
    except filelock.Timeout:
        # Whether its holder lives shows only in time: clocks of several machines are not to be compared.
        logging.getLogger(__name__).warning("waiting %.0f s to see whether %s is in use", _patience(), folder)
        lease.acquire(timeout=max(patience, _patience()))
    return lease


def _patience() -> float:
    """Seconds in which a holder that lives gives a sign, and a lease that was left is taken over."""
    return 1.2 * LEASE


def stop_work_in(folder: Path) -> None:
    """Another process may have taken the folder, since this one gave no sign of life, as where it was suspended."""
    logging.getLogger(__name__).warning("lost hold of %s, which another process may have taken", folder)
    ask_oneself_to_end()
