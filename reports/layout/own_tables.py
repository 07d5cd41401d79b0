"""How a table of one's own is set, for every format: which mark stands where, and what the marks say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ..comparison.cells import Cell
from ..own_tables.table import OwnCell, OwnColumn, OwnRow, OwnTable, Remark
from .published import letters, rest_of

#: Beside quoted numbers where no sentence below says from where they are.
QUOTED = "*"


@dataclass(frozen=True)
class MarkedCell:
    """A number or word with the marks behind it; ``doubted`` has a question mark there, too."""

    cell: Cell
    marks: str = ""
    doubted: bool = False


@dataclass(frozen=True)
class OwnLine:
    """A row: its name with the marks behind it, the key it is cited by, its cells, and whether a line is above it."""

    name: str
    marks: str
    cite: str
    cells: tuple[MarkedCell, ...]
    line: bool


@dataclass(frozen=True)
class Group:
    """Columns that stand beside each other below one heading, which is empty where there is none."""

    title: str
    protocol: str
    columns: tuple[OwnColumn, ...]


@dataclass(frozen=True)
class SetOwn:
    """A table ready for setting. ``footnotes`` are the marks with what they say; both are empty without notes."""

    caption: str
    label: str
    groups: tuple[Group, ...]
    lines: tuple[OwnLine, ...]
    footnotes: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[OwnColumn, ...]:
        """All of them, from left to right."""
        return tuple(column for group in self.groups for column in group.columns)

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols of its scores; where there are several, columns name theirs."""
        return tuple(dict.fromkeys(group.protocol for group in self.groups if group.protocol))

    def column(self, number: int) -> tuple[MarkedCell, ...]:
        """The cells of a column, from top to bottom."""
        return tuple(line.cells[number] for line in self.lines)


def set_own(table: OwnTable) -> SetOwn:
    """A table with its marks: lettered in the order in which a reader meets them, behind a row's name where all of its
    numbers have one, otherwise behind the number.

    Without notes nothing explains letters: quoted numbers have a :data:`QUOTED`, and whatever keeps a row from being
    compared stands in its name.
    """
    marks: dict[Remark, str] = {}
    lines = []
    for row in table.rows:
        whole = _of_all(row)
        if table.spec.notes:
            for remark in (*whole, *(each for cell in row.cells for each in cell.remarks)):
                marks.setdefault(remark, letters(len(marks)))
            lines.append(_lettered(row, whole, marks))
        else:
            lines.append(_in_words(row))
    footnotes = [(mark, remark.text + rest_of(remark.note)) for remark, mark in marks.items()]
    notes = table.notes if table.spec.notes else ()
    return SetOwn(table.spec.caption, table.spec.label, _groups(table.columns), tuple(lines), tuple(footnotes), notes)


def _groups(columns: Sequence[OwnColumn]) -> tuple[Group, ...]:
    parts = [tuple(part) for _, part in groupby(columns, key=lambda each: (each.group, each.protocol))]
    return tuple(Group(part[0].group, part[0].protocol, part) for part in parts)


def _of_all(row: OwnRow) -> tuple[Remark, ...]:
    """The remarks that all scores of a row have."""
    numbers = [cell for cell in row.cells if _is_score(cell)]
    return tuple(
        remark for remark in (numbers[0].remarks if numbers else ()) if all(remark in cell.remarks for cell in numbers)
    )


def _is_score(cell: OwnCell) -> bool:
    return cell.cell.state == "finished" and not math.isnan(cell.cell.value)  # words and costs are NaN


def _lettered(row: OwnRow, whole: Sequence[Remark], marks: dict[Remark, str]) -> OwnLine:
    cells = [
        MarkedCell(
            cell.cell,
            ",".join(sorted({marks[remark] for remark in cell.remarks if remark not in whole}, key=_order)),
            cell.unconfirmed,
        )
        for cell in row.cells
    ]
    return OwnLine(row.name, ",".join(marks[remark] for remark in whole), row.cite, tuple(cells), row.line)


def _order(mark: str) -> tuple[int, str]:
    return len(mark), mark


def _in_words(row: OwnRow) -> OwnLine:
    said = dict.fromkeys(remark.short for cell in row.cells for remark in cell.remarks if remark.short)
    name = f"{row.name} ({'; '.join(said)})" if said else row.name
    numbers = [cell for cell in row.cells if _is_score(cell)]
    all_quoted = bool(numbers) and all(cell.quoted for cell in numbers)
    cells = [
        MarkedCell(cell.cell, QUOTED if cell.quoted and not all_quoted else "", cell.unconfirmed) for cell in row.cells
    ]
    return OwnLine(name, QUOTED if all_quoted else "", row.cite, tuple(cells), row.line)
