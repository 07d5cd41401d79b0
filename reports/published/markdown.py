"""Published tables beside what was measured, as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from ..comparison.panels import cell_text
from ..comparison.table import Cell
from ..text.markdown_escape import code, escape
from .filled import NOT_RUN
from .layout import Footnote, Line, SetTable


def published_markdown(paper: Iterable[SetTable]) -> list[str]:
    """The parts of a document: for each table a heading, the table, its footnotes and notes."""
    parts = []
    for table in paper:
        parts += [f"### {escape(table.title)}", escape(table.caption), _table(table)]
        lines = [f"- {escape(table.legend)}"] if table.legend else []
        lines += [_footnote(each) for each in table.footnotes]
        lines += [f"- {escape(title)}: {escape(words)}" for title, words in table.fillings]
        lines += [f"- {escape(note)}" for note in table.filled.notes]
        parts += ["\n".join(lines)] if lines else []
    return parts


def _table(table: SetTable) -> str:
    filled = table.filled
    if filled.table.kind == "parameters":
        headers = ["Network", "Published", *(["Counted here"] if filled.filled else [])]
        body = []
        for row in filled.rows:
            printed, counted = row.counts or ("", "")
            here = [counted if row.filled_by else NOT_RUN] if filled.filled else []
            body.append([escape(row.title), printed, *here])
    else:
        headers = ["Method"]
        for panel in table.panels:
            dataset = f"{escape(panel.title)} " if len(table.panels) > 1 else ""
            headers += [f"{dataset}PSNR", f"{dataset}SSIM", "Protocol"]
            headers += [f"{metric} here, `{code(name)}`" for name in table.blocks for metric in ("PSNR", "SSIM")]
        body = [
            [escape(row.title), *(text for panel in table.panels for text in _cells(panel.lines[down], table.blocks))]
            for down, row in enumerate(filled.rows)
        ]
    align = ("left", *("left" if head == "Protocol" else "right" for head in headers[1:]))
    return tabulate(body, headers, tablefmt="pipe", disable_numparse=True, colalign=align)


def _cells(line: Line, blocks: tuple[str, ...]) -> list[str]:
    under = f"`{code(line.published.tag)}` <sup>{line.mark}</sup>" if line.mark else ""
    if line.measured:
        here = [_marked(cell) for name in blocks for cell in line.measured[name]]
    else:
        here = [NOT_RUN] * (2 * len(blocks))
    return [*map(_marked, line.published.cells), under, *here]


def _marked(cell: Cell) -> str:
    text = cell_text(cell)
    return {"best": f"**{text}**", "second": f"<ins>{text}</ins>", None: text}[cell.rank]


def _footnote(footnote: Footnote) -> str:
    tag = "" if footnote.tag == "?" else f"`{code(footnote.tag)}`, "
    said = escape(f"{footnote.title}. {footnote.source}{footnote.rest}")
    return f"- <sup>{footnote.mark}</sup> {tag}{said}"
