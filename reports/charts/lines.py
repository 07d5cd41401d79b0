"""Lines over a common axis, each named where it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .axes import WIDTH, bottom_axis, level_lines, margin_for, scale, ticks
from .drawing import NAME, Drawing, Line, Mark, Path, Rect, Text, series_role, series_shape, text_width
from .names import fitted_apart
from .placement import line_height, spread, widest

HEIGHT = 290.0
TOP, BOTTOM = 34.0, 46.0
#: Lines of one colour and shape are no longer told apart.
MOST_LINES = 10

Series = Mapping[str, Sequence[tuple[float, float]]]


def line_chart(
    series: Series,
    x_title: str,
    y_title: str,
    *,
    title: str,
    log_x: bool = False,
    log_y: bool = False,
    marks: bool = False,
    width: float = WIDTH,
) -> Drawing:
    """Each name's points (x, y) as a line, in the order of x; names stand at the right end of their lines,
    or, where they are too long for that, in rows below the axis.

    Points that are not finite (or not positive on a logarithmic axis) are left out. ``marks`` draws every point, for
    few of them. ``title`` names the chart for those who do not see it.
    """  # fmt: skip
    kept = {
        name: sorted(
            (x, y)
            for x, y in points
            if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y)
        )
        for name, points in list(series.items())[:MOST_LINES]
    }
    kept = {name: points for name, points in kept.items() if points}
    names = fitted_apart([*kept], 116, NAME)
    below = any(text != " ".join(name.split()) for text, name in zip(names, kept, strict=True))
    right = width - (8 if below else 18 + widest(names, NAME))
    up = scale((y for points in kept.values() for _, y in points), HEIGHT - BOTTOM, TOP, log_y)
    levels = ticks(up, 5, counts=log_y or up.high >= 1e4)
    left = margin_for(levels)
    across = scale((x for points in kept.values() for x, _ in points), left, right, log_x, margin=0.0)
    shapes: list[Line | Path | Mark | Rect | Text] = [
        *level_lines(up, left, right, levels, y_title),
        *bottom_axis(across, HEIGHT - BOTTOM, ticks(across, 5, counts=log_x or across.high >= 1e4), x_title, width),
    ]
    ends = [up(points[-1][1]) for points in kept.values()]
    heights = spread(ends, TOP, HEIGHT - BOTTOM, line_height(NAME))
    for number, (points, label, end, height) in enumerate(zip(kept.values(), names, ends, heights, strict=True)):
        role, (shape, hollow) = series_role(number), series_shape(number)
        places = tuple((across(x), up(y)) for x, y in points)
        if len(places) > 1:
            shapes.append(Path(places, role, 1.8))
        dots = places if marks or len(places) == 1 else places[-1:]
        shapes += [Mark(x, y, role, shape, 3.5, hollow) for x, y in dots]
        if below:
            continue
        if abs(end - height) > 3:
            shapes.append(Line(places[-1][0] + 4, end, right + 9, height, role, 0.8))
        shapes.append(Text(right + 12, height + 4, label, size=NAME))
    rows = _names_below([*kept], width) if below else []
    shapes += rows
    height = max((shape.y for shape in rows if isinstance(shape, Text)), default=HEIGHT - 6) + 6
    said = "; ".join(f"{' '.join(name.split())}: {_ends(points)}" for name, points in kept.items())
    left_out = len(series) - len(kept)
    more = f" {left_out} more without a line here." if left_out else ""
    return Drawing(width, height, tuple(shapes), title, f"{y_title} by {x_title}. {said or 'No values'}.{more}")


def _names_below(names: Sequence[str], width: float) -> list[Line | Mark | Text]:
    """The names with the colour and shape of their lines, from left to right, as many in a row as fit."""
    shapes: list[Line | Mark | Text] = []
    x, y = 2.0, HEIGHT + 12
    for number, name in enumerate(fitted_apart(names, width - 34, NAME)):
        if x > 2 and x + 30 + text_width(name, NAME) > width:
            x, y = 2.0, y + line_height(NAME) + 2
        role, (shape, hollow) = series_role(number), series_shape(number)
        shapes += [Line(x, y - 4.5, x + 22, y - 4.5, role, 1.8), Mark(x + 11, y - 4.5, role, shape, 3.5, hollow)]
        shapes.append(Text(x + 28, y, name, size=NAME))
        x += 44 + text_width(name, NAME)
    return shapes


def _ends(points: Sequence[tuple[float, float]]) -> str:
    (first_x, first_y), (last_x, last_y) = points[0], points[-1]
    return f"from {first_y:.4g} at {first_x:.4g} to {last_y:.4g} at {last_x:.4g}"
