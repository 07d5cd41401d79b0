"""Errors as they are shown: one line that does a terminal no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.errors import LONGEST, one_line, printable


@given(st.text(st.characters(), max_size=6000))
def test_a_text_is_printable_and_not_endless(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= LONGEST
    shown.encode()  # no halves of characters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, été, 雨", "plain, été, 雨"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x1b]0;title\x9c", "\\x1b]0;title\\x9c"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("caf\udce9", "caf\\udce9"),
        ("two\nlines", "two\\nlines"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_of_a_long_text_the_beginning_and_the_remedy_are_shown() -> None:
    shown = printable("file x: " + "y" * 10**6 + "; mend it")
    assert len(shown) == LONGEST
    assert shown.startswith("file x: yyy")
    assert shown.endswith("y; mend it")


def test_an_exception_is_one_line() -> None:
    assert one_line(RuntimeError("one\n  two\x1b[2J")) == "one two\\x1b[2J"
