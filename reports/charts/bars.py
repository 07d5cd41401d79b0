"""Horizontal bars from zero, in groups of one colour, each with its name before it and its value behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .drawing import NAME, NOTE, Drawing, Line, Rect, Text, series_role, text_width
from .names import fitted_apart

WIDTH = 440.0
TOP, ROW, BAR, GAP = 10.0, 21.0, 13.0, 9.0
#: Names take at most this much of the width.
NAMES = 190.0

#: The bars of each group: a name, and a value of zero or more.
Groups = Mapping[str, Sequence[tuple[str, float]]]


def bar_chart(groups: Groups, unit: str, *, title: str) -> Drawing:
    """A bar for each (name, value), from top to bottom; groups are apart and have a colour each.

    ``unit`` says what the values count; they are written whole. ``title`` names the chart for those who do not see it.
    """
    bars = [bar for group in groups.values() for bar in group]
    names = max((text_width(name, NAME) for name, _ in bars), default=0.0)
    left = 10 + min(NAMES, names)
    values = max((text_width(f"{value:,.0f}", NOTE) for _, value in bars), default=0.0)
    room = WIDTH - left - values - 10
    most = max((value for _, value in bars), default=0.0)
    texts = dict(zip(bars, fitted_apart([name for name, _ in bars], NAMES, NAME), strict=True))
    shapes: list[Line | Rect | Text] = []
    top = TOP
    for number, group in enumerate(groups.values()):
        top += GAP if number and group else 0.0
        for bar in group:
            value = bar[1]
            middle = top + ROW / 2
            length = room * value / most if most > 0 else 0.0
            shapes.append(Text(left - 7, middle + 4.5, texts[bar], anchor="end", size=NAME))
            if length > 0:
                shapes.append(Rect(left, middle - BAR / 2, length, BAR, series_role(number)))
            shapes.append(Text(left + length + 5, middle + 4.2, f"{value:,.0f}", "soft"))
            top += ROW
    shapes.append(Line(left, TOP, left, top, "soft"))
    height = top + 26
    shapes.append(Text(left, height - 8, unit, "soft"))
    said = ", ".join(f"{' '.join(name.split())} {value:,.0f}" for name, value in bars)
    return Drawing(WIDTH, height, tuple(shapes), title, f"{unit}: {said or 'no values'}.")
