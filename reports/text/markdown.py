"""The report as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from ..comparison.panels import cell_text
from ..comparison.reproduction import ALIGNMENT, HEADERS, Reproduction, sources
from ..comparison.seen import SEEN_MARK
from ..comparison.significance import MARK, marked_tables
from ..comparison.statistics_layout import WHERE_OTHERS, SetDataset, SetStatistics, set_statistics
from ..comparison.table import Cell, ComparisonTable
from ..content import Content
from ..costs import cost_tables, costs_markdown
from ..provenance import Provenance, warning_words
from ..published.layout import set_tables
from ..published.markdown import published_markdown
from .markdown_escape import code, escape


def markdown(content: Content) -> str:
    """A document with a table for each protocol and what was concluded, published tables, failures and provenance."""
    source = content.source
    parts = [f"# {escape(source.run)}", *_warning(source)]
    concluded = {each.protocol: each for each in set_statistics(content)}
    for table in marked_tables(content):
        parts += [
            f"## {escape(table.title)}",
            f"Protocol `{code(table.protocol)}`; mean over test images; higher is "
            "better; **best** and <ins>second</ins> of each column.",
            *_warning(source),
            _table(table),
            *_list(table.notes),
        ]
        parts += _statistics(concluded[table.protocol]) if table.protocol in concluded else []
    if rows := content.reproductions:
        parts += [
            "## Published weights, here and as their authors print them",
            _reproductions(rows),
            escape(sources(rows)),
        ]
    if content.paper:
        parts += ["## Published tables", *published_markdown(set_tables(content.paper))]
    if costs := costs_markdown(cost_tables(content.efficiency), content.counted_figures):
        parts.append(costs)
    if failures := content.results.failures:
        parts += ["## What failed", *_list(f"{failure.cell}: {failure.error}" for failure in failures)]
    parts += ["## Provenance", "\n".join(_fact(name, value) for name, value in source.facts)]
    if source.changes:
        parts += ["### Settings that differ from the publications", *_list(change.line for change in source.changes)]
    if source.notices:
        parts += ["### Notices", *_list(source.notices)]
    return "\n\n".join(parts) + "\n"


def _table(table: ComparisonTable) -> str:
    headers = ["Method", "Parameters"]
    headers += [f"{escape(column.dataset.title)} {column.metric.upper()}" for column in table.columns]
    body = [
        [escape(row.entry.full_label), f"{row.entry.method.parameters:,}", *map(_marked, row.cells)]
        for row in table.rows
    ]
    align = ("left", "right", *("right" for _ in table.columns))
    return tabulate(body, headers, tablefmt="pipe", disable_numparse=True, colalign=align)


def _marked(cell: Cell) -> str:
    text = cell_text(cell)
    emphasised = {"best": f"**{text}**", "second": f"<ins>{text}</ins>", None: text}[cell.rank]
    return emphasised + (MARK if cell.tied else "") + (SEEN_MARK if cell.seen else "")


def _statistics(part: SetStatistics) -> list[str]:
    said = [_sentences(dataset, metrics, words) for dataset in part.datasets for metrics, words in dataset.said]
    if not said:
        return []
    return [f"What may be concluded under `{code(part.protocol)}` ({WHERE_OTHERS}):", "\n".join(said)]


def _sentences(dataset: SetDataset, metrics: str, words: Iterable[str]) -> str:
    return f"- **{escape(dataset.dataset.title)}, {metrics}.** {' '.join(map(escape, words))}"


def _reproductions(rows: tuple[Reproduction, ...]) -> str:
    body = [[escape(cell) for cell in (row.label, *row.cells)] for row in rows]
    return tabulate(body, HEADERS, tablefmt="pipe", disable_numparse=True, colalign=ALIGNMENT)


def _fact(name: str, value: str) -> str:
    shown = f"`{code(value)}`" if name == "Command" else escape(value)
    return f"- {escape(name)}: {shown}"


def _list(lines: Iterable[str]) -> list[str]:
    """A part of the document with a bullet a line; none without lines."""
    text = "\n".join(f"- {escape(line)}" for line in lines)
    return [text] if text else []


def _warning(source: Provenance) -> list[str]:
    if source.comparable:
        return []
    before, recipe, after = warning_words(source.recipe)
    changes = f" ({escape(source.summary_of_changes)})" if source.changes else ""
    return [f"> **{before}`{code(recipe)}`{after}**{changes}"]
