"""The comparison as text for a terminal."""

from __future__ import annotations

from tabulate import tabulate

from derainbench.results import Results

from .panels import cell_text, panels
from .provenance import provenance, warning_words
from .reproduction import ALIGNMENT, HEADERS, reproductions, sources
from .table import Cell, ComparisonTable, comparison_table, protocols

#: A mark keeps its place when it is blank, so that the numbers stay in line.
MARKS = {"best": "*", "second": "+", None: " "}


def terminal(results: Results, protocol: str | None = None, width: int = 100) -> str:
    """The table under ``protocol`` (default: the run's first) in lines of about ``width`` characters.

    ``*`` marks the best of a column, ``+`` the second. UserError for a protocol that the run has no scores of.
    """
    names = protocols(results)
    source = provenance(results)
    if not names:
        return f"{_plain(source.run)}: no scores"
    table = comparison_table(results, names[0] if protocol is None else protocol)
    lines = [f"{_plain(source.run)} · {_plain(table.title)} (protocol {_plain(table.protocol)})"]
    if not source.comparable:
        before, recipe, after = warning_words(source.recipe)
        lines.append(_plain(f"{before}`{recipe}`{after}"))
        lines += [_plain(f"  {source.summary_of_changes}")] if source.changes else []
    lines += ["", "\n\n".join(_panel(panel) for panel in panels(table, width, width // 3)), ""]
    lines.append("* best, + second of a column; mean over test images; higher is better")
    lines += [_plain(note) for note in table.notes]
    lines += _reproductions(results)
    lines += [_plain(f"failed: {failure.cell}: {failure.error}") for failure in results.failures]
    return "\n".join(lines) + "\n"


def _panel(table: ComparisonTable) -> str:
    headers = ["Method", "Parameters"]
    for column in table.columns:
        first = column.dataset.title if column.metric == "psnr" else ""
        headers.append(f"{_plain(first)}\n{column.metric.upper()} ")
    # The names that are typed, here where they are typed; titles are for pages and papers.
    body = [
        [_plain(row.entry.full_name), f"{row.entry.method.parameters:,}", *map(_mark, row.cells)] for row in table.rows
    ]
    align = ("left", "right", *("right" for _ in table.columns))
    return tabulate(body, headers, tablefmt="simple", disable_numparse=True, colalign=align)


def _reproductions(results: Results) -> list[str]:
    rows = reproductions(results)
    body = [[_plain(cell) for cell in (row.name, *row.cells)] for row in rows]
    table = tabulate(body, HEADERS, tablefmt="simple", disable_numparse=True, colalign=ALIGNMENT) if rows else ""
    return ["", table, "", _plain(sources(rows))] if rows else []


def _mark(cell: Cell) -> str:
    # tabulate strips plain blanks at the end, not no-break ones
    return cell_text(cell) + MARKS[cell.rank].replace(" ", "\N{NO-BREAK SPACE}")


def _plain(text: str) -> str:
    """Control characters could move a terminal's cursor or colour its text: they become visible."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
