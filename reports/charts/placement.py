"""Where names stand beside their points, so that no two of them overlap: simple and greedy."""

from __future__ import annotations

from collections.abc import Sequence

from .drawing import ASCENT, LEADING, Text, extent, text_width

Box = tuple[float, float, float, float]


def placed(
    points: Sequence[tuple[float, float, str]], size: float, frame: Box, taken: Sequence[Box] = (), gap: float = 8.0
) -> list[Text | None]:
    """A text for each (x, y, name), right, left, above or below its point, then farther away; None where none fits.

    Texts lie inside ``frame`` (left, top, right, bottom), and overlap neither each other, nor a point, nor ``taken``.
    The :func:`leader` of a text that stands farther away crosses nothing, or at least no other text, if that can be.
    Points in crowds choose first, those alone have room anyway; where that ends in crossings, other orders are tried.
    """

    def neighbours(number: int) -> int:
        x, y, _ = points[number]
        return sum(abs(x - other[0]) < 80 and abs(y - other[1]) < 30 for other in points)

    crowds = sorted(range(len(points)), key=lambda each: (-neighbours(each), each))
    longest = sorted(crowds, key=lambda each: -len(points[each][2]))
    best: tuple[float, list[Text | None]] | None = None
    for order in (crowds, longest, crowds[::-1], longest[::-1], sorted(crowds), sorted(crowds)[::-1]):
        choice = _in_turn(points, order, size, frame, taken, gap)
        if best is None or choice[0] < best[0]:
            best = choice
        if best[0] < _POINT:
            break
    return best[1] if best else []


#: What it costs, in units of a leader's length, that one crosses a line, a point or a name; that a name has no place.
_LINE, _POINT, _NAME, _NO_PLACE = 30.0, 150.0, 300.0, 1e6


def _in_turn(
    points: Sequence[tuple[float, float, str]],
    order: Sequence[int],
    size: float,
    frame: Box,
    taken: Sequence[Box],
    gap: float,
) -> tuple[float, list[Text | None]]:
    """The texts where points choose in this order, and what that costs."""
    dots = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in points]
    obstacles, texts = [*taken, *dots], list[Box]()

    def fits(box: Box) -> bool:
        return _inside(box, frame) and not any(overlap(box, other) for other in obstacles)

    def cost(x: float, y: float, text: Text) -> float:
        end = leader(x, y, text)
        if end is None:
            return 0.0
        at, length = (x - 5, y - 5, x + 5, y + 5), abs(end[0] - x) + abs(end[1] - y)
        for price, boxes in ((_NAME, texts), (_POINT, dots), (_LINE, taken)):
            if any(_crosses((x, y), end, box) for box in boxes if not overlap(at, box)):
                return length + price
        return length

    found: list[Text | None] = [None] * len(points)
    total = 0.0
    for number in order:
        x, y, name = points[number]
        text, least = None, _NO_PLACE
        for each in _candidates(x, y, name, size, gap):
            if fits(extent(each)) and (price := cost(x, y, each)) < least:
                text, least = each, price
            if not least:  # it needs no leader
                break
        total += least
        if text is not None:
            found[number] = text
            texts.append(extent(text))
            obstacles.append(extent(text))
            if end := leader(x, y, text):
                obstacles += _along((x, y), end)
    return total, found


def _candidates(x: float, y: float, name: str, size: float, gap: float) -> list[Text]:
    level, half = y + size * 0.36, text_width(name, size) / 2
    sides = [Text(x + gap, level, name, size=size), Text(x - gap, level, name, anchor="end", size=size)]
    for step in (0.0, 0.5, 1.0, 1.75, 2.5, 3.25, 4.0):
        up, down = y - gap - step * size - 0.5, y + gap + (ASCENT + step) * size
        for shift in (0.0, 0.5, -0.5):
            middle = x + shift * half
            sides += [Text(middle, each, name, anchor="middle", size=size) for each in (up, down)]
        # from the point on, whatever the font makes of the width
        sides += [Text(x, each, name, size=size) for each in (up, down)]
        sides += [Text(x, each, name, anchor="end", size=size) for each in (up, down)]
        beside = 1 + step
        for each in (level - beside * size / 2, level + beside * size / 2):
            sides += [Text(x + gap, each, name, size=size), Text(x - gap, each, name, anchor="end", size=size)]
    for step in (1.2, 2.4, 3.6, 4.8):  # aside, where a crowd takes all around the point
        for aside in (gap + 2.5 * size, gap + 5 * size):
            for each in (level - step * size, level + step * size):
                sides += [Text(x + aside, each, name, size=size), Text(x - aside, each, name, anchor="end", size=size)]
    return sides


def leader(x: float, y: float, text: Text) -> tuple[float, float] | None:
    """Where a line from a point to its name should end; None where the name stands close enough without."""
    left, top, right, bottom = extent(text)
    end = min(max(x, left), right), min(max(y, top), bottom)
    return end if abs(end[0] - x) + abs(end[1] - y) > 1.25 * text.size else None


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) share more than an edge."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _along(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """A line as small boxes."""
    places = [[a + (b - a) * share / 8 for a, b in zip(start, end, strict=True)] for share in range(9)]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in places]


def _crosses(start: tuple[float, float], end: tuple[float, float], box: Box) -> bool:
    """Whether a line meets a box: by how far along it lies between the sides (Liang and Barsky 1984)."""
    first, last = 0.0, 1.0
    for axis in (0, 1):
        way = end[axis] - start[axis]
        low, high = box[axis] - start[axis], box[axis + 2] - start[axis]
        if abs(way) < 1e-9:
            if low > 0 or high < 0:
                return False
            continue
        near, far = sorted((low / way, high / way))
        first, last = max(first, near), min(last, far)
    return first <= last


def _inside(box: Box, frame: Box) -> bool:
    return frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]


def spread(wanted: Sequence[float], top: float, bottom: float, apart: float) -> list[float]:
    """Heights near ``wanted``, in its order, at least ``apart`` from each other, from ``top`` to ``bottom``.

    They move as little as a sweep down and one back up make them; where they do not all fit, they stand closer.
    """
    if not wanted:
        return []
    apart = min(apart, (bottom - top) / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda each: (wanted[each], each))
    blocks: list[list[float]] = []  # of heights that touch: their mean wish, and how many
    for number in order:
        blocks.append([wanted[number], 1.0])
        while len(blocks) > 1 and blocks[-2][0] + apart * (blocks[-2][1] + blocks[-1][1]) / 2 > blocks[-1][0]:
            (first, many), (second, more) = blocks[-2:]
            blocks[-2:] = [[(first * many + second * more) / (many + more), many + more]]
    heights = [centre + apart * (place - (count - 1) / 2) for centre, count in blocks for place in range(int(count))]
    heights[0] = max(heights[0], top)
    for place in range(1, len(heights)):
        heights[place] = max(heights[place], heights[place - 1] + apart)
    heights[-1] = min(heights[-1], bottom)
    for place in range(len(heights) - 2, -1, -1):
        heights[place] = min(heights[place], heights[place + 1] - apart)
    return [heights[order.index(number)] for number in range(len(wanted))]


def widest(names: Sequence[str], size: float) -> float:
    """The width of the longest name."""
    return max((text_width(name, size) for name in names), default=0.0)


def line_height(size: float) -> float:
    """How far apart lines of text stand."""
    return size * LEADING
