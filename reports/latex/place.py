"""The document that a report's tables are for: how wide its lines are, in characters, and what tables stand in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..comparison.cells import Cell, ComparisonTable
from ..layout.panels import Frame, fits
from .environment import HEADING, Latex
from .floats import NOTE_LINE


def _number_width(cell: Cell) -> float:
    # deviations are in small print
    return len(cell.text) + (0.75 * len(f" ± {cell.deviation_text}") if cell.deviation_text else 0)


#: \small text on a line 16 cm wide, with columns 8 pt apart; a citation such as [12] beside every name.
FRAME = Frame(width=94, heading=HEADING, beside=5, number=_number_width)
#: \footnotesize text on a line of 12 cm, and in one of CVPR's two columns.
SHORT, COLUMN = replace(FRAME, width=79), replace(FRAME, width=54)

#: Sets what stands in it no wider than the line: smaller, where nothing else was enough.
_GUARD = r"""% Tables that are too wide for their line in spite of all are set smaller.
\ifdefined\dbbox\else\newsavebox{\dbbox}\fi
\ifdefined\dbfit\else
\newenvironment{dbfit}{\begin{lrbox}{\dbbox}}{\end{lrbox}%
\ifdim\wd\dbbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\dbbox}}\else\usebox{\dbbox}\fi}
\fi
"""


@dataclass(frozen=True)
class Place:
    """``floating`` and ``size`` are what templates take unless a paper defines it otherwise; ``guard`` keeps tables
    within the line. ``narrow`` is one column of two."""

    frame: Frame
    floating: str = "table"
    size: str = r"\small"
    note_line: int = NOTE_LINE
    narrow: Frame | None = None
    guard: str = ""

    @property
    def before(self) -> Latex:
        """What stands before every tabular."""
        return Latex("\\begin{dbfit}\n" if self.guard else "")

    @property
    def after(self) -> Latex:
        """What stands behind it."""
        return Latex("\n\\end{dbfit}" if self.guard else "")

    def frame_for(self, table: ComparisonTable) -> Frame:
        """What a comparison has room for: one column of two, if it fits."""
        return self.narrow if self.narrow is not None and fits(table, self.narrow) else self.frame


#: A report's own document: A4, one column of 16 cm.
OWN_DOCUMENT = Place(FRAME)
_OF_COLUMNS = {
    1: Place(SHORT, size=r"\footnotesize", note_line=79, guard=_GUARD),
    2: Place(FRAME, floating="table*", size=r"\footnotesize", narrow=COLUMN, guard=_GUARD),
}


def place_for(columns: int | None) -> Place:
    """The place of tables in a document of one or two columns; None: in the report's own."""
    return OWN_DOCUMENT if columns is None else _OF_COLUMNS[columns]
