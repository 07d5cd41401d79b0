"""The critical-difference diagram (Demsar, Statistical comparisons of classifiers, JMLR 2006, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence

from .axes import WIDTH, Scale
from .drawing import NAME, NOTE, Drawing, Line, Mark, Path, Rect, Text, text_width
from .names import fitted_apart
from .placement import widest

#: The bar of the critical difference, the axis, the distance of the bars of cliques, and of names.
BAR, AXIS, CLIQUE, ROW = 16.0, 52.0, 7.0, 21.0


def critical_difference_diagram(
    names: Sequence[str],
    mean_ranks: Sequence[float],
    critical_difference: float,
    cliques: Sequence[Sequence[int]],
    *,
    title: str,
) -> Drawing:
    """Mean ranks on an axis from the number of methods (left) to 1, the best; two or more methods.

    The better half stands at the right, best on top, the others at the left. A thick bar joins the methods of a clique,
    whose ranks differ by less than the critical difference, drawn above the axis.
    """
    count = len(names)
    order = sorted(range(count), key=lambda each: (mean_ranks[each], each))
    right_side, left_side = order[: count // 2], order[count // 2 :][::-1]
    labels = fitted_apart(names, 88, NAME)
    values = {each: f"{mean_ranks[each]:.2f}" for each in order}
    gap = text_width("0.00", NOTE) + 8
    room = max(widest(labels, NAME), 40) + gap + 8
    ranks = Scale(1.0, max(float(count), 1.0 + 1e-6), WIDTH - room - 8, room + 8)
    bars = _bars(mean_ranks, cliques)
    first = AXIS + 16 + CLIQUE * len(bars) + 8
    height = first + ROW * max(len(left_side), len(right_side), 1) - 4
    shapes: list[Line | Path | Mark | Rect | Text] = [*_axis(ranks, count), *_length(ranks, count, critical_difference)]
    for side, end, sign in ((right_side, WIDTH - room, 1), (left_side, room, -1)):
        for place, each in enumerate(side):
            x, y = ranks(mean_ranks[each]), first + ROW * place
            shapes.append(Path(((x, AXIS), (x, y), (end, y)), "soft", 1.0))
            name_at = end + sign * (gap + 4)
            shapes.append(Text(end + sign * 4, y + 4.3, values[each], "soft", "start" if sign > 0 else "end"))
            shapes.append(Text(name_at, y + 4.5, labels[each], "ink", "start" if sign > 0 else "end", NAME))
    for place, (best, worst) in enumerate(bars):
        y = AXIS + 12 + CLIQUE * place
        shapes.append(Line(ranks(best) + 3, y, ranks(worst) - 3, y, "series-1", 4))
    said = ", ".join(f"{names[each]} {values[each]}" for each in order)
    together = "; ".join(", ".join(names[each] for each in sorted(clique, key=order.index)) for clique in cliques)
    words = f"Mean ranks, 1 is best: {said}. Critical difference {critical_difference:.2f}. " + (
        f"Not told apart: {together}." if together else "All are told apart."
    )
    return Drawing(WIDTH, height, tuple(shapes), title, words)


def _bars(mean_ranks: Sequence[float], cliques: Sequence[Sequence[int]]) -> list[tuple[float, float]]:
    """The best and the worst rank of each clique of two or more, best first."""
    found = [[mean_ranks[each] for each in clique] for clique in cliques if len(clique) > 1]
    return sorted((min(ranks), max(ranks)) for ranks in found)


def _axis(ranks: Scale, count: int) -> list[Line | Text]:
    shapes: list[Line | Text] = [Line(ranks(1), AXIS, ranks(count), AXIS, "ink", 1.2)]
    every = 1 if count <= 12 else 5
    for rank in range(1, count + 1):
        x = ranks(rank)
        shapes.append(Line(x, AXIS - 5, x, AXIS, "ink", 1.2))
        if rank == 1 or rank % every == 0:
            shapes.append(Text(x, AXIS - 9, str(rank), "soft", "middle"))
    return shapes


def _length(ranks: Scale, count: int, critical_difference: float) -> list[Line | Text]:
    """The critical difference as a length of the axis, from its left end; open where the axis is shorter."""
    start, end = ranks(count), ranks(max(1.0, count - critical_difference))
    shapes: list[Line | Text] = [Line(start, BAR, end, BAR, "ink", 1.2)]
    ends = (start, end) if critical_difference <= count - 1 else (start,)
    shapes += [Line(x, BAR - 4, x, BAR + 4, "ink", 1.2) for x in ends]
    text = f"CD = {critical_difference:.2f}"
    fits = end + 8 + text_width(text, NOTE) < WIDTH
    shapes.append(Text(end + 8, BAR + 4.3, text) if fits else Text(start - 8, BAR + 4.3, text, anchor="end"))
    return shapes
