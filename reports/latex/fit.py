"""Which font size, room between columns and cuts make a table of one's own fit a document of one or two columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from derainbench.errors import UserError

from ..layout.own_tables import Group, MarkedCell, SetOwn
from ..own_tables.spec import Layout
from ..tex.escape import printable
from .environment import HEADING
from .widths import points, text_width, typewriter_width

#: Lines of documents: of one column the shortest in use (12 cm, Springer's llncs; article's own and NeurIPS' are
#: longer), of two CVPR's column and page (IEEE's, 3.5 and 7.16 in, are longer).
ONE, COLUMN, PAGE = "12cm", "3.25in", "6.875in"
#: Font sizes in points with half the room between columns, the most readable first. Below 7 pt nothing is set.
SIZES = ((9.0, 4.5), (9.0, 3.0), (8.0, 4.0), (8.0, 2.5), (7.0, 3.0), (7.0, 2.0))
#: Where names of rows may be broken, in characters; 0: nowhere.
NAMES = (0, 30, 22, 16)
#: A superscript against the text that it stands at; font sizes of deviations and of protocols against a number's.
RAISED, DEVIATION, PROTOCOL = 0.75, 0.8, 0.85
#: Points of a page that panels above each other may take, notes and captions left out, and lines of a panel's head.
HIGH, HEAD = 520.0, 5
#: Of a cite in square brackets, as numbers of two digits.
CITED = "~[12]"


@dataclass(frozen=True)
class Panel:
    """Part of a table that stands below another: columns ``first`` to ``last`` (exclusive), by their groups."""

    groups: tuple[Group, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Fit:
    """How a table is set. ``page``: across both columns. ``size`` and ``separation`` in points; row names break after
    ``names`` characters (0: nowhere)."""

    page: bool
    size: float
    separation: float
    names: int
    panels: tuple[Panel, ...]

    def floats(self, table: SetOwn) -> tuple[tuple[Panel, ...], ...]:
        """The panels, as many above each other as a page holds: LaTeX breaks nothing that stands in a float."""
        rows = sum(len(wrapped(line.name, self.names)) + 0.5 * line.line for line in table.lines)
        height = 1.2 * self.size * (rows + HEAD)
        together = max(1, int(HIGH / height))
        return tuple(self.panels[n : n + together] for n in range(0, len(self.panels), together))


def fit(table: SetOwn, layout: Layout) -> Fit:
    """The most readable way of setting ``table`` that is no wider than its place.

    A narrower place comes first, then a larger font; names are broken before the font gets small, and where one table
    would be too wide its columns stand below each other in several. UserError where a single column is too wide.
    """
    lines = [(page, points(layout.width or length)) for page, length in _lines(layout)]
    for page, width in lines:
        for each in _ways(layout, page):
            if _width(table, each, 0, len(table.columns)) <= width:
                return replace(each, panels=(Panel(table.groups, 0, len(table.columns)),))
    page, width = lines[-1]
    for each in _ways(layout, page):
        panels = _panels(table, each, width)
        if panels is not None and (each.size <= 8.0 or layout.size is not None):
            return replace(each, panels=panels)
    raise UserError(
        f"a table with names and columns of this width does not fit {layout.width or _lines(layout)[-1][1]} in any "
        "readable way; give shorter titles, or a wider layout.width"
    )


def _lines(layout: Layout) -> list[tuple[bool, str]]:
    """Where it may stand: whether across both columns, and how wide that is; the narrowest first."""
    if layout.columns == 1:
        return [(False, ONE)]
    places = {"column": [(False, COLUMN)], "page": [(True, PAGE)]}
    return places.get(layout.span, [(False, COLUMN), (True, PAGE)])


def _ways(layout: Layout, page: bool) -> Iterator[Fit]:
    """Ways of setting, the most readable first: names break before the font gets smaller than 8 points."""
    sizes = SIZES if layout.size is None else tuple((layout.size, sep) for sep in (layout.size / 2, layout.size / 4))
    for readable in (True, False):
        for names in NAMES:
            for size, separation in sizes:
                if (size >= 8.0) == readable:
                    yield Fit(page, size, separation, names, ())


def _panels(table: SetOwn, way: Fit, width: float) -> tuple[Panel, ...] | None:
    """Whole groups below each other, a group in parts where it is too wide itself; None if a column alone is."""
    cuts = [0]
    edges = _edges(table.groups)
    last = 0
    while last < len(table.columns):
        fitting = _within(table, way, width, last, [edge for edge in edges if edge > last])
        if not fitting:
            fitting = _within(table, way, width, last, range(last + 1, len(table.columns)))
        if not fitting:
            return None
        last = fitting[-1]
        cuts.append(last)
    return tuple(Panel(_part(table.groups, first, end), first, end) for first, end in pairwise(cuts))


def _within(table: SetOwn, way: Fit, width: float, first: int, ends: Iterable[int]) -> list[int]:
    """Those of ``ends``, which grow, up to which the columns from ``first`` on fit."""
    return [*takewhile(lambda end: _width(table, way, first, end) <= width, ends)]


def _edges(groups: Sequence[Group]) -> list[int]:
    edges, last = [], 0
    for group in groups:
        last += len(group.columns)
        edges.append(last)
    return edges


def _part(groups: Sequence[Group], first: int, last: int) -> tuple[Group, ...]:
    found, place = [], 0
    for group in groups:
        columns = tuple(c for n, c in enumerate(group.columns, place) if first <= n < last)
        place += len(group.columns)
        if columns:
            found.append(replace(group, columns=columns))
    return tuple(found)


def _width(table: SetOwn, way: Fit, first: int, last: int) -> float:
    """Points that columns ``first`` to ``last`` take with the names of the rows before them."""
    several = len(table.protocols) > 1
    total, place = _names(table, way), first
    for group in _part(table.groups, first, last):
        columns = [
            max([text_width(column.title, way.size), *column_widths(table.column(n), way.size)])
            for n, column in enumerate(group.columns, place)
        ]
        place += len(group.columns)
        heading = max((text_width(line, way.size) for line in wrapped(group.title, HEADING)), default=0.0)
        protocol = typewriter_width(group.protocol, PROTOCOL * way.size) if several else 0.0
        inner = sum(columns) + 2 * way.separation * (len(columns) - 1)
        total += max(inner, heading, protocol) + 2 * way.separation
    return total


def _names(table: SetOwn, way: Fit) -> float:
    widths = [text_width("Method", way.size)]
    for line in table.lines:
        parts = wrapped(line.name, way.names)
        tail = RAISED * text_width(line.marks, way.size) + (text_width(CITED, way.size) if line.cite else 0.0)
        widths += [*(text_width(part, way.size) for part in parts[:-1]), text_width(parts[-1], way.size) + tail]
    return max(widths)


def wrapped(text: str, characters: int) -> list[str]:
    """``text`` in lines of at most so many characters (0: one line), as :func:`.escape.stacked` breaks it."""
    return textwrap.wrap(printable(text), characters or 10_000) or [""]


def tail_of(cell: MarkedCell) -> str:
    """The marks behind a number: of what was seen in training, what is doubted, and its remarks."""
    finished = cell.cell.state == "finished"
    return ("‡" if cell.cell.seen else "") + ("?" if cell.doubted and finished else "") + cell.marks


def column_widths(column: Sequence[MarkedCell], size: float) -> list[float]:
    """Points of the cells of a column, each with all that keeps its digits in line with those of the others."""
    deviation = max((each.cell.deviation_text for each in column), key=len, default="")
    tail = max((tail_of(each) for each in column), key=len, default="")
    spread = text_width(f"±{deviation}", size * DEVIATION, bold=True) + 2 * size / 6 if deviation else 0.0
    behind = spread + RAISED * text_width(tail, size)
    most = max(map(_decimals, column), default=0)
    digits = [cell.cell.text + "0" * _lacking(cell, most) for cell in column]
    return [
        text_width(text, size, bold=cell.cell.rank == "best") + behind
        for cell, text in zip(column, digits, strict=True)
    ]


def shortfall(cell: MarkedCell, column: Sequence[MarkedCell]) -> int:
    """How many digits a number has fewer behind its point than the longest of the column."""
    return _lacking(cell, max(map(_decimals, column), default=0))


def _lacking(cell: MarkedCell, most: int) -> int:
    return most - _decimals(cell) if _decimals(cell) else 0


def _decimals(cell: MarkedCell) -> int:
    whole, point, decimals = cell.cell.text.partition(".")
    return len(decimals) if point and whole.lstrip("-").isdigit() and decimals.isdigit() else 0
