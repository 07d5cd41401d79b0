"""Tables of papers and what fills them, as data for ``results.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..published.filled import FilledRow, FilledTable, PublishedCell
from ..published.shipped import TableColumn
from .values import cell_data


def published_tables(tables: Sequence[FilledTable]) -> list[dict[str, Any]]:
    """An entry a table; published numbers are texts, with the digits that are printed, null where nothing is."""
    return [_table(table) for table in tables]


def _table(filled: FilledTable) -> dict[str, Any]:
    table = filled.table
    return {
        "name": table.name,
        "title": table.title,
        "caption": table.caption,
        "kind": table.kind,
        "columns": [{"dataset": column.dataset, "title": column.title} for column in table.columns],
        "rows": [_row(row, table.columns) for row in filled.rows],
        "notes": filled.notes,
        "sources": {key: source.text for key, source in table.sources.items()},
    }


def _row(row: FilledRow, columns: Sequence[TableColumn]) -> dict[str, Any]:
    counts = row.counts
    return {
        "title": row.title,
        "published": [_published(*each) for each in zip(columns, row.published, strict=False)],
        "measured": [
            {
                "protocol": protocol,
                "dataset": column.dataset,
                "psnr": cell_data(cells[2 * n]),
                "ssim": cell_data(cells[2 * n + 1]),
            }
            for protocol, cells in row.measured.items()
            for n, column in enumerate(columns)
        ],
        "filled_by": row.filled_by or None,
        "parameters": None if counts is None else {"published": counts[0], "counted": counts[1]},
    }


def _published(column: TableColumn, cell: PublishedCell) -> dict[str, Any]:
    psnr, ssim = (each.text if each.state == "finished" else None for each in cell.cells)
    return {
        "dataset": column.dataset,
        "psnr": psnr,
        "ssim": ssim,
        "protocol": cell.protocol,
        "guess": cell.guess,
        "source": cell.source or None,
        "note": cell.note,
    }
