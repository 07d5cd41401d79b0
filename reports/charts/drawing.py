"""A chart as plain shapes in a box; :mod:`.svg` and :mod:`.tikz` write it down for a page and for a paper."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

#: What a shape's colour means; each renderer has a colour for each, pages one a theme.
Role = Literal[
    "ink", "soft", "rule", "series-1", "series-2", "series-3", "series-4", "series-5", "series-6", "series-7",
    "series-8", "series-9",
]  # fmt: skip
SERIES: tuple[Role, ...] = (
    "series-1", "series-2", "series-3", "series-4", "series-5", "series-6", "series-7", "series-8", "series-9",
)  # fmt: skip
Shape = Literal["circle", "square", "triangle", "diamond", "down"]
SHAPES: tuple[Shape, ...] = ("circle", "square", "triangle", "diamond", "down")
Anchor = Literal["start", "middle", "end"]

#: Sizes of text in units of the drawing: names and values, and what is said about them.
NAME = 13.0
NOTE = 12.0
#: Lines of text stand this far apart, and a line reaches that far above and below its baseline, in sizes.
LEADING, ASCENT, DESCENT = 1.25, 0.8, 0.25


@dataclass(frozen=True)
class Line:
    """A straight line from (x1, y1) to (x2, y2)."""

    x1: float
    y1: float
    x2: float
    y2: float
    role: Role = "rule"
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Path:
    """Straight lines through ``points``, two or more."""

    points: tuple[tuple[float, float], ...]
    role: Role
    width: float = 1.5
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """A data point: ``shape`` around (x, y), about ``radius`` from its centre to its edge; ``title`` says it in words.

    ``opacity`` is for points that lie on one another.
    """

    x: float
    y: float
    role: Role
    shape: Shape = "circle"
    radius: float = 4.5
    hollow: bool = False
    opacity: float = 1.0
    title: str = ""


@dataclass(frozen=True)
class Rect:
    """A rectangle with its upper left corner at (x, y); filled with ``opacity``, or an outline where that is 0."""

    x: float
    y: float
    width: float
    height: float
    role: Role
    opacity: float = 1.0


@dataclass(frozen=True)
class Text:
    """One line of text; ``y`` is its baseline, ``anchor`` says which end of it, or its middle, stands at ``x``."""

    x: float
    y: float
    text: str
    role: Role = "ink"
    anchor: Anchor = "start"
    size: float = NOTE
    bold: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes in a box of ``width`` x ``height`` units, y downwards; the first shape lies at the bottom.

    ``title`` names it; ``description`` says in words and numbers what it shows, for those who cannot see it.
    """

    width: float
    height: float
    shapes: tuple[Line | Path | Mark | Rect | Text, ...]
    title: str
    description: str


def series_role(number: int) -> Role:
    """The colour of series ``number`` (from 0); they repeat after nine."""
    return SERIES[number % len(SERIES)]


def series_shape(number: int) -> tuple[Shape, bool]:
    """The shape of the points of series ``number``, and whether they are hollow: ten that differ without colour."""
    return SHAPES[number % len(SHAPES)], number // len(SHAPES) % 2 == 1


def text_width(text: str, size: float) -> float:
    """The width of ``text`` in the widest of the usual sans-serif fonts, roughly, in the units of ``size``."""
    return size * _advances(text)


@lru_cache(maxsize=4096)  # a name is measured for each place where it may stand
def _advances(text: str) -> float:
    return sum(_advance(character) for character in text)


def extent(text: Text) -> tuple[float, float, float, float]:
    """The box around a text: left, top, right, bottom."""
    width = text_width(text.text, text.size) * (1.06 if text.bold else 1.0)
    left = text.x - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return left, text.y - ASCENT * text.size, left + width, text.y + DESCENT * text.size


def fitted(text: str, width: float, size: float) -> str:
    """``text`` on one line of at most ``width``: blanks become single spaces, what is too long ends in an ellipsis."""
    line = " ".join(text.split())
    if text_width(line, size) <= width:
        return line
    room = width - text_width("…", size)
    end = 0
    while end < len(line) and (room := room - size * _advance(line[end])) >= 0:
        end += 1
    return line[:end].rstrip() + "…"


def _advance(character: str) -> float:
    """The width of a character in sizes: of Helvetica, and a little more."""
    if character in "ijl.,:;'|!I`":
        return 0.31
    if character in ' frt()[]/-"{}\\':
        return 0.38
    if character in "mwMW@%—":
        return 0.98
    if character.isascii():
        return 0.74 if character.isupper() or character in "+=<>~" else 0.59
    return 1.05 if unicodedata.east_asian_width(character) in "WF" or not character.isalpha() else 0.78


def outline(mark: Mark) -> tuple[tuple[float, float], ...]:
    """The corners of a mark that is no circle; areas are near that of the circle, so that none looks weightier."""
    x, y, r = mark.x, mark.y, mark.radius
    corners = {
        "square": ((-0.89, -0.89), (0.89, -0.89), (0.89, 0.89), (-0.89, 0.89)),
        "triangle": ((0.0, -1.3), (1.2, 0.8), (-1.2, 0.8)),
        "down": ((0.0, 1.3), (1.2, -0.8), (-1.2, -0.8)),
        "diamond": ((0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)),
    }[mark.shape]
    return tuple((x + r * dx, y + r * dy) for dx, dy in corners)
