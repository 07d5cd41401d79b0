"""A table of one's own as plain data, which every format writes down."""

from __future__ import annotations

from dataclasses import dataclass

from ..comparison.cells import Cell
from .spec import TableSpec

#: What stands in a column of an option where a method has it.
CHECK = "✓"


@dataclass(frozen=True)
class Remark:
    """What a mark beside a number says, without its full stop, and a ``note`` on it.

    ``short`` says it beside the name of the row, where nothing explains marks; empty where numbers are read rightly
    without.
    """

    text: str
    note: str = ""
    short: str = ""


@dataclass(frozen=True)
class OwnCell:
    """A cell with its remarks. ``quoted``: somebody printed it. ``unconfirmed``: nobody has read it in print."""

    cell: Cell
    remarks: tuple[Remark, ...] = ()
    quoted: bool = False
    unconfirmed: bool = False


@dataclass(frozen=True)
class OwnColumn:
    """A column of single numbers or words. Columns beside each other with one ``group`` stand below that heading.

    ``protocol`` is empty where none measures it; ``numbers`` says that it holds scores or costs.
    """

    title: str
    group: str = ""
    protocol: str = ""
    numbers: bool = False


@dataclass(frozen=True)
class OwnRow:
    """A line: its name, the key that it is cited by (or nothing), a cell a column, and whether a line is above it."""

    name: str
    cite: str
    cells: tuple[OwnCell, ...]
    line: bool = False


@dataclass(frozen=True)
class OwnTable:
    """``notes`` are sentences that belong below it, whatever marks say."""

    spec: TableSpec
    columns: tuple[OwnColumn, ...]
    rows: tuple[OwnRow, ...]
    notes: tuple[str, ...]
