"""A table of one's own as a float to ``\\input``: plain LaTeX and booktabs, in a font size that its place allows."""

from __future__ import annotations

from collections.abc import Sequence

from ..layout.own_tables import MarkedCell, SetOwn
from ..own_tables.spec import Layout
from ..own_tables.table import CHECK
from ..tex.bibtex import bibliography
from ..tex.escape import escape, stacked
from .environment import HEADING, Latex, emphasised, latex_environment
from .fit import DEVIATION, PROTOCOL, Fit, fit, shortfall, tail_of


def own_tex(table: SetOwn, layout: Layout) -> str:
    """The float. UserError where no readable way makes it fit ``layout``."""
    return own_tex_as(table, fit(table, layout))


def own_tex_as(table: SetOwn, way: Fit) -> str:
    """The same, set in a given way."""
    environment = latex_environment(bibliography(()))
    return environment.get_template("own.tex.j2").render(
        table=table,
        way=way,
        several=len(table.protocols) > 1,
        font=lambda part: _font(way.size * part),
        protocol_size=PROTOCOL,
        checks=any(cell.cell.text == CHECK for line in table.lines for cell in line.cells),
        cites=any(line.cite for line in table.lines),
        name=lambda line: _name(line.name, line.marks, line.cite, way),
        heading=lambda title: Latex(stacked(title, HEADING, "b", "c")),
        kind=lambda column: Latex("r" if column.numbers else "c"),
        cell=lambda cell, column: _cell(cell, column, way.size),
        raw=Latex,
    )


def _font(size: float) -> Latex:
    return Latex(rf"\fontsize{{{size:.3g}}}{{{1.2 * size:.3g}}}\selectfont")


def _name(name: str, marks: str, cite: str, way: Fit) -> Latex:
    tail = rf"\dbcite{{{cite}}}" if cite else ""
    tail += _raised(marks)
    return Latex(stacked(name, way.names or 10_000, "t", "l", tail))


def _raised(marks: str) -> str:
    return rf"\textsuperscript{{{escape(marks)}}}" if marks else ""


def _cell(marked: MarkedCell, column: Sequence[MarkedCell], size: float) -> Latex:
    """A number, its deviation in small print, and marks; what others of the column have and it has not is blank."""
    cell = marked.cell
    if cell.text == CHECK:
        return Latex(r"\dbcheck{}")
    small = rf"\fontsize{{{DEVIATION * size:.3g}}}{{{1.2 * DEVIATION * size:.3g}}}\selectfont"
    text = escape(cell.text)
    if cell.deviation_text:
        text += rf"{{{small}\,$\pm$\,{cell.deviation_text}}}"
    tail, room = tail_of(marked), max((tail_of(each) for each in column), key=len, default="")
    longest = max((each.cell.deviation_text for each in column), key=len, default="")
    fewer, blank = "0" * shortfall(marked, column), escape(room[len(tail) :])
    return Latex(
        emphasised(text, cell)
        + _raised(tail)
        + (rf"\phantom{{{fewer}}}" if fewer else "")
        + (rf"{{{small}\phantom{{\,$\pm$\,{longest}}}}}" if longest and not cell.deviation_text else "")
        + (rf"\textsuperscript{{\phantom{{{blank}}}}}" if blank else "")
    )
