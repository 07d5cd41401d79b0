"""A score against what it costs: points with their names, the front of the best trade-offs, levels without a cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .axes import WIDTH, bottom_axis, count_text, level_lines, margin_for, scale, ticks
from .drawing import ASCENT, DESCENT, NAME, NOTE, Anchor, Drawing, Line, Mark, Path, Rect, Role, Text, extent
from .names import fitted_apart
from .placement import Box, leader, overlap, placed

HEIGHT = 300.0
TOP, BOTTOM, RIGHT = 36.0, 46.0, 12.0
#: The axis of scores shows at least as much; of PSNR, in dB.
LEAST_RANGE = 1.0
#: Room for a name, in units, where whole ones do not fit beside each other.
SHORTER = (190.0, 130.0)


@dataclass(frozen=True)
class Point:
    """A method: what it costs (0 for nothing) and what it scores."""

    name: str
    cost: float
    score: float


def front(points: Sequence[Point]) -> tuple[int, ...]:
    """The numbers of the points that no other beats, from cheap to dear: none costs at most as much and scores more,
    nor costs less and scores as much. Of equal points, the first."""
    found: list[int] = []
    for number in sorted(range(len(points)), key=lambda each: (points[each].cost, -points[each].score, each)):
        if not found or points[number].score > points[found[-1]].score:
            found.append(number)
    return tuple(found)


def cost_scatter(
    points: Sequence[Point],
    x_title: str,
    y_title: str,
    *,
    title: str,
    digits: int = 2,
    width: float = WIDTH,
    least: float = LEAST_RANGE,
) -> Drawing:
    """Points by cost (logarithmic) and score. Those on the front are filled and joined.

    The axis of scores is at least ``least`` long. A name is shortened where there is no room for the whole of it.

    A point that costs nothing, such as the unprocessed input, is a dashed level. Points whose score or cost is not
    finite are left out.
    """
    kept = [each for each in points if math.isfinite(each.score) and math.isfinite(each.cost) and each.cost >= 0]
    dots, levels = [each for each in kept if each.cost > 0], [each for each in kept if each.cost == 0]
    up = scale(_at_least([each.score for each in kept], least), HEIGHT - BOTTOM, TOP, margin=0.1)
    heights = ticks(up, 5)
    left, right = margin_for(heights), width - RIGHT
    across = scale((each.cost for each in dots), left, right, log=True, margin=0.12)
    shapes: list[Line | Path | Mark | Rect | Text] = [
        *level_lines(up, left, right, heights, y_title),
        *bottom_axis(across, HEIGHT - BOTTOM, ticks(across, 5, counts=True), x_title, width),
    ]
    best = front(dots)
    steps = _staircase([(across(dots[number].cost), up(dots[number].score)) for number in best])
    if len(best) > 1:
        shapes.append(Path(steps, "series-1", 1.2))
    places = [(across(each.cost), up(each.score)) for each in dots]
    crowd = [(x - 8, y - 8, x + 8, y + 8) for x, y in places] + _boxes_of(steps if len(best) > 1 else ())
    written = _levels([(up(each.score), each.name) for each in levels], left, right, crowd)
    shapes += written
    for number in sorted(range(len(dots)), key=lambda each: each in best):  # the best on top
        each, leads = dots[number], number in best
        role: Role = "series-1" if leads else "soft"
        words = f"{each.name}: {each.score:.{digits}f} at {count_text(each.cost)}"
        shapes.append(Mark(across(each.cost), up(each.score), role, "circle", 4.5, not leads, title=words))
    taken = [extent(text) for text in written if isinstance(text, Text)] + _boxes_of(steps if len(best) > 1 else ())
    taken += [(line.x1, line.y1 - 1, line.x2, line.y2 + 1) for line in written if isinstance(line, Line)]
    frame = (left, 2.0, width - 2, HEIGHT - BOTTOM - 2)
    for (x, y), text in zip(places, _named([each.name for each in dots], places, frame, taken), strict=True):
        if text:
            end = leader(x, y, text)
            shapes += [Line(x, y, *end, "soft", 0.8), text] if end else [text]
    return Drawing(width, HEIGHT, tuple(shapes), title, _words(dots, levels, best, x_title, y_title, digits))


def _named(
    names: Sequence[str], places: Sequence[tuple[float, float]], frame: Box, taken: Sequence[Box]
) -> list[Text | None]:
    """A text for each place: whole names if all of them have room, otherwise as long as most of them have."""
    found: list[list[Text | None]] = []
    for room in (frame[2] - frame[0], *SHORTER):
        texts = fitted_apart(names, room, NAME)
        found.append(placed([(x, y, text) for (x, y), text in zip(places, texts, strict=True)], NAME, frame, taken))
        if None not in found[-1]:
            return found[-1]
    return min(found, key=lambda texts: texts.count(None))


def _at_least(scores: list[float], least: float) -> list[float]:
    """The scores, and two that make the axis ``least`` long, lest 0.01 dB look large."""
    if not scores or max(scores) - min(scores) >= least:
        return scores
    middle = (max(scores) + min(scores)) / 2
    return [*scores, middle - least / 2, middle + least / 2]


def _staircase(places: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """For any cost, the best score that it buys: level until the next point of the front."""
    steps: list[tuple[float, float]] = []
    for x, y in places:
        if steps:
            steps.append((x, steps[-1][1]))
        steps.append((x, y))
    return tuple(steps)


def _levels(levels: Sequence[tuple[float, str]], left: float, right: float, crowd: Sequence[Box]) -> list[Line | Text]:
    """Dashed lines, each named above or below, at its right or left end: where the crowd leaves room, if anywhere."""
    shapes: list[Line | Text] = []
    taken = [*crowd]
    labels = fitted_apart([name for _, name in levels], (right - left) / 2, NOTE)
    for (y, _), label in zip(levels, labels, strict=True):
        shapes.append(Line(left, y, right, y, "soft", 1.2, dashed=True))
        heights = (y - 5, min(y + 4 + ASCENT * NOTE, HEIGHT - BOTTOM - DESCENT * NOTE))
        sides: tuple[tuple[float, Anchor], ...] = ((right, "end"), (left, "start"))
        texts = [Text(x, height, label, "soft", anchor, NOTE) for x, anchor in sides for height in heights]
        free = [text for text in texts if not any(overlap(extent(text), box) for box in taken)]
        shapes.append((free or texts)[0])
        taken.append(extent((free or texts)[0]))
    return shapes


def _boxes_of(steps: Sequence[tuple[float, float]]) -> list[Box]:
    """Lines as narrow boxes, for names to keep clear of."""
    return [(min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1) for (a, b), (c, d) in pairwise(steps)]


def _words(
    dots: Sequence[Point], levels: Sequence[Point], best: Sequence[int], x_title: str, y_title: str, digits: int
) -> str:
    said = [f"{each.name} {each.score:.{digits}f} at {count_text(each.cost)}" for each in dots]
    said += [f"{each.name} {each.score:.{digits}f} at no cost" for each in levels]
    front_names = ", ".join(dots[number].name for number in best)
    trade = f" Best for what they cost: {front_names}." if len(dots) > 1 else ""
    return f"{y_title} by {x_title}: {'; '.join(said) or 'no values'}.{trade}"
