"""The comparison for a paper: ``tables.tex`` to ``\\input``, tables of papers, and ``report.tex``, which compiles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from derainbench.results.results import DatasetInRun

from ..comparison.cells import Cell, ComparisonTable, Row
from ..comparison.costs import HEADERS as COST_HEADERS
from ..comparison.costs import cost_tables
from ..comparison.provenance import warning_words
from ..comparison.reproduction import metrics_of, sources
from ..content import Content
from ..figures import figure_charts
from ..layout.joint import set_joint
from ..layout.panels import Frame, label_width, panels
from ..layout.published import set_tables
from ..layout.statistics import WHERE_OTHERS, set_statistics
from ..tex.escape import printable
from .against_best import against_best
from .environment import HEADING, latex_environment
from .figure_floats import dataset_floats, training_floats
from .floats import floats
from .numbers import PLAIN, NumberStyle
from .references import OWN, cited

#: Lines of a float that fits a page of A4 below the report's title: LaTeX would leave the title alone on its page.
PAGE = 46


def _number_width(cell: Cell) -> float:
    # deviations are in small print
    return len(cell.text) + (0.75 * len(f" ± {cell.deviation_text}") if cell.deviation_text else 0)


#: \small text on a line 16 cm wide, with columns 8 pt apart; a citation such as [12] beside every name.
FRAME = Frame(width=94, heading=HEADING, beside=5, number=_number_width)


def tables_tex(content: Content, numbers: NumberStyle = PLAIN) -> str:
    """A ``table`` float or more for each protocol: best in bold, second underlined, ties marked; with notes."""
    return _rendered("tables.tex.j2", content, tables=_laid_out(content.marked_tables), numbers=numbers)


def weights_tex(content: Content) -> str:
    """A ``table`` float of published weights beside what their authors print, if there are any."""
    return _rendered("weights.tex.j2", content)


def published_tex(content: Content) -> str:
    """A ``table`` float for each published table of ``content.paper``."""
    return _rendered("published.tex.j2", content, paper=set_tables(content.paper), joint=set_joint(content.joint))


def report_tex(content: Content, numbers: NumberStyle = PLAIN) -> str:
    """A standalone document that inputs the tables (set in ``numbers``) and adds statistics, failures, provenance."""
    return _rendered(
        "report.tex.j2",
        content,
        numbers=numbers,
        figures=content.figures,
        dataset_floats=dataset_floats,
        training_floats=training_floats,
        costs=cost_tables(content.efficiency),
        cost_headers=COST_HEADERS,
        paper_figures=figure_charts(content.counted_figures),
        statistics=set_statistics(content),
        against_best=against_best,
        where_others=WHERE_OTHERS,
        failures=content.results.failures,
    )


def _rendered(template: str, content: Content, **more: Any) -> str:
    references = cited(content)
    environment = latex_environment(references)
    environment.globals.update(datasets=_datasets, columns=_columns, bibtex_of=_bibtex_of, label_width=_label_width)
    return environment.get_template(template).render(
        content=content,
        references=references,
        own=OWN,
        source=content.source,
        weights_metrics=metrics_of(content.reproductions),
        warning=warning_words(content.source.recipe),
        reproductions=content.reproductions,
        printed=sources(content.reproductions),
        **more,
    )


def _laid_out(tables: Iterable[ComparisonTable]) -> list[tuple[ComparisonTable, str, Any]]:
    """Each comparison with what its label ends in, and its floats."""
    found = []
    labels: set[str] = set()
    for table in map(_printable, tables):
        stem = label = re.sub(r"[^A-Za-z0-9]+", "-", table.protocol).strip("-") or "protocol"
        number = 2
        while label in labels:
            label, number = f"{stem}-{number}", number + 1
        labels.add(label)
        found.append((table, label, floats(panels(table, FRAME), table.notes, PAGE, FRAME)))
    return found


def _printable(table: ComparisonTable) -> ComparisonTable:
    """``table`` with names of as many characters as LaTeX prints."""
    columns = (replace(c, dataset=replace(c.dataset, title=printable(c.dataset.title))) for c in table.columns)
    rows = (replace(row, entry=replace(row.entry, label=printable(row.entry.label))) for row in table.rows)
    return replace(table, columns=tuple(columns), rows=tuple(rows))


def _datasets(table: ComparisonTable) -> list[DatasetInRun]:
    """The datasets of a panel, once each."""
    return [column.dataset for column in table.columns if column.leads]


def _columns(table: ComparisonTable) -> Sequence[tuple[Cell, ...]]:
    """The cells of each column, from top to bottom."""
    return [tuple(row.cells[number] for row in table.rows) for number in range(len(table.columns))]


def _label_width(panel: ComparisonTable) -> int:
    return label_width(panel, FRAME)


def _bibtex_of(row: Row) -> str:
    paper = row.entry.method.paper
    return "" if paper is None else paper.bibtex
