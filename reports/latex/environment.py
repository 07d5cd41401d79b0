"""How templates become LaTeX: delimiters that LaTeX leaves free, values escaped unless they are LaTeX already."""

from __future__ import annotations

import jinja2

from ..charts.drawing import Drawing
from ..charts.tikz import tikz
from ..comparison.cells import Cell
from ..layout.metrics import metric_names
from ..tex.bibtex import Bibliography
from ..tex.escape import breakable, escape, stacked

#: Where the titles of datasets and the names of methods wrap, in characters.
HEADING = 24

#: Where names wrap that stand before many columns.
NARROW = 34


class Latex(str):
    """Text that is LaTeX already."""

    __slots__ = ()


def latex_environment(references: Bibliography) -> jinja2.Environment:
    """The environment of every ``.tex.j2`` template; its ``cite`` filter cites what is in ``references``.

    Filters: ``tex`` for text, ``breakable`` for commands and paths, ``label`` and ``heading`` for the names of rows
    and columns (each with an optional BibTeX entry to cite), ``number`` for a cell with its marks, ``cite`` for a
    BibTeX entry (nothing where it cannot be cited), ``tikz`` for a drawing.
    """

    def cite(bibtex: str) -> Latex:
        key = references.keys.get(bibtex)
        return Latex("" if key is None else rf"\dbcite{{{key}}}")

    def label(text: str, bibtex: str = "", width: int = HEADING) -> Latex:
        return Latex(stacked(text, width, "t", "l", cite(bibtex)))

    def narrow(text: str, marks: str = "", measured: bool = False) -> Latex:
        tail = r"~$\bullet$" if measured else ""
        tail += rf"\textsuperscript{{{marks}}}" if marks else ""
        return Latex(stacked(text, NARROW, "t", "l", tail))

    def heading(text: str, bibtex: str = "") -> Latex:
        return Latex(stacked(text, HEADING, "b", "c", cite(bibtex)))

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("derainbench.reports.latex"),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        # every value that a template does not pass through a filter of its own is escaped
        finalize=lambda value: value if isinstance(value, Latex) else Latex(escape(str(value))),
    )
    environment.filters.update(
        tex=_plain,
        breakable=_breakable,
        label=label,
        heading=heading,
        narrow=narrow,
        number=number,
        cite=cite,
        tikz=_tikz,
    )
    environment.globals.update(metric_names())
    return environment


def number(cell: Cell) -> Latex:
    """A cell's number with its deviation in small print, set as the best or second best of its column is."""
    text = escape(cell.text)
    if cell.deviation_text:
        text += rf"{{\scriptsize\,$\pm$\,{cell.deviation_text}}}"
    return emphasised(text, cell)


def emphasised(text: str, cell: Cell) -> Latex:
    """LaTeX ``text`` in bold where the cell is the best of its column, underlined where it is the second."""
    # \boldmath: the sign of a deviation is set in mathematics, which \textbf leaves alone
    return Latex({"best": rf"\textbf{{\boldmath {text}}}", "second": rf"\underline{{{text}}}", None: text}[cell.rank])


def _plain(text: str) -> Latex:
    return Latex(escape(text))


def _breakable(text: str) -> Latex:
    return Latex(breakable(text))


def _tikz(drawing: Drawing) -> Latex:
    return Latex(tikz(drawing))
