"""The comparison for a paper: ``tables.tex`` to ``\\input`` (needs booktabs) and ``report.tex``, which compiles."""

from __future__ import annotations

from typing import Any

import jinja2

from derainbench.results import Results

from .latex_escape import breakable, escape, stacked
from .panels import cell_text, panels
from .provenance import provenance, warning_words
from .reproduction import reproductions, sources
from .table import Cell, ComparisonTable, comparison_tables

#: Characters of \small text on a line 16 cm wide, with room for the space between columns.
LINE = 84
#: Where the titles of datasets and the names of methods wrap, in characters.
HEADING = 24


def tables_tex(results: Results) -> str:
    """A ``table`` float for each protocol, best in bold and second underlined, with notes on protocol and recipe."""
    return _environment().get_template("tables.tex.j2").render(**_content(results))


def report_tex(results: Results) -> str:
    """A standalone document that inputs ``tables.tex`` and adds failures and provenance."""
    return _environment().get_template("report.tex.j2").render(**_content(results))


def _content(results: Results) -> dict[str, Any]:
    source, published = provenance(results), reproductions(results)
    return {
        "source": source,
        "warning": warning_words(source.recipe),
        "tables": [(table, panels(table, LINE, HEADING)) for table in comparison_tables(results)],
        "reproductions": published,
        "printed": sources(published),
        "failures": results.failures,
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("derainbench.reports"),
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
    environment.filters.update(tex=_plain, breakable=_breakable, label=_label, heading=_heading, number=_number)
    environment.globals["datasets"] = _datasets
    return environment


class Latex(str):
    """Text that is LaTeX already."""

    __slots__ = ()


def _plain(text: str) -> Latex:
    return Latex(escape(text))


def _breakable(text: str) -> Latex:
    return Latex(breakable(text))


def _label(text: str) -> Latex:
    return Latex(stacked(text, HEADING, "t", "l"))


def _heading(text: str) -> Latex:
    return Latex(stacked(text, HEADING, "b", "c"))


def _number(cell: Cell) -> Latex:
    text = escape(cell_text(cell))
    # \boldmath: the sign of a deviation is set in mathematics, which \textbf leaves alone
    return Latex({"best": rf"\textbf{{\boldmath {text}}}", "second": rf"\underline{{{text}}}", None: text}[cell.rank])


def _datasets(table: ComparisonTable) -> list[str]:
    """The titles of a panel's datasets, once each."""
    return [column.dataset.title for column in table.columns if column.metric == "psnr"]
