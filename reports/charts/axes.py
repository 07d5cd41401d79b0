"""Scales from numbers to places in a drawing, round values on them, and the lines and words of an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from .drawing import NOTE, Line, Text, fitted, text_width

#: Numbers beyond this are drawn there: differences of them stay finite.
LARGEST = 1e300
#: Every chart is as wide: names of 13 units are then 11 pixels on a telephone, 7 points in half a line of 16 cm.
WIDTH = 400.0
#: The smallest positive value that a logarithmic axis tells from others.
SMALLEST = 1e-300

#: Values of an axis and what is written there.
Ticks = tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` (``low < high``) to places from ``start`` to ``end``, linear or logarithmic.

    Values outside are drawn at the edge.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, here = (self._linear(each) for each in (self.low, self.high, value))
        share = min(1.0, max(0.0, (here - low) / (high - low)))
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int) -> tuple[float, ...]:
        """Round values on the scale, ``about`` as many; at least one where the scale is wide enough for a round one."""
        return _log_ticks(self.low, self.high, about) if self.log else _linear_ticks(self.low, self.high, about)

    def _linear(self, value: float) -> float:
        return math.log10(max(value, SMALLEST)) if self.log else value


def scale(values: Iterable[float], start: float, end: float, log: bool = False, margin: float = 0.06) -> Scale:
    """A scale for the finite ``values`` (positive where ``log``), with ``margin`` of their range on either side."""
    kept = [min(LARGEST, max(-LARGEST, value)) for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = (min(kept), max(kept)) if kept else (1.0, 10.0)
    if log:
        a, b = math.log10(max(low, SMALLEST)), math.log10(max(high, SMALLEST))
        room = max((b - a) * margin, 0.08)
        return Scale(10 ** max(a - room, -305), 10 ** min(b + room, 305), start, end, log)
    # a range that the numbers' own precision, or the axis' digits, cannot tell from nothing
    least = max(abs(low), abs(high)) * 1e-6 + 1e-6
    room = max((high - low) * margin, least)
    return Scale(low - room, high + room, start, end)


def _linear_ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * each for each in (1, 2, 5, 10)), key=lambda each: abs((high - low) / each - about))
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(step * number for number in range(first, last + 1))


def _log_ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    a, b = math.log10(low), math.log10(high)
    first, last = math.floor(a), math.ceil(b)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        inside = tuple(value for value in found if low <= value <= high)
        if 2 <= len(inside) <= about + 1:
            return inside
    every = max(1, math.ceil((b - a) / max(about, 1)))
    powers = [10.0**power for power in range(math.ceil(a), math.floor(b) + 1) if power % every == 0]
    return tuple(powers) if powers else _linear_ticks(low, high, about)


def tick_texts(values: tuple[float, ...]) -> tuple[str, ...]:
    """The values of an axis with as many decimal places as tell them apart, all alike."""
    if not values:
        return ()
    largest = max(map(abs, values))
    step = min((after - before for before, after in pairwise(values)), default=largest)
    if largest >= 1e5 or step < 1e-4:
        return tuple(f"{value:.4g}".replace("e+", "e").replace("-", "−") for value in values)
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return tuple(f"{value + 0.0:.{places}f}".replace("-", "−") for value in values)


def count_text(value: float) -> str:
    """A count in three digits: ``168k``, ``6.51M``, ``1.2G``; what is below one, or beyond all names, as a number."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size * 0.9995 <= value < size * 1e4:
            return f"{value / size:.3g}{name}" if value / size < 999.5 else f"{value / size:.0f}{name}"
    return f"{value:.3g}"


def bottom_axis(
    across: Scale, y: float, ticks: Ticks, title: str, width: float, grid_top: float | None = None
) -> list[Line | Text]:
    """The horizontal axis at height ``y`` with the texts of ``ticks`` below, and its title below them, right-aligned.

    Texts that would overlap the one before are left out, those at the edge of the drawing, ``width`` wide, move inside.
    With ``grid_top``, faint lines go up to there.
    """
    left, right = min(across.start, across.end), max(across.start, across.end)
    shapes: list[Line | Text] = [Line(left, y, right, y, "soft")]
    free = 0.0
    for value, text in sorted(ticks, key=lambda tick: across(tick[0])):
        x, half = across(value), text_width(text, NOTE) / 2
        shapes.append(Line(x, grid_top, x, y) if grid_top is not None else Line(x, y, x, y + 4, "soft"))
        middle = min(max(x, half), width - half)
        if middle - half >= free:
            shapes.append(Text(middle, y + 17, text, "soft", "middle"))
            free = middle + half + 4
    shapes.append(Text(right, y + 35, fitted(title, right, NOTE), "soft", "end"))
    return shapes


def level_lines(up: Scale, left: float, right: float, ticks: Ticks, title: str) -> list[Line | Text]:
    """Faint horizontal lines with the texts of ``ticks`` left of them, and the axis' title above, from the left."""
    shapes: list[Line | Text] = []
    for value, text in ticks:
        y = up(value)
        if abs(y - up.start) < 6:  # it would touch the other axis
            continue
        shapes += [Line(left, y, right, y), Text(left - 7, y + 4, text, "soft", "end")]
    shapes.append(Text(2, min(up.start, up.end) - 14, fitted(title, right, NOTE), "soft"))
    return shapes


def ticks(scale: Scale, about: int, counts: bool = False) -> Ticks:
    """Round values on ``scale``, ``about`` as many, with their texts; ``counts`` are written as in 6.5M."""
    values = scale.ticks(about)
    return tuple(zip(values, map(count_text, values) if counts else tick_texts(values), strict=True))


def margin_for(ticks: Ticks) -> float:
    """How far from the left edge an axis starts, so that its texts stand there."""
    return 10 + max((text_width(text, NOTE) for _, text in ticks), default=0.0)
