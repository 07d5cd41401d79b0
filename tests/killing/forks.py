"""Runs derainbench in forks of one process that has imported everything, each of which may be ended on its way.

A program of its own (``python -m tests.killing.forks``): a line of JSON in, two out. ``at`` is the number of the file
operation before which the fork gets ``signal``; operations are those that Python tells its audit hooks of, on files
below ``folder``, and every ``fsync``. Without ``at`` it runs to its end. The first answer, when it has begun, is the
number of its ``process``; the second has its ``status``, what it ``said``, and how many ``operations`` it had.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.helpers.imported import import_everything

_TOUCHING = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.scandir", "os.utime")


class _Operations:
    """Counts file operations, and sends this process a signal before one of them."""

    def __init__(self, folder: str, at: int | None, number: int) -> None:
        self.count, self._folder, self._at, self._signal = 0, folder, at, number

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


def _child(order: dict[str, Any], output: Path, counted: int) -> None:
    from derainbench.cli.main import main

    gc.freeze()  # to look for garbage among what the parent has made would copy all of it
    os.chdir(order["cwd"])
    os.environ.update(order["environment"])
    with output.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.argv = ["derainbench", *order["arguments"]]
    operations = _Operations(order["folder"], order.get("at"), order.get("signal", signal.SIGKILL))
    fsync = os.fsync

    def counted_fsync(fd: Any) -> None:
        operations.passed()
        fsync(fd)

    os.fsync = counted_fsync
    sys.addaudithook(operations.told)
    status = 1
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os.write(counted, str(operations.count).encode())
        os._exit(status)


def serve() -> None:
    """Answer orders until there are no more."""
    import pandas as pd
    import torch

    import_everything()  # so that no fork needs to

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        pd.DataFrame({"a": ["b"]}).to_parquet(Path(place, "warm"))
        for line in sys.stdin:
            order, output = json.loads(line), Path(place, "said")
            reading, writing = os.pipe()
            process = os.fork()
            if process == 0:
                os.close(reading)
                _child(order, output, writing)
            print(json.dumps({"process": process}), flush=True)
            os.close(writing)
            _, ended = os.waitpid(process, 0)
            count = os.read(reading, 100).decode()
            os.close(reading)
            said = output.read_text(errors="replace")
            answer = {"status": os.waitstatus_to_exitcode(ended), "said": said, "operations": int(count or 0)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
