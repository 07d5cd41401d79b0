"""How a column of numbers is set in LaTeX: as right-aligned text, or by siunitx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from ..comparison.cells import Cell
from ..tex.escape import escape
from .environment import Latex, emphasised, number

#: Stands after a number that is not told apart from the best; templates define it.
TIED = r"\dbtied{}"
#: Stands after a number of test images that were seen in training.
SEEN = r"\dbseen{}"


class NumberStyle(Protocol):
    """A way of setting numbers. ``preamble`` is what a document needs for it besides booktabs."""

    preamble: Latex

    def column(self, cells: Sequence[Cell]) -> Latex:
        """The type of a column that holds ``cells``, for the preamble of a tabular."""
        ...

    def head(self, text: str) -> Latex:
        """A word at the head of such a column."""
        ...

    def cell(self, cell: Cell, cells: Sequence[Cell]) -> Latex:
        """One of the column's ``cells`` with its marks."""
        ...


class PlainNumbers:
    """Right-aligned text: what it looks like depends on no package."""

    preamble = Latex("")

    def column(self, cells: Sequence[Cell]) -> Latex:
        """``r``, whatever the numbers are."""
        return Latex("r")

    def head(self, text: str) -> Latex:
        """The word."""
        return Latex(escape(text))

    def cell(self, cell: Cell, cells: Sequence[Cell]) -> Latex:
        """The number. Its digits stay in line: a mark takes no room, and a deviation that it has not is left blank."""
        return Latex(number(cell) + _mark(cell) + _blank(cell, cells))


class SiunitxNumbers:
    """``S`` columns: aligned at the decimal marker, with siunitx's own layout of deviations. Needs version 3."""

    preamble = Latex("\\usepackage{siunitx}\n")

    def column(self, cells: Sequence[Cell]) -> Latex:
        """An ``S`` with room for the widest number and deviation."""
        places = [_places(cell) for cell in cells if _is_number(cell)]
        whole, decimals = (max((place[n] for place in places), default=1) for n in range(2))
        spread = max((len(cell.deviation_text.replace(".", "").lstrip("0")) for cell in cells), default=0)
        uncertainty = f"({spread}),separate-uncertainty=true" if spread else ""
        return Latex(rf"S[table-format={whole}.{decimals}{uncertainty},detect-weight=true,mode=text]")

    def head(self, text: str) -> Latex:
        """The word, protected from being read as a number."""
        return Latex(f"{{{escape(text)}}}")

    def cell(self, cell: Cell, cells: Sequence[Cell]) -> Latex:
        """The number for siunitx to read, or text in braces, which it centres."""
        tied = _mark(cell)
        if not _is_number(cell):
            return Latex(f"{{{number(cell)}{tied}}}")
        longest = _longest_deviation(cells)
        if cell.rank == "second" or (longest and not cell.deviation_text.strip("0.")):
            # siunitx underlines nothing and leaves out deviations of zero: such a number stands as text in its place
            widest = max(_places(each)[0] for each in cells if _is_number(each))
            blank = "0" * (widest - _places(cell)[0])
            deviation = rf" $\pm$ {cell.deviation_text}" if cell.deviation_text else ""
            room = rf"\phantom{{{blank}}}" if blank else ""
            after = rf"\phantom{{ $\pm$ {longest}}}" if longest and not deviation else ""
            return Latex(f"{{{room}{emphasised(cell.text + deviation, cell)}{tied}{after}}}")
        deviation = rf" \pm {cell.deviation_text}" if cell.deviation_text else ""
        weight = r"\bfseries " if cell.rank == "best" else ""
        return Latex(f"{weight}{cell.text}{deviation}" + (f" {{{tied}}}" if tied else ""))


PLAIN: NumberStyle = PlainNumbers()
SIUNITX: NumberStyle = SiunitxNumbers()


def _mark(cell: Cell) -> str:
    return TIED if cell.tied else SEEN if cell.seen else ""


def _longest_deviation(cells: Sequence[Cell]) -> str:
    """The widest of the column's deviations; empty if there is none."""
    return max((cell.deviation_text for cell in cells), key=len, default="")


def _blank(cell: Cell, cells: Sequence[Cell]) -> str:
    """What :func:`number` sets after the widest number of a column, as far as this cell has none, invisible."""
    longest = _longest_deviation(cells)
    if cell.deviation_text:
        missing = "0" * (len(longest) - len(cell.deviation_text))
        return rf"{{\scriptsize\phantom{{{missing}}}}}" if missing else ""
    return rf"{{\scriptsize\phantom{{\,$\pm$\,{longest}}}}}" if longest else ""


def _is_number(cell: Cell) -> bool:
    return re.fullmatch(r"-?[0-9]+\.[0-9]+", cell.text) is not None


def _places(cell: Cell) -> tuple[int, int]:
    """How many characters stand before and behind the decimal marker."""
    whole, _, decimals = cell.text.partition(".")
    return len(whole), len(decimals)
