"""derainbench's command line in forks of a process that has imported everything, which saves each five seconds."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.helpers.imported_first"])


def _nothing() -> None:
    """Nothing comes first."""


class Forked:
    """A command under way: what :class:`subprocess.Popen` has of it, as far as tests ask.

    ``first``, a function of a module or a partial one, is called in its process before the command.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        new_session: bool = False,
        first: Callable[[], None] = _nothing,
    ) -> None:
        self.args = ["derainbench", *arguments]
        self._said = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, self._said)
        self._process = _FORKS.Process(
            target=_command, args=(self.args, str(cwd), dict(environment), self._said, new_session, first)
        )
        for name in ("out", "err"):  # it may be killed before it says anything
            Path(self._said, name).touch()
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, when it has ended."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it said on standard output and error, when it has ended."""
        self.wait(timeout)
        out, err = (Path(self._said, name).read_text() for name in ("out", "err"))
        return out, err

    def says(self, text: str) -> None:
        """Wait until it has said so on standard error."""
        while text not in Path(self._said, "err").read_text():
            assert self.poll() is None, self.communicate()
            time.sleep(0.05)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """As above."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As above."""
        self.send_signal(signal.SIGKILL)


def _command(
    arguments: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    said: str,
    new_session: bool,
    first: Callable[[], None],
) -> None:
    import torch

    from derainbench.cli.main import main

    gc.freeze()  # to look for garbage among what the parent has made would copy all of it
    if new_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    for number, path in enumerate((Path(os.devnull), Path(said, "out"), Path(said, "err"))):
        with path.open("wb" if number else "rb") as stream:
            os.dup2(stream.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    sys.argv = list(arguments)
    first()
    main()
