"""What the process that drives a run says of itself, and how it is asked to end: files that any machine can read."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from derainbench.errors import UserError
from derainbench.support.atomic import remove, storage_error, write_json
from derainbench.support.stopping import ask_oneself_to_end


class Driver(BaseModel):
    """Who drives a run, with what, since when (seconds since 1970), and what there was to do, with its
    multiply-accumulates where they are known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    process: int
    started: float
    executor: str
    devices: tuple[str, ...]
    to_do: Mapping[str, float | None]


@contextlib.contextmanager
def driving(run: Path, executor: str, devices: tuple[str, ...], to_do: Mapping[str, float | None]) -> Iterator[None]:
    """In this block, by whoever holds the run's lock, the run says who drives it."""
    said = Driver(
        host=platform.node(),
        process=os.getpid(),
        started=time.time(),
        executor=executor,
        devices=devices,
        to_do=to_do,
    )
    remove(_asked(run))
    write_json(_file(run), said.model_dump(mode="json"))
    try:
        yield
    finally:
        remove(_file(run))
        remove(_asked(run))


def read_driver(run: Path) -> Driver | None:
    """Who drives the run, or drove it until it was killed; None where nobody says so."""
    try:
        return Driver.model_validate_json(_file(run).read_bytes())
    except (OSError, ValidationError):
        return None


def ask_to_stop(run: Path) -> None:
    """Leave word for the run's driver, wherever it is."""
    try:
        _asked(run).touch()
    except OSError as error:
        raise storage_error(_asked(run), error) from error


def obey_if_asked(run: Path) -> None:
    """To be called now and then by the driver: if it was asked to stop, it is as if SIGTERM had been sent to it."""
    if _asked(run).exists():
        with contextlib.suppress(UserError):
            remove(_asked(run))
        ask_oneself_to_end()


def _file(run: Path) -> Path:
    return run / ".driver.json"


def _asked(run: Path) -> Path:
    return run / ".stop"
