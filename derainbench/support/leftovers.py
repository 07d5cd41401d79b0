"""What killed processes left unfinished: known by the writer in its name, and removed once that is gone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from functools import cache
from pathlib import Path

#: Seconds after which what another machine's process, or an unknown one, has left counts as left: a day.
OF_OTHERS = 86_400.0

#: ``.NAME.PLACE-PROCESS-START-RANDOM.SUFFIX``
_NAME = re.compile(
    r"\.(?P<name>.*)\.(?P<place>[0-9a-f]{8})-(?P<process>\d+)-(?P<start>\d+)-[0-9a-f]{12}\.\w+", re.DOTALL
)


def unfinished_beside(path: Path, suffix: str) -> Path:
    """A new name beside ``path`` for what will get its name when it is finished; it says which process writes it."""
    process = os.getpid()
    owner = f"{_place()}-{process}-{_start(process)}-{uuid.uuid4().hex[:12]}"
    return path.with_name(f".{path.name[:40]}.{owner}{suffix}")


def remove_leftovers(folder: Path, suffix: str) -> None:
    """Remove the unfinished files and folders in ``folder`` whose writer is gone; what cannot be removed stays.

    A process of this machine is gone where none with its number and start is there; others' work is, after a day.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(suffix) and _is_left(entry):
                _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            Path(entry.path).unlink()


def take_over(path: Path, suffix: str) -> Path | None:
    """What a process that is gone has left unfinished of ``path``, now under a name of this process; None where nothing
    is left. Of several the newest; the others are removed. What another process writes stays its own.
    """
    mine = unfinished_beside(path, suffix)
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        named = [
            entry
            for entry in entries
            if entry.name.endswith(suffix)
            and (name := _NAME.fullmatch(entry.name)) is not None
            and name["name"] == path.name[:40]
            and _is_left(entry)
        ]
        for entry in sorted(named, key=lambda e: -e.stat(follow_symlinks=False).st_mtime):
            if mine.exists():
                _remove(entry)
                continue
            with contextlib.suppress(OSError):  # another process may have been quicker
                Path(entry.path).replace(mine)
    return mine if mine.exists() else None


def _is_left(entry: os.DirEntry[str]) -> bool:
    name = _NAME.fullmatch(entry.name)
    if name is not None and name["place"] == _place():
        gone = _is_gone(int(name["process"]), int(name["start"]))
        if gone is not None:
            return gone
    with contextlib.suppress(OSError):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > OF_OTHERS
    return False


def _is_gone(process: int, start: int) -> bool | None:
    """Whether a process of this machine has ended; None where the system does not tell."""
    if start:
        return _start(process) != start
    if os.name != "posix":  # elsewhere os.kill kills, whatever the signal
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@cache
def _place() -> str:
    """This machine since it was started, and the part of it (a container) whose numbers of processes are ours."""
    facts = [os.uname().nodename if hasattr(os, "uname") else ""]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256(" ".join(facts).encode()).hexdigest()[:8]


def _start(process: int) -> int:
    """When a process began, in the system's ticks; 0 where it is not there any more, or the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0
