"""Splits a wide comparison into panels that fit a page or a terminal, a dataset at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby

from ..comparison.cells import Cell, ComparisonTable

#: Blank characters between two columns.
GAP = 2


def cell_text(cell: Cell) -> str:
    """What a cell shows before any emphasis: the number, with its deviation over seeds."""
    return f"{cell.text} ± {cell.deviation_text}" if cell.deviation_text else cell.text


@dataclass(frozen=True)
class Frame:
    """What a table has room for, in characters: ``width`` of a line, ``heading`` where names wrap.

    ``beside`` is what stands beside every name, such as a citation; ``number`` says how wide a cell is.
    """

    width: int
    heading: int
    beside: int = 0
    number: Callable[[Cell], float] = lambda cell: len(cell_text(cell))


def panels(table: ComparisonTable, frame: Frame) -> tuple[ComparisonTable, ...]:
    """``table`` cut into tables of whole datasets, no wider than ``frame`` where one dataset fits."""
    fixed = min(_stub(table), frame.heading) + _fixed(table, frame)
    blocks: list[list[int]] = []
    used = float(frame.width)  # opens the first panel
    for title, numbers in _datasets(table):
        need = _need(table, title, numbers, frame)
        if used + need > frame.width:
            blocks.append([])
            used = fixed
        blocks[-1] += numbers
        used += need
    return tuple(_only(table, block) for block in blocks)


def fits(table: ComparisonTable, frame: Frame) -> bool:
    """Whether the whole table is no wider than ``frame``."""
    columns = sum(_need(table, title, numbers, frame) for title, numbers in _datasets(table))
    return min(_stub(table), frame.heading) + _fixed(table, frame) + columns <= frame.width


def label_width(panel: ComparisonTable, frame: Frame) -> int:
    """How wide the names of a panel's rows may be without making it wider than ``frame``; its ``heading`` or more."""
    columns = sum(_need(panel, title, numbers, frame) for title, numbers in _datasets(panel))
    return max(frame.heading, int(frame.width - columns - _fixed(panel, frame)))


def _stub(table: ComparisonTable) -> int:
    return max([len("Method"), *(len(row.entry.full_label) for row in table.rows)])


def _fixed(table: ComparisonTable, frame: Frame) -> int:
    """The width of the columns before the datasets', the names left out."""
    parameters = max([len("Parameters"), *(len(row.entry.parameters) for row in table.rows)])
    return frame.beside + GAP + parameters


def _need(table: ComparisonTable, title: str, numbers: list[int], frame: Frame) -> float:
    """The width of a dataset's columns with the gaps before them."""
    columns = sum(max([5, *(frame.number(row.cells[n]) for row in table.rows)]) + GAP for n in numbers)
    return max(columns, min(len(title), frame.heading) + frame.beside + GAP)


def _datasets(table: ComparisonTable) -> list[tuple[str, list[int]]]:
    """Each dataset's title with the numbers of its columns."""
    groups = groupby(enumerate(table.columns), key=lambda pair: pair[1].dataset.name)
    listed = [list(members) for _, members in groups]
    return [(members[0][1].dataset.title, [number for number, _ in members]) for members in listed]


def _only(table: ComparisonTable, numbers: list[int]) -> ComparisonTable:
    rows = tuple(replace(row, cells=tuple(row.cells[n] for n in numbers)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[n] for n in numbers), rows=rows)
