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
from .environment import Latex, latex_environment
from .figure_floats import dataset_floats, training_floats
from .floats import floats
from .numbers import PLAIN, NumberStyle
from .place import Place, place_for
from .references import OWN, cited

#: Lines of a float that fits a page of A4 below the report's title: LaTeX would leave the title alone on its page.
PAGE = 46


def tables_tex(content: Content, numbers: NumberStyle = PLAIN, columns: int | None = None) -> str:
    """A ``table`` float or more for each protocol: best in bold, second underlined, ties marked; with notes.

    For a document of one or two ``columns``; None: a line of 16 cm.
    """
    place = place_for(columns)
    tables = _laid_out(content.marked_tables, place)
    return _rendered("tables.tex.j2", content, place, tables=tables, numbers=numbers)


def weights_tex(content: Content, columns: int | None = None) -> str:
    """A ``table`` float of published weights beside what their authors print, if there are any."""
    return _rendered("weights.tex.j2", content, place_for(columns))


def published_tex(content: Content, columns: int | None = None) -> str:
    """A ``table`` float for each published table of ``content.paper``."""
    paper, joint = set_tables(content.paper), set_joint(content.joint)
    return _rendered("published.tex.j2", content, place_for(columns), paper=paper, joint=joint)


def report_tex(content: Content, numbers: NumberStyle = PLAIN, columns: int | None = None) -> str:
    """A standalone document that inputs the tables (set in ``numbers``) and adds statistics, failures, provenance."""
    return _rendered(
        "report.tex.j2",
        content,
        place_for(columns),
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


def _rendered(template: str, content: Content, place: Place, **more: Any) -> str:
    references = cited(content)
    environment = latex_environment(references)
    environment.globals.update(datasets=_datasets, columns=_columns, bibtex_of=_bibtex_of, label_width=label_width)
    return environment.get_template(template).render(
        content=content,
        place=place,
        raw=Latex,
        references=references,
        own=OWN,
        source=content.source,
        weights_metrics=metrics_of(content.reproductions),
        warning=warning_words(content.source.recipe),
        reproductions=content.reproductions,
        printed=sources(content.reproductions),
        **more,
    )


def _laid_out(tables: Iterable[ComparisonTable], place: Place) -> list[tuple[ComparisonTable, str, Any, Frame]]:
    """Each comparison with what its label ends in, its floats, and what they have room for."""
    found = []
    labels: set[str] = set()
    for table in map(_printable, tables):
        stem = label = re.sub(r"[^A-Za-z0-9]+", "-", table.protocol).strip("-") or "protocol"
        number = 2
        while label in labels:
            label, number = f"{stem}-{number}", number + 1
        labels.add(label)
        frame = place.frame_for(table)
        note_line = place.note_line if frame is place.frame else frame.width
        found.append((table, label, floats(panels(table, frame), table.notes, PAGE, frame, note_line), frame))
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


def _bibtex_of(row: Row) -> str:
    paper = row.entry.method.paper
    return "" if paper is None else paper.bibtex
