"""Distributes a comparison over floats that fit a page: LaTeX breaks no table that stands in one."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, replace
from itertools import accumulate

from ..comparison.cells import ComparisonTable
from ..layout.panels import Frame, label_width

#: Lines of a panel besides its rows: three rules, two heads, the space to the next panel.
FRAME = 5
#: Characters of \footnotesize text on a line 16 cm wide.
NOTE_LINE = 105


@dataclass(frozen=True)
class Float:
    """Part of a comparison: ``panels`` above each other, then ``notes``."""

    panels: tuple[ComparisonTable, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Floats:
    """A comparison in parts that fit a page each; the notes ``after`` them stand in the text."""

    parts: tuple[Float, ...]
    after: tuple[str, ...]


def floats(
    panels: tuple[ComparisonTable, ...], notes: tuple[str, ...], lines: int, frame: Frame, note_line: int = NOTE_LINE
) -> Floats:
    """``panels`` in order on as few floats of at most ``lines`` lines as there must be, ``notes`` below the last.

    ``note_line`` is how many characters of a note fit a line.

    A panel that is longer is cut between rows. From the first note on that does not fit, notes stand after the floats.
    """
    filled: list[list[ComparisonTable]] = [[]]
    used = 0
    for panel in (part for whole in panels for part in _cut(whole, lines, frame)):
        height = _above(panel, frame) + sum(_rows(panel, frame))
        if used and used + height > lines:
            filled.append([])
            used = 0
        filled[-1].append(panel)
        used += height
    said = accumulate(len(note) + 1 for note in notes)
    fitting = sum(1 for characters in said if used + math.ceil(characters / note_line) <= lines)
    *before, last = (tuple(part) for part in filled)
    return Floats((*(Float(part, ()) for part in before), Float(last, notes[:fitting])), notes[fitting:])


def _cut(panel: ComparisonTable, lines: int, frame: Frame) -> list[ComparisonTable]:
    """``panel`` in pieces of whole rows that are at most ``lines`` high each."""
    pieces: list[list[int]] = [[]]
    used = 0
    for number, height in enumerate(_rows(panel, frame)):
        if pieces[-1] and used + height > lines - _above(panel, frame):
            pieces.append([])
            used = 0
        pieces[-1].append(number)
        used += height
    return [replace(panel, rows=tuple(panel.rows[n] for n in numbers)) for numbers in pieces]


def _above(panel: ComparisonTable, frame: Frame) -> int:
    """The lines of a panel besides its rows."""
    return FRAME + max((_lines(column.dataset.title, frame.heading) for column in panel.columns), default=1)


def _rows(panel: ComparisonTable, frame: Frame) -> list[int]:
    """The lines of each row."""
    width = label_width(panel, frame)
    return [_lines(row.entry.full_label, width) for row in panel.rows]


def _lines(text: str, width: int) -> int:
    return max(1, len(textwrap.wrap(text, width)))
