"""One small curve a row, each on its own scale, with the numbers it starts and ends at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .axes import WIDTH, scale
from .drawing import NAME, NOTE, Drawing, Line, Mark, Path, Rect, Text, fitted, text_width
from .names import fitted_apart
from .placement import line_height, widest

TOP, ROW, BOTTOM = 30.0, 34.0, 8.0


def sparklines(
    rows: Mapping[str, Sequence[tuple[float, float]]], *, y_title: str, title: str, width: float = WIDTH
) -> Drawing:
    """Each name's finite points (x, y) as a curve over its own ranges, since what they measure is not comparable.

    First and last value stand beside it. Names that are too long to stand there too stand above.
    """
    kept = {
        name: sorted((x, y) for x, y in points if math.isfinite(x) and math.isfinite(y))
        for name, points in rows.items()
    }
    kept = {name: points for name, points in kept.items() if points}
    names = fitted_apart([*kept], 0.45 * width, NAME)
    beside = all(text == " ".join(name.split()) for text, name in zip(names, kept, strict=True))
    names = names if beside else fitted_apart([*kept], width - 4, NAME)
    above = 0.0 if beside else line_height(NAME) + 2
    firsts, lasts = ([_text(points[end][1]) for points in kept.values()] for end in (0, -1))
    titled = 16 + (widest(names, NAME) if beside else text_width(fitted(y_title, width / 3, NOTE), NOTE))
    before = titled + max(widest(firsts, NAME), text_width("first", NOTE))
    after = width - 2 - max(widest(lasts, NAME), text_width("last", NOTE))
    left, right = before + 10, after - 12
    shapes: list[Line | Path | Mark | Rect | Text] = [
        Text(before, TOP - 12, "first", "soft", "end"),
        Text(width - 2, TOP - 12, "last", "soft", "end"),
        Text(2, TOP - 12, fitted(y_title, before - text_width("first", NOTE) - 10, NOTE), "soft"),
    ]
    for number, (name, first, last, points) in enumerate(zip(names, firsts, lasts, kept.values(), strict=True)):
        top = TOP + (ROW + above) * number
        across = scale((x for x, _ in points), left, right, margin=0.0)
        up = scale((y for _, y in points), top + above + ROW - 5, top + above + 5, margin=0.0)
        places = tuple((across(x), up(y)) for x, y in points)
        middle = top + above + ROW / 2 + 4.5
        shapes += [Line(2, top, width - 2, top), Text(2, middle if beside else top + above, name, size=NAME)]
        if len(places) > 1:
            shapes.append(Path(places, "series-1", 1.4))
        shapes += [
            Mark(*places[-1], "series-1", "circle", 2.6),
            Text(before, middle, first, "soft", "end", NAME),
            Text(width - 2, middle, last, "ink", "end", NAME),
        ]
    said = "; ".join(f"{name} from {a} to {b}" for name, a, b in zip(kept, firsts, lasts, strict=True))
    height = TOP + (ROW + above) * len(kept) + BOTTOM
    return Drawing(width, height, tuple(shapes), title, f"{y_title}: {said or 'no values'}.")


def _text(value: float) -> str:
    """Three digits, zeros at the end too."""
    return f"{value:#.3g}".removesuffix(".").replace("-", "−")
