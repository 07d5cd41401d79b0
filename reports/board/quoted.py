"""Rows that papers print, for boards of the same dataset, protocol and training set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import parse_name

from ..comparison.cells import NO_SCORE, Cell, rounded
from ..published.paper_table import PRINTED, PaperTable, Published, TableRow
from .rows import Row, identity_of


def quoted_rows(tables: Iterable[PaperTable]) -> dict[str, list[Row]]:
    """By dataset, each printed score once whose protocol is known: a guess, or what nobody read, is on no board."""
    found: dict[str, dict[str, Row]] = {}
    for table in tables:
        if table.kind == "scores":
            for dataset, row in _rows(table):
                found.setdefault(dataset, {}).setdefault(row.identity, row)
    return {dataset: [*rows.values()] for dataset, rows in found.items()}


def _rows(table: PaperTable) -> Iterator[tuple[str, Row]]:
    for line in table.rows:
        for column in table.columns:
            published = line.published.get(column.dataset)
            if published is None or published.protocol is None or published.guess or published.unconfirmed:
                continue
            yield column.dataset, _row(table, line, column.dataset, published)


def _row(table: PaperTable, line: TableRow, dataset: str, published: Published) -> Row:
    trained_on, protocol = table.training_set(line) or dataset, published.protocol or ""
    cells = {
        metric: NO_SCORE if (text := published.score(metric)) is None else _cell(text, METRICS[metric].digits)
        for metric in PRINTED
    }
    texts = [cell.text for cell in cells.values()]
    source = table.sources[published.source]
    return Row(
        method="" if line.measure is None else line.measure.method,
        title=line.title,
        page=line.title if line.measure is None else parse_name(line.measure.method).base,
        trained_on=trained_on,
        protocol=protocol,
        status="quoted",
        who=source.short,
        cells=cells,
        identity=identity_of("quoted", dataset, line.title, trained_on, protocol, published.source, *texts),
        doubt=published.note,
    )


def _cell(text: str, digits: int) -> Cell:
    """A printed number, with no more digits than the field's."""
    value = float(text)
    return Cell("finished", value, text if len(text.partition(".")[2]) <= digits else rounded(value, digits))
