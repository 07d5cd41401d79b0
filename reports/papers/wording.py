"""Words that fit into narrow columns: on several lines, in a smaller size, but whole."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..charts.drawing import text_width
from .template import SIZES

#: Times is narrower than the Helvetica that widths are known of.
TIMES = 0.9
#: More lines look like a text.
MOST_LINES = 3


def width_of(text: str, size: float) -> float:
    """The width of a text in Times, roughly and rather too much, in the unit of ``size``."""
    return TIMES * text_width(text, size)


def fitting_size(texts: Sequence[str], width: float, smallest: float) -> float | None:
    """The largest size from 7 points down to ``smallest`` in which each text fits on a line; None where none is."""
    sizes = [size for size in SIZES if smallest <= size <= 7]
    return next((size for size in sizes if all(width_of(text, size) <= width for text in texts)), None)


def wrapped(texts: Sequence[str], width: float) -> tuple[float, list[list[str]]]:
    """A size for all texts, and the lines of each: the largest size in which no word is broken, within a few lines.

    Where there is none, the smallest, in which words that are too long are broken.
    """
    for size in SIZES:
        lines = [_lines(text, width, size) for text in texts]
        if all(len(each) <= MOST_LINES and all(width_of(line, size) <= width for line in each) for each in lines):
            return size, lines
    smallest = min(SIZES)
    return smallest, [
        [part for line in _lines(text, width, smallest) for part in _broken(line, width, smallest)] for text in texts
    ]


def _lines(text: str, width: float, size: float) -> list[str]:
    """As many words on a line as fit; a line may end in a blank, and behind a comma, a hyphen or a bracket."""
    lines = [""]
    for piece in re.findall(r"[^\s,\-\])(\[]*[,\-\])]?\s*|[(\[]", text):
        if lines[-1] and width_of((lines[-1] + piece).rstrip(), size) > width:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines if line.strip()]


def _broken(line: str, width: float, size: float) -> list[str]:
    parts = [""]
    for character in line:
        if parts[-1] and width_of(parts[-1] + character, size) > width:
            parts.append("")
        parts[-1] += character
    return parts
