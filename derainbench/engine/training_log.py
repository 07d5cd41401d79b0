"""What is known of a training step by step: losses as the device has them, and the file that keeps them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from derainbench.support.atomic import write_atomic

#: Seconds between two readings of losses from a GPU, and between two writings of the log.
EVERY = 0.5


class Losses:
    """The losses of steps that nobody has read yet. To read one is to wait for all that a GPU still has to do, and then
    to leave it without work: so they are read together, now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._unread: list[tuple[int, Tensor]] = []
        self._clock, self._read = clock, clock()

    def add(self, step: int, loss: Tensor) -> None:
        """Keep the loss, a scalar, of one more step."""
        self._unread.append((step, loss))

    def due(self) -> bool:
        """Whether they should be read: on the processor at once, where it costs nothing."""
        on_cpu = any(loss.device.type == "cpu" for _, loss in self._unread)
        return on_cpu or self._clock() - self._read >= EVERY

    def read(self) -> list[tuple[int, float]]:
        """(Step, loss) of all that were not read before."""
        values = torch.stack([loss.float() for _, loss in self._unread]).tolist() if self._unread else []
        steps = [step for step, _ in self._unread]
        self._unread, self._read = [], self._clock()
        return list(zip(steps, values, strict=True))


class Log:
    """``log.jsonl``: what was measured at which step. Lines past the checkpoint are dropped when training goes on.

    Without a path nothing is written: of processes that train together one keeps the log.
    """

    def __init__(self, path: Path | None, start: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock, self._written = path, clock, clock() - EVERY
        self._lines: list[str] = []
        if start and path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                if json.loads(line)["step"] <= start:
                    self._lines.append(line)

    def add(self, values: dict[str, Any]) -> None:
        """Add a line; the file follows soon, so that a training can be watched."""
        self._lines.append(json.dumps(values))
        if self._clock() - self._written >= EVERY:
            self.write()

    def write(self) -> None:
        """Write all lines, atomically."""
        if self._path is not None:
            write_atomic(self._path, "".join(line + "\n" for line in self._lines).encode())
        self._written = self._clock()
