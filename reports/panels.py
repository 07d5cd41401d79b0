"""Splits a wide comparison into panels that fit a page or a terminal, a dataset at a time."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from .table import Cell, ComparisonTable

#: Blank characters between two columns.
GAP = 2


def cell_text(cell: Cell) -> str:
    """What a cell shows before any emphasis: the number, with its deviation over seeds."""
    return f"{cell.text} ± {cell.deviation_text}" if cell.deviation_text else cell.text


def panels(table: ComparisonTable, width: int, heading: int) -> tuple[ComparisonTable, ...]:
    """``table`` cut into tables of whole datasets, each at most ``width`` characters wide where one dataset fits.

    ``heading`` is the width at which a dataset's title wraps. All panels keep all rows.
    """
    stub = max([len("Method"), *(len(row.entry.full_label) for row in table.rows)])
    fixed = min(stub, heading) + GAP + len("Parameters")
    blocks: list[list[int]] = []
    used = width  # opens the first panel
    for title, numbers in _datasets(table):
        columns = sum(max([5, *(len(cell_text(row.cells[n])) for row in table.rows)]) + GAP for n in numbers)
        need = max(columns, min(len(title), heading) + GAP)
        if used + need > width:
            blocks.append([])
            used = fixed
        blocks[-1] += numbers
        used += need
    return tuple(_only(table, block) for block in blocks)


def _datasets(table: ComparisonTable) -> list[tuple[str, list[int]]]:
    """Each dataset's title with the numbers of its columns."""
    groups = groupby(enumerate(table.columns), key=lambda pair: pair[1].dataset.name)
    listed = [list(members) for _, members in groups]
    return [(members[0][1].dataset.title, [number for number, _ in members]) for members in listed]


def _only(table: ComparisonTable, numbers: list[int]) -> ComparisonTable:
    rows = tuple(replace(row, cells=tuple(row.cells[n] for n in numbers)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[n] for n in numbers), rows=rows)
