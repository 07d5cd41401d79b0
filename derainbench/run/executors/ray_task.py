"""What a worker of a Ray cluster does with a cell: it has a process of its own carry it out."""

from __future__ import annotations

import contextlib
import platform
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from derainbench import __version__
from derainbench.errors import StorageError
from derainbench.run.cell_file import folder_of
from derainbench.run.executors.child import Child
from derainbench.run.job import Job, Words
from derainbench.run.work import Ending

#: Seconds for which a cell's lock is waited for: a process whose worker died lets go of it at once, a disk that lost
#: one of its machines only after a lease (NFS: 90 s).
PATIENCE = 120.0

_POLL = 0.2  # an interrupt comes between two waits


class Lost(Exception):  # noqa: N818 - no mistake: it is what has Ray begin the cell again
    """A cell's process ended without a word."""


@dataclass(frozen=True)
class Task:
    """A cell in words, for any node: ``words`` have absolute paths, ``token`` is a file in the folder that holds the
    cell's lock, and ``environment`` are variables of the shell that began the run."""

    job: Job
    name: str
    words: Words
    device: str
    threads: int
    token: str
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__


def do_task(task: Task) -> Ending | StorageError:
    """Do the cell here; :class:`Lost` where Ray is to try again. An interrupt has it save its state first."""
    if wrong := _not_here(task):
        return Ending(0.0, wrong)
    if threading.current_thread() is threading.main_thread():
        # Ray cancels by Ctrl-C's way, which is closed where the cluster was started in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    child = None
    try:
        with _no_script():
            child = Child(task.job, task.name, task.words, task.device, task.threads, PATIENCE, task.environment)
        while not child.ended(_POLL):
            pass
        answer = child.answer()
    except BaseException:  # cancelled, or the node is shut down
        if child is not None:
            child.stop()
            child.answer()
        raise
    if answer is None:
        raise Lost(child.why)
    return answer


@contextlib.contextmanager
def _no_script() -> Iterator[None]:
    """A process that starts in this block does not read the worker's script first, and with it all of Ray."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _not_here(task: Task) -> str:
    """What this node does not share with the one that planned the cell."""
    node, folder = platform.node(), task.words.folder
    if not (folder_of(folder, task.name) / task.token).exists():
        return (
            f"the run folder {folder} is not there on node {node}, or is another one: a Ray cluster needs it on a "
            "disk that all nodes share; give such an --out"
        )
    if task.version != __version__:
        return f"node {node} has derainbench {__version__}, not {task.version}; install the same everywhere"
    return ""
