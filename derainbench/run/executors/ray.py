"""Cells carried out by a Ray cluster: one that is there, or one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from derainbench.errors import UserError, one_line
from derainbench.run.cell_file import Follower, folder_of, forget
from derainbench.run.cells import Cell
from derainbench.run.executors.ray_task import Lost, Task, do_task
from derainbench.run.job import Words, job_of
from derainbench.run.work import Ending, Teller
from derainbench.support.atomic import storage_error
from derainbench.support.stopping import SIGNALS, held
from derainbench.support.threads import available_cores

#: So many times a cell is begun again whose worker, or node, died.
RETRIES = 3

#: Seconds between two looks at which nodes there are.
NODES = 5.0

#: Seconds after which a cell that nobody takes up is spoken of: where no node could, and where all are in use.
NO_NODE, NO_ROOM = 10.0, 60.0

#: Seconds in which a cluster must answer.
ANSWER = 20.0

#: Read when Ray is imported, by it and by the workers of a cluster that starts here; a user's own settings stand.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # otherwise it warns of what it will do another day
}


class OnRay:
    """A Ray task for each cell, with a GPU of its own or ``threads`` processors; Ray finds the place for it."""

    def __init__(self, words: Words, device: str, threads: int | None = None, address: str = "") -> None:
        os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
        try:
            import ray
        except ImportError as error:
            raise UserError("--executor ray: Ray is not installed; pip install 'derainbench[ray]'") from error
        if "://" in address:
            raise UserError(
                f"--executor ray={address}: a run cannot be a guest from outside; give the command on a node of the "
                "cluster, with ray=auto"
            )
        self._ray: Any = ray
        self._words, self._device, self._address = words.absolute(), device, address
        self._threads = threads or 1
        self._token = f"submitted-{uuid.uuid4().hex}"
        self._environment = {name: value for name, value in os.environ.items() if name.startswith("DERAINBENCH_")}
        self._under_way: dict[str, _UnderWay] = {}
        self._waiting: list[threading.Thread] = []
        self._looked, self._told = 0.0, False
        self._room = self.slots = 1

    def submit(self, cell: Cell, teller: Teller) -> Future[Ending]:
        lock = folder_of(self._words.folder, cell.name)
        try:
            lock.mkdir(parents=True, exist_ok=True)
            (lock / self._token).touch()
        except OSError as error:
            raise storage_error(lock, error) from error
        task = Task(job_of(cell), cell.name, self._words, self._device, self._threads, self._token, self._environment)
        asks = {"num_cpus": self._threads, "num_gpus": int(self._device == "cuda")}
        remote = self._ray.remote(**asks, max_retries=RETRIES, retry_exceptions=[Lost])(do_task)
        reference, future = remote.options(name=cell.name).remote(task), Future[Ending]()
        follower = Follower(self._words.folder, cell.name, teller)
        self._under_way[cell.name] = _UnderWay(reference, follower, teller, time.monotonic())
        waiting = threading.Thread(target=self._await, args=(cell.name, reference, future), daemon=True)
        self._waiting.append(waiting)
        waiting.start()
        return future

    def poll(self) -> None:
        """Also looks at which nodes there are: each that came has more cells under way."""
        patience = NO_ROOM if self._room else NO_NODE
        for each in list(self._under_way.values()):
            if each.follower.look() is None and not self._told and time.monotonic() - each.since > patience:
                self._told = True
                each.teller.note(self._wanting())
        if time.monotonic() - self._looked > NODES:
            self._look_at_nodes()

    def __enter__(self) -> Self:
        if self._address:
            self._check_address()
        try:
            with _signals_kept():
                self._ray.init(**self._settings(), log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:
            raise UserError(f"{self._name}: {_last_words(error)}") from error
        self._look_at_nodes()
        if not self._address and not self._room:
            self._ray.shutdown()
            raise UserError(f"{self._name}: this machine has less than {self._asked} for a cell; {self._remedy}")
        forget(self._words.folder)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for each in list(self._under_way.values()):
            with contextlib.suppress(Exception):  # a cluster that is gone
                self._ray.cancel(each.reference, force=False)
        for thread in self._waiting:  # they take away what is left of each cell
            thread.join()
        self._ray.shutdown()
        forget(self._words.folder)

    def _await(self, name: str, reference: Any, future: Future[Ending]) -> None:
        """Hand on how a cell's task ended."""
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.LocalRayletDiedError:
            answer = self._gone()
        except Exception as error:
            answer = Ending(0.0, self._why(error))
        forget(self._words.folder, name)
        del self._under_way[name]
        if isinstance(answer, UserError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _why(self, error: Exception) -> str:
        """What became of a task, in one line."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, Lost):
            return f"{cause} ({1 + RETRIES} times)"
        kinds = self._ray.exceptions
        if isinstance(error, kinds.WorkerCrashedError | kinds.NodeDiedError):
            why = f"its worker or its node died {1 + RETRIES} times"
        else:
            why = f"Ray could not do it: {type(error).__name__}: {_last_words(error)}"
        return f"{why}; what it had saved is kept: run it again"

    def _gone(self) -> UserError:
        """Every other cell would fail, too."""
        return UserError(f"{self._name}: Ray came to an end on this machine; what is finished is kept: run it again")

    def _look_at_nodes(self) -> None:
        self._looked = time.monotonic()
        try:
            nodes = self._ray.nodes()
        except Exception as error:
            raise self._gone() from error
        self._room = 0
        for node in nodes:
            if node["Alive"]:
                has = node["Resources"]
                room = has.get("CPU", 0) // self._threads
                self._room += int(min(room, has.get("GPU", 0)) if self._device == "cuda" else room)
        self.slots = max(1, self._room)  # one that waits tells a cluster that grows what is wanted

    def _check_address(self) -> None:
        """Ray itself would try for two minutes, and end the program."""
        host, _, port = self._address.rpartition(":")
        nobody = f"{self._name}: no Ray cluster answers there; 'ray status' on a node says its address, or give "
        nobody += "--executor ray to start one on this machine"
        try:
            if port.isdecimal():  # Ray's own way to ask takes all of its time where nobody listens
                socket.create_connection((host.strip("[]"), int(port)), ANSWER / 2).close()
        except (OSError, OverflowError) as error:
            raise UserError(nobody) from error
        command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--skip-version-check"]
        command += [] if self._address == "auto" else ["--address", self._address]
        try:
            answer = subprocess.run(command, timeout=ANSWER, check=False, capture_output=True)
        except subprocess.TimeoutExpired:
            answer = None
        if answer is None or answer.returncode:
            raise UserError(nobody)

    def _settings(self) -> dict[str, Any]:
        if self._address:
            return {"address": self._address}
        # nothing is kept in its store of objects, which takes shared memory at once
        return {
            "address": "local",
            "num_cpus": available_cores(),
            "include_dashboard": False,
            "object_store_memory": 100 * 2**20,
        }

    @property
    def _name(self) -> str:
        return f"--executor ray={self._address}" if self._address else "--executor ray"

    @property
    def _asked(self) -> str:
        gpu = "a GPU and " if self._device == "cuda" else ""
        return f"{gpu}{self._threads} processor{'s' * (self._threads > 1)}"

    @property
    def _remedy(self) -> str:
        return "give --device cpu" if self._device == "cuda" else "give fewer --threads"

    def _wanting(self) -> str:
        """Why a cell that was handed in has not begun."""
        if not self._room:
            return f"no node of the Ray cluster has {self._asked} for it; it waits for one to join; or {self._remedy}"
        return f"waits for {self._asked}: those of the Ray cluster are in use"


@dataclass(frozen=True)
class _UnderWay:
    """A cell's task, who tells of it, and since when (monotonic seconds) Ray has it."""

    reference: Any
    follower: Follower
    teller: Teller
    since: float


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Signals mean the same after this block, whatever Ray makes of them; and what a terminal sends to all processes
    is not for those that start in it: they are to live until cells have saved their state."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    with held(*(number for number in SIGNALS if number != signal.SIGTERM)):
        try:
            yield
        finally:
            for number, handler in handlers.items():
                if signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


def _last_words(error: BaseException) -> str:
    """What an error says, without the traceback that Ray makes part of it."""
    return one_line(getattr(error, "cause", None) or error)
