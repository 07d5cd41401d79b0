"""Words that people type, read; words that are shown, joined."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What ends a line, moves a cursor, or is half of a character.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def plain_text(text: str) -> str:
    """The same text; ValueError where it holds a control character."""
    if _CONTROL.search(text):
        raise ValueError(f"{text!a} holds a control character; remove it")
    return text


def in_one_line(text: str) -> str:
    """The text with a space for every run of white space; ValueError where it holds a control character."""
    return plain_text(" ".join(text.split()))


def whole_number(text: str, most: int) -> int | None:
    """The number from 0 to ``most`` that decimal digits spell; None where they spell none, or a larger one."""
    # Digits of other scripts are digits to Python too, and above 4,300 of any it refuses to read them.
    if not re.fullmatch("[0-9]+", text) or len(text.lstrip("0")) > len(str(most)):
        return None
    number = int(text.lstrip("0") or "0")
    return number if number <= most else None


def split_list(text: str) -> list[str]:
    """A comma-separated list, where commas inside square brackets do not separate; empty items and repeats drop out."""
    items = [item.strip() for item in re.split(r",(?![^\[]*\])", text)]
    return list(dict.fromkeys(filter(None, items)))


def listed(names: Sequence[str]) -> str:
    """``A, B and C``; with semicolons where a name has a comma of its own."""
    if len(names) < 2:
        return "".join(names)
    if any("," in name for name in names):
        return f"{'; '.join(names[:-1])}; and {names[-1]}"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, noun: str) -> str:
    """``1 scene``, ``2 scenes``, ``1,000 scenes``."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def bytes_text(number: int | None) -> str:
    """A number of bytes for people: ``682 kB``."""
    if number is None:
        return "size unknown"
    if number < 1000:
        return f"{number} bytes"
    amount, units = number / 1000, iter(("kB", "MB", "GB", "TB"))
    unit = next(units)
    while amount >= 999.5 and unit != "TB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:.3g} {unit}"
