"""How the scores of single images spread: a row a method, boxes for many images, every image where they are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .axes import WIDTH, Scale, bottom_axis, scale, ticks
from .drawing import NAME, NOTE, Drawing, Line, Mark, Path, Rect, Role, Text, fitted, text_width
from .names import fitted_apart
from .placement import widest

TOP, BOTTOM, ROW = 30.0, 42.0, 25.0
#: Fewer images than this are drawn one by one: quartiles of ten numbers hide more than they show.
FEW = 20
#: Of the images beyond the whiskers, at most this many a side are drawn, from the farthest on.
MOST_OUTLIERS = 8
NAN = float("nan")


@dataclass(frozen=True)
class Spread:
    """A row: the scores of single images, ``quiet`` for one to compare others with, such as the unprocessed input."""

    name: str
    scores: NDArray[np.float64]
    quiet: bool = False


@dataclass(frozen=True)
class Box:
    """Five quantiles of the finite scores (5, 25, 50, 75, 95 %), all NaN without any, and what lies beyond."""

    low: float
    lower: float
    median: float
    upper: float
    high: float
    values: NDArray[np.float64]
    outliers: tuple[float, ...]
    infinite: int


def box(scores: NDArray[np.float64]) -> Box:
    """Quantiles by linear interpolation (Hyndman and Fan's type 7, numpy's default) of what is finite in ``scores``."""
    values = np.sort(scores[np.isfinite(scores)])
    infinite = int(np.isposinf(scores).sum())
    if not len(values):
        return Box(NAN, NAN, NAN, NAN, NAN, values, (), infinite)
    low, lower, median, upper, high = (float(each) for each in np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)))
    below, above = values[values < low][:MOST_OUTLIERS], values[values > high][-MOST_OUTLIERS:]
    return Box(low, lower, median, upper, high, values, (*below.tolist(), *above.tolist()), infinite)


def distribution(rows: Sequence[Spread], x_title: str, *, title: str, digits: int = 2) -> Drawing:
    """Rows in their order; the median is written at the right. What is infinite or missing is left out, and said."""
    boxes = [box(row.scores) for row in rows]
    height = TOP + ROW * len(rows) + BOTTOM
    names = fitted_apart([row.name for row in rows], 0.42 * WIDTH, NAME)
    medians = [f"{each.median:.{digits}f}" if len(each.values) else "–" for each in boxes]
    medians = [fitted(text, 90, NAME) for text in medians]
    left = 16 + widest(names, NAME)
    right = WIDTH - max(widest(medians, NAME), text_width("median", NOTE)) - 18
    across = scale((value for each in boxes for value in _drawn(each)), left, right, margin=0.03)
    bottom = TOP + ROW * len(rows)
    shapes: list[Line | Path | Mark | Rect | Text] = [
        *bottom_axis(across, bottom, ticks(across, 5), x_title, WIDTH, grid_top=TOP - 6),
        Text(WIDTH - 2, TOP - 12, "median", "soft", "end"),
    ]
    for number, (row, name, each, median) in enumerate(zip(rows, names, boxes, medians, strict=True)):
        y = TOP + ROW * (number + 0.5)
        role: Role = "soft" if row.quiet else "series-1"
        shapes.append(Text(2, y + 4.5, name, "soft" if row.quiet else "ink", size=NAME))
        if len(each.values):
            shapes += _strip(each, across, y, role) if len(each.values) < FEW else _box(each, across, y, role)
        shapes.append(Text(WIDTH - 2, y + 4.5, median, "soft" if row.quiet else "ink", "end", NAME))
    return Drawing(WIDTH, height, tuple(shapes), title, _words(rows, boxes, x_title, digits))


def _drawn(each: Box) -> tuple[float, ...]:
    """The values that have to fit on the axis."""
    if not len(each.values):
        return ()
    ends = (float(each.values[0]), float(each.values[-1]))
    return ends if len(each.values) < FEW else (each.low, each.high, *each.outliers)


def _strip(each: Box, across: Scale, y: float, role: Role) -> list[Line | Mark | Rect]:
    x = across(each.median)
    dots = [Mark(across(value), y, role, "circle", 3.2, opacity=0.5) for value in each.values.tolist()]
    return [*dots, Line(x, y - 8, x, y + 8, "ink", 2)]


def _box(each: Box, across: Scale, y: float, role: Role) -> list[Line | Mark | Rect]:
    low, lower, median, upper, high = (
        across(value) for value in (each.low, each.lower, each.median, each.upper, each.high)
    )
    dots = [Mark(across(value), y, role, "circle", 1.6, opacity=0.6) for value in each.outliers]
    return [
        *dots,
        Line(low, y, lower, y, role, 1.2),
        Line(upper, y, high, y, role, 1.2),
        Rect(lower, y - 6.5, max(upper - lower, 0.5), 13, role, 0.4),
        Line(median, y - 6.5, median, y + 6.5, "ink", 2),
    ]


def _words(rows: Sequence[Spread], boxes: Sequence[Box], x_title: str, digits: int) -> str:
    said = []
    for row, each in zip(rows, boxes, strict=True):
        count = f"{len(each.values)} image" + ("s" if len(each.values) != 1 else "")
        without = f", {each.infinite} of infinite score left out" if each.infinite else ""
        quantiles = (
            f"median {each.median:.{digits}f}, half of them from {each.lower:.{digits}f} to {each.upper:.{digits}f}, "
            f"90 % from {each.low:.{digits}f} to {each.high:.{digits}f}"
            if len(each.values)
            else "no finite score"
        )
        said.append(f"{row.name}: {quantiles} ({count}{without})")
    return f"{x_title} of single images. {'; '.join(said) or 'No methods'}."
