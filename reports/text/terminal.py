"""The comparison as text for a terminal."""

from __future__ import annotations

from tabulate import tabulate

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.stats import Paired

from ..comparison.cells import Cell, ComparisonTable, direction_words
from ..comparison.leader import leader_words
from ..comparison.matrices import generalisation
from ..comparison.provenance import warning_words
from ..comparison.reproduction import alignment, headers, sources
from ..comparison.seen import SEEN_MARK
from ..content import Content
from ..layout.panels import Frame, cell_text, panels

#: A mark keeps its place when it is blank, so that the numbers stay in line.
MARKS = {"best": "*", "second": "+", None: " "}
#: Datasets that a sentence is printed for; the report has all.
SENTENCES = 5


def terminal(content: Content, protocol: str | None = None, width: int = 100) -> str:
    """The table under ``protocol`` (default: the run's first) in lines of about ``width`` characters.

    ``*`` marks the best of a column, ``+`` the second, ``‡`` what was seen in training.
    UserError for a protocol that the run has no scores of.
    """
    source, tables = content.source, {table.protocol: table for table in content.tables}
    if protocol is not None and protocol not in tables:
        raise UserError(
            f"no scores under protocol {protocol!r} in {content.results.folder}: {did_you_mean(protocol, [*tables])}"
        )
    if not tables:
        return f"{plain_text(source.run)}: no scores"
    table = content.tables[0] if protocol is None else tables[protocol]
    lines = [f"{plain_text(source.run)} · {plain_text(table.title)} (protocol {plain_text(table.protocol)})"]
    if not source.comparable:
        before, recipe, after = warning_words(source.recipe)
        lines.append(plain_text(f"{before}`{recipe}`{after}"))
        lines += [plain_text(f"  {source.summary_of_changes}")] if source.changes else []
    lines += ["", "\n\n".join(_panel(panel) for panel in panels(table, Frame(width, width // 3))), ""]
    lines.append(f"* best, + second of a column; mean over test images; {direction_words()}")
    lines += [plain_text(note) for note in table.notes]
    lines += _statistics(content, table)
    lines += _specialists(content, table.protocol)
    lines += _reproductions(content)
    lines += [plain_text(f"failed: {failure.cell}: {failure.error}") for failure in content.results.failures]
    return "\n".join(lines) + "\n"


def plain_text(text: str) -> str:
    """Control characters could move a terminal's cursor or colour its text: they become visible."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _panel(table: ComparisonTable) -> str:
    headers = ["Method", "Parameters"]
    for column in table.columns:
        first = column.dataset.title if column.leads else ""
        headers.append(f"{plain_text(first)}\n{column.title} ")
    # The names that are typed, here where they are typed; titles are for pages and papers.
    body = [[plain_text(row.entry.full_name), row.entry.parameters, *map(_mark, row.cells)] for row in table.rows]
    align = ("left", "right", *("right" for _ in table.columns))
    return tabulate(body, headers, tablefmt="simple", disable_numparse=True, colalign=align)


def _statistics(content: Content, table: ComparisonTable) -> list[str]:
    """How sure the best score on each dataset is, by the leading metric, a line each."""
    datasets = [column.dataset for column in table.columns if column.leads]
    found = [content.statistics.get((each.name, table.protocol, LEADING)) for each in datasets]
    words = [(dataset.title, leader_words(of)) for dataset, of in zip(datasets, found, strict=True)]
    said = [plain_text(f"{title}: {sentence}") for title, sentence in words if sentence]
    more = len(said) - SENTENCES
    tested = any(isinstance(pair, Paired) for of in found if of is not None for pair in of.pairs.values())
    best = f"Best {METRICS[LEADING].title} against the next, paired Wilcoxon tests by scene, Holm-adjusted:"
    lead = [best] if tested and said else []
    return lead + said[:SENTENCES] + ([f"(statistics of {more} more datasets: in the report)"] if more > 0 else [])


def _specialists(content: Content, protocol: str) -> list[str]:
    """One network on several kinds of rain against a specialist for each, where the run has one."""
    lines = []
    for matrix in (each for each in generalisation(content.run, protocol) if each.standings):
        heads = ["Trained on", *map(plain_text, matrix.tested_on), "Mean rank", "Worst task"]
        body = [
            [
                plain_text(title),
                *(f"{cell.text} {cell.drop_text}".rstrip() for cell in row),
                standing.text,
                standing.worst,
            ]
            for title, row, standing in zip(matrix.trained_on, matrix.rows, matrix.standings, strict=True)
        ]
        align = ("left", *("right" for _ in matrix.tested_on), "right", "left")
        shown = tabulate(body, heads, tablefmt="simple", disable_numparse=True, colalign=align)
        lines += ["", plain_text(matrix.sentence), "", shown]
    return lines


def _reproductions(content: Content) -> list[str]:
    rows = content.reproductions
    body = [[plain_text(cell) for cell in (row.name, *row.cells)] for row in rows]
    table = (
        tabulate(body, headers(rows), tablefmt="simple", disable_numparse=True, colalign=alignment(rows))
        if rows
        else ""
    )
    return ["", table, "", plain_text(sources(rows))] if rows else []


def _mark(cell: Cell) -> str:
    # tabulate strips plain blanks at the end, not no-break ones
    mark = SEEN_MARK if cell.seen else MARKS[cell.rank]
    return cell_text(cell) + mark.replace(" ", "\N{NO-BREAK SPACE}")
