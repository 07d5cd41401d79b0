"""Signals that ask for an end: obeyed at once, or when what was begun is whole; the second one does not wait."""

from __future__ import annotations

import signal

import pytest

from derainbench.support.stopping import SIGNALS, Stopped, obeyed, postponed


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stop, obeyed():
        signal.raise_signal(number)
    assert stop.value.status == 128 + number
    assert signal.getsignal(number) is before


def test_what_is_begun_is_finished_first() -> None:
    done = []
    with pytest.raises(Stopped, match="SIGTERM"), obeyed():  # noqa: PT012 - the order is what is tested
        with postponed():
            with postponed():
                signal.raise_signal(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]


def test_a_second_signal_does_not_wait() -> None:
    done = []
    with pytest.raises(Stopped, match="SIGTERM"), obeyed(), postponed():  # noqa: PT012 - likewise
        signal.raise_signal(signal.SIGINT)
        done.append("first")
        signal.raise_signal(signal.SIGTERM)
        done.append("second")
    assert done == ["first"]
    with obeyed(), postponed():
        pass  # what was asked for then is forgotten


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with obeyed():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_error_in_the_block_is_not_replaced() -> None:
    with pytest.raises(ValueError, match="mine"), obeyed(), postponed():  # noqa: PT012 - likewise
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("mine")
