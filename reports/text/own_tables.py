"""A table of one's own as Markdown, and as CSV."""

from __future__ import annotations

import csv
import io
import re

from tabulate import tabulate

from ..comparison.cells import Cell
from ..comparison.seen import SEEN_MARK
from ..layout.own_tables import MarkedCell, SetOwn
from ..layout.panels import cell_text
from .csv import harmless
from .markdown import escape


def own_markdown(table: SetOwn) -> str:
    """The caption, the table, and a list of what marks and notes say; best in bold, second best underlined."""
    heads = ["Method", *(escape(head) for head in _heads(table))]
    body = [[escape(line.name) + _superscript(line.marks), *map(_cell, line.cells)] for line in table.lines]
    align = ("left", *("right" if column.numbers else "center" for column in table.columns))
    shown = tabulate(body, heads, tablefmt="pipe", disable_numparse=True, colalign=align)
    said = [f"- {_superscript(mark).strip()} {escape(text)}" for mark, text in table.footnotes]
    said += [f"- {escape(note)}" for note in table.notes]
    parts = [*([escape(table.caption)] if table.caption else []), shown, *(["\n".join(said)] if said else [])]
    return "\n\n".join(parts) + "\n"


def own_csv(table: SetOwn) -> str:
    """The table alone: a column of means as printed, one of deviations where there are any, one of marks at the end."""
    deviations = [any(cell.cell.deviation_text for cell in table.column(n)) for n in range(len(table.columns))]
    heads = ["Method"]
    for head, spread in zip(_heads(table), deviations, strict=True):
        heads += [head, *([f"{head} deviation"] if spread else [])]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(harmless, [*heads, "Marks"]))
    said = dict(table.footnotes)
    for line in table.lines:
        fields = [harmless(line.name)]
        for cell, spread in zip(line.cells, deviations, strict=True):
            fields += [_field(cell.cell), *([cell.cell.deviation_text] if spread else [])]
        marks = [line.marks, *(cell.marks for cell in line.cells)]
        each = dict.fromkeys(mark for marked in marks for mark in marked.split(",") if mark)
        seen = ["seen in training"] if any(cell.cell.seen for cell in line.cells) else []
        writer.writerow([*fields, harmless(" ".join([*(said.get(mark, "quoted") for mark in each), *seen]))])
    return out.getvalue()


def _heads(table: SetOwn) -> list[str]:
    """A line of headings: dataset, metric, and protocol where columns differ in it."""
    several = len(table.protocols) > 1
    return [
        " ".join(filter(None, [group.title, column.title, f"({group.protocol})" if several and group.protocol else ""]))
        for group in table.groups
        for column in group.columns
    ]


def _field(cell: Cell) -> str:
    """A number as it is; a word as no spreadsheet takes it for a formula."""
    return cell.text if re.fullmatch(r"-?[0-9.,]+|-?∞", cell.text) else harmless(cell.text)


def _superscript(marks: str) -> str:
    return f" <sup>{escape(marks)}</sup>" if marks else ""


def _cell(marked: MarkedCell) -> str:
    seen = SEEN_MARK if marked.cell.seen else ""
    doubt = "?" if marked.doubted and marked.cell.state == "finished" else ""
    return _emphasised(marked.cell) + seen + doubt + _superscript(marked.marks)


def _emphasised(cell: Cell) -> str:
    text = escape(cell_text(cell))
    return {"best": f"**{text}**", "second": f"<ins>{text}</ins>", None: text}[cell.rank]
