"""The report as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tabulate import tabulate

from derainbench.metrics.kinds import METRICS

from ..comparison.cells import Cell, ComparisonTable, direction_words
from ..comparison.costs import ALIGNMENT as COST_ALIGNMENT
from ..comparison.costs import HEADERS as COST_HEADERS
from ..comparison.costs import CostTable, cost_tables
from ..comparison.provenance import Provenance, warning_words
from ..comparison.reproduction import Reproduction, alignment, headers, sources
from ..comparison.seen import SEEN_MARK
from ..comparison.significance import MARK
from ..content import Content
from ..layout.joint import JointLine, SetJoint, set_joint
from ..layout.panels import cell_text
from ..layout.published import Footnote, Line, SetTable, set_tables
from ..layout.statistics import WHERE_OTHERS, SetDataset, SetStatistics, set_statistics
from ..published.filled import NOT_RUN, printed_metrics
from ..published.joint import JointCell
from ..published.module_figures import CountedFigure

#: What Markdown reads wherever it stands. An underscore between two letters or digits is none, nor is a bracket without
#: an address, or a sign of comparison before a blank.
_READ = re.compile(
    r"""[\\`*~|$]                    # escapes, code, emphasis, strikethrough, columns, mathematics
      | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])
      | \](?=[(\[:]) | \[(?=[\^!])   # links, definitions, footnotes
    """,
    re.VERBOSE,
)
#: What Markdown reads at the beginning of a line: headings, quotations, lists, rules.
_READ_FIRST = re.compile(r"^(?=\#{1,6}(?:\s|$)|>|[+-](?:\s|$)|[=-]+$)|^(\d+)(?=[.)](?:\s|$))")


def escape(text: str) -> str:
    """``text`` as one line that Markdown shows as it is, inside a table or a list too."""
    one_line = " ".join(text.split())
    one_line = _READ.sub(r"\\\g<0>", one_line)
    one_line = _READ_FIRST.sub(lambda found: f"{found[1] or ''}\\", one_line)
    one_line = re.sub(r"&(?=#?\w+;)", "&amp;", one_line)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", one_line)


def code(text: str) -> str:
    """Text between backticks: nothing can be escaped there, so what would end it is replaced."""
    return " ".join(text.replace("`", "'").replace("|", "\N{BROKEN BAR}").split())


def markdown(content: Content) -> str:
    """A document with a table for each protocol and what was concluded, published tables, failures and provenance."""
    source = content.source
    parts = [f"# {escape(source.run)}", *_warning(source)]
    concluded = {each.protocol: each for each in set_statistics(content)}
    for table in content.marked_tables:
        parts += [
            f"## {escape(table.title)}",
            f"Protocol `{code(table.protocol)}`; mean over test images; "
            f"{direction_words()}; **best** and <ins>second</ins> of each column.",
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
    if content.paper or content.joint:
        set_ones = joint_markdown(set_joint(content.joint))
        parts += ["## Published tables", *set_ones, *published_markdown(set_tables(content.paper))]
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
    heads = ["Method", "Parameters"]
    heads += [f"{escape(column.dataset.title)} {column.title}" for column in table.columns]
    body = [[escape(row.entry.full_label), row.entry.parameters, *map(_marked, row.cells)] for row in table.rows]
    align = ("left", "right", *("right" for _ in table.columns))
    return tabulate(body, heads, tablefmt="pipe", disable_numparse=True, colalign=align)


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
    return tabulate(body, headers(rows), tablefmt="pipe", disable_numparse=True, colalign=alignment(rows))


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


def published_markdown(paper: Iterable[SetTable]) -> list[str]:
    """The parts of a document: for each table a heading, the table, its footnotes and notes."""
    parts = []
    for table in paper:
        parts += [f"### {escape(table.title)}", escape(table.caption), _published_table(table)]
        lines = [f"- {escape(table.legend)}"] if table.legend else []
        lines += [_footnote(each) for each in table.footnotes]
        lines += [f"- {escape(title)}: {escape(words)}" for title, words in table.fillings]
        lines += [f"- {escape(note)}" for note in table.filled.notes]
        parts += ["\n".join(lines)] if lines else []
    return parts


def _published_table(table: SetTable) -> str:
    filled = table.filled
    if filled.table.kind == "parameters":
        heads = ["Network", "Published", *(["Counted here"] if filled.filled else [])]
        body = []
        for row in filled.rows:
            printed, counted = row.counts or ("", "")
            here = [counted if row.filled_by else NOT_RUN] if filled.filled else []
            body.append([escape(row.title), printed, *here])
    else:
        heads = ["Method"]
        for panel in table.panels:
            dataset = f"{escape(panel.title)} " if len(table.panels) > 1 else ""
            heads += [*(f"{dataset}{METRICS[metric].title}" for metric in printed_metrics()), "Protocol"]
            heads += [f"{kind.title} here, `{code(name)}`" for name in table.blocks for kind in METRICS.values()]
        body = [
            [escape(row.title), *(text for panel in table.panels for text in _cells(panel.lines[down], table.blocks))]
            for down, row in enumerate(filled.rows)
        ]
    align = ("left", *("left" if head == "Protocol" else "right" for head in heads[1:]))
    return tabulate(body, heads, tablefmt="pipe", disable_numparse=True, colalign=align)


def _cells(line: Line, blocks: tuple[str, ...]) -> list[str]:
    under = f"`{code(line.published.tag)}` <sup>{line.mark}</sup>" if line.mark else ""
    if line.measured:
        here = [_published_mark(cell) for name in blocks for cell in line.measured[name].values()]
    else:
        here = [NOT_RUN] * (len(METRICS) * len(blocks))
    return [*map(_published_mark, line.published.cells), under, *here]


def _published_mark(cell: Cell) -> str:
    text = cell_text(cell)
    return {"best": f"**{text}**", "second": f"<ins>{text}</ins>", None: text}[cell.rank]


def _footnote(footnote: Footnote) -> str:
    tag = "" if footnote.tag == "?" else f"`{code(footnote.tag)}`, "
    said = escape(f"{footnote.title}. {footnote.source}{footnote.rest}")
    return f"- <sup>{footnote.mark}</sup> {tag}{said}"


def joint_markdown(tables: Iterable[SetJoint]) -> list[str]:
    """The parts of a document: for each table of quoted and measured rows a heading, the table and its notes."""
    parts = []
    for table in tables:
        heads = ["Method and training set"]
        for column in table.joint.columns:
            under = f" `{code(column.protocol)}`" if column.protocol else ""
            heads += [f"{escape(column.title)} {METRICS[metric].title}{under}" for metric in printed_metrics()]
        body = [_joint_line(line) for line in (*table.lines, *table.apart)]
        align = ("left", *("right" for _ in heads[1:]))
        shown = tabulate(body, heads, tablefmt="pipe", disable_numparse=True, colalign=align)
        lines = [f"- {escape(said)}" for said in (*table.legend, *table.joint.notes)]
        lines += [f"- <sup>{each.mark}</sup> {escape(each.text + each.rest)}" for each in table.sources]
        parts += [f"### {escape(table.title)}", escape(table.caption), shown, "\n".join(lines)]
    return parts


def _joint_line(line: JointLine) -> list[str]:
    marks = f" <sup>{line.marks}</sup>" if line.marks else ""
    why = f", apart: {escape(line.why)}" if line.why else ""
    name = f"{escape(line.name)}{', measured here' if line.measured else ''}{why}{marks}"
    return [name, *(_doubted(cell, score) for cell in line.cells for score in cell.scores.values())]


def _doubted(cell: JointCell, score: Cell) -> str:
    seen = SEEN_MARK if score.seen else ""
    return _published_mark(score) + seen + ("?" if cell.unconfirmed and score.state == "finished" else "")


def costs_markdown(tables: tuple[CostTable, ...], figures: tuple[CountedFigure, ...] = ()) -> str:
    """The section of a Markdown report, without a line end; empty where there is nothing to say."""
    parts = ["## What the networks cost"] if tables else []
    for table in tables:
        body = [[escape(row.title), *map(escape, row.cells)] for row in table.rows]
        shown = tabulate(body, COST_HEADERS, tablefmt="pipe", disable_numparse=True, colalign=COST_ALIGNMENT)
        parts += [escape(table.setting), shown, "\n".join(f"- {escape(note)}" for note in table.notes)]
    for figure in figures:
        points = [(escape(point.label), f"{point.parameters:,}") for each in figure.series for point in each.points]
        shown = tabulate(
            points, ("Module", "Parameters"), tablefmt="pipe", disable_numparse=True, colalign=("left", "right")
        )
        parts += [f"## {escape(figure.title)}", f"{escape(figure.caption)}.", shown]
        parts += ["\n".join(f"- {escape(note)}" for note in figure.notes)] if figure.notes else []
    return "\n\n".join(parts)
