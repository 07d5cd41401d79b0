"""The comparison as GitHub-flavoured Markdown."""

from __future__ import annotations

import html
import re

from tabulate import tabulate

from derainbench.results import Results

from .panels import cell_text
from .provenance import Provenance, provenance, warning_words
from .reproduction import ALIGNMENT, HEADERS, Reproduction, reproductions, sources
from .table import Cell, ComparisonTable, comparison_tables


def markdown(results: Results) -> str:
    """A document with a table for each protocol, the warnings that belong to it, failures and provenance."""
    source = provenance(results)
    parts = [f"# {escape(source.run)}", *_warning(source)]
    for table in comparison_tables(results):
        parts += [
            f"## {escape(table.title)}",
            f"Protocol `{_code(table.protocol)}`; mean over test images; higher is "
            "better; **best** and <u>second</u> of each column.",
            *_warning(source),
            _table(table),
        ]
        parts += ["\n".join(f"- {escape(note)}" for note in table.notes)] if table.notes else []
    if rows := reproductions(results):
        parts += [
            "## Published weights, here and as their authors print them",
            _reproductions(rows),
            escape(sources(rows)),
        ]
    if results.failures:
        lines = [f"- {escape(failure.cell)}: {escape(failure.error)}" for failure in results.failures]
        parts += ["## What failed", "\n".join(lines)]
    parts += ["## Provenance", "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in source.facts)]
    if source.changes:
        lines = [f"- {escape(change.line)}" for change in source.changes]
        parts += ["### Settings that differ from the publications", "\n".join(lines)]
    if source.notices:
        parts += ["### Notices", "\n".join(f"- {escape(notice)}" for notice in source.notices)]
    return "\n\n".join(parts) + "\n"


def _reproductions(rows: tuple[Reproduction, ...]) -> str:
    body = [[escape(cell) for cell in (row.label, *row.cells)] for row in rows]
    return tabulate(body, HEADERS, tablefmt="pipe", disable_numparse=True, colalign=ALIGNMENT)


def escape(text: str) -> str:
    """``text`` as one line that Markdown shows as it is, inside a table too."""
    one_line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]|~#!+-])", r"\\\1", one_line)


def _table(table: ComparisonTable) -> str:
    headers = ["Method", "Parameters"]
    headers += [f"{escape(column.dataset.title)} {column.metric.upper()}" for column in table.columns]
    body = [
        [escape(row.entry.full_label), f"{row.entry.method.parameters:,}", *map(_emphasised, row.cells)]
        for row in table.rows
    ]
    align = ("left", "right", *("right" for _ in table.columns))
    return tabulate(body, headers, tablefmt="pipe", disable_numparse=True, colalign=align)


def _emphasised(cell: Cell) -> str:
    text = cell_text(cell)
    return {"best": f"**{text}**", "second": f"<u>{text}</u>", None: text}[cell.rank]


def _warning(source: Provenance) -> list[str]:
    if source.comparable:
        return []
    before, recipe, after = warning_words(source.recipe)
    changes = f" ({escape(source.summary_of_changes)})" if source.changes else ""
    return [f"> **{before}`{_code(recipe)}`{after}**{changes}"]


def _code(text: str) -> str:
    """Text between backticks: nothing can be escaped there, so what would end it is replaced."""
    return " ".join(text.replace("`", "'").replace("|", "\N{BROKEN BAR}").split())
