"""Signals that ask the program to end: obeyed at once, or as soon as what must be whole is whole."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

#: What asks for an end: a user's Ctrl-C, a scheduler, a terminal that is closed. Windows has no SIGHUP.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """A signal asked the program to end. No :class:`Exception`: whoever mends mistakes must not mend this."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(f"stopped by {self.signal.name}")

    @property
    def status(self) -> int:
        """The exit status by which shells and schedulers know it: 130, 143, 129."""
        return 128 + self.signal


class _State:
    """Whether an end is put off now, and which one was asked for meanwhile."""

    postponed = 0
    asked: int | None = None


@contextlib.contextmanager
def obeyed(*more: int) -> Iterator[None]:
    """In this block the signals, and ``more``, raise :class:`Stopped`; in a thread without signals nothing changes.

    A signal that is ignored stays so: ``nohup`` means it. A forked child that meets one ends without a word.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)
        if _State.postponed and _State.asked is None:  # a second one does not wait
            _State.asked = number
            return
        raise Stopped(number)

    before = {number: signal.getsignal(number) for number in (*SIGNALS, *more)}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    try:
        for number in heeded:
            signal.signal(number, stop)
        yield
    finally:
        _State.asked = None
        for number in heeded:
            signal.signal(number, before[number])


@contextlib.contextmanager
def obeyed_once(*more: int) -> Iterator[Callable[[], bool]]:
    """As :func:`obeyed`, for a process whose driver passes on what it may have been sent itself: a second signal is
    none, and Ctrl-C, which a terminal sends to both, is the driver's.

    Yields whether one came. A forked child heeds none of ``more``, which are sent to it, too: its parent ends it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner, came = os.getpid(), False
    with obeyed(*more):
        handlers = {number: signal.getsignal(number) for number in (*SIGNALS, *more)}

        def stop(number: int, frame: FrameType | None) -> None:
            nonlocal came
            if number in more and os.getpid() != owner:
                return
            came = True
            for each in handlers:
                signal.signal(each, signal.SIG_IGN)
            handler = handlers[number]
            assert callable(handler)
            handler(number, frame)

        for number, before in handlers.items():
            if before is not signal.SIG_IGN:
                signal.signal(number, stop)
        yield lambda: came


def ask_oneself_to_end() -> None:
    """As if somebody had sent SIGTERM to this process."""
    if os.name == "nt":  # where os.kill ends a process at once, whatever it has to save
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def held(*numbers: int) -> Iterator[None]:
    """These signals are obeyed after the block, by this thread; what is started in it is born deaf to them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """What is begun in this block is finished before a first signal is obeyed; a second one is obeyed at once."""
    _State.postponed += 1
    try:
        yield
    finally:
        _State.postponed -= 1
    if _State.asked is not None and not _State.postponed:
        number, _State.asked = _State.asked, None
        raise Stopped(number)
