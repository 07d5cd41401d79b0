"""One process at a time in a folder, also on disks that have no locks."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from derainbench.errors import UserError
from derainbench.support import lock
from derainbench.support.lock import locked

HOLD = """
import fcntl, sys
from pathlib import Path
def refuse(*_): raise OSError({number}, "no locks here")
fcntl.flock = refuse
from derainbench.support.lock import locked
with locked(Path({folder!r})):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def no_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A disk that answers so to ``flock``, as NFS and Lustre may."""
    number: int = getattr(errno, request.param)

    def refuse(*_: object) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    return number


def hold(folder: Path, number: int) -> subprocess.Popen[str]:
    code = HOLD.format(number=number, folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lease_takes_over_where_there_are_no_locks(tmp_path: Path, no_flock: int) -> None:
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / ".lease").exists()
    assert not (tmp_path / "run" / ".lease").exists()
    with locked(tmp_path / "run"):
        pass


def test_a_held_lease_is_refused_and_a_dead_holders_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    waits: list[float] = []

    def patience() -> float:
        waits.append(0)
        return 0.2  # the holder gives signs of life anyway

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(lock, "_patience", patience)
    with hold(tmp_path, errno.ENOLCK) as process, caplog.at_level(logging.WARNING):
        with pytest.raises(UserError, match="in use by another process"), locked(tmp_path):
            pass
        assert "to see whether" in caplog.text
        process.kill()
        process.wait()
        with locked(tmp_path):
            pass
    assert waits


def test_other_refusals_of_the_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match="Input/output error"), locked(tmp_path):
        pass


def test_who_loses_its_lease_is_stopped(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[tuple[int, int]] = []
    kill: Callable[[int, int], None] = lambda process, number: sent.append((process, number))  # noqa: E731
    monkeypatch.setattr(os, "kill", kill)
    lock.stop_work_in(Path("run"))
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert "lost hold of run" in caplog.text
