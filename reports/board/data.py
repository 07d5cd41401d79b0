"""What the pages' scripts know: rows as columns of short texts, and the scores of images in files of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from derainbench.metrics.kinds import METRICS

from ..comparison.cells import Metric, printed, protocol_title
from ..comparison.labels import MISSING
from ..page.compact import compact
from .boards import Board
from .rows import Row
from .slugs import short, slug

#: How many rows' scores of images one file has.
ROWS_A_FILE = 100


@dataclass(frozen=True)
class DatasetData:
    """``page`` is what the page of a dataset holds, ``files`` the scores of images by the names of their files."""

    page: dict[str, Any]
    files: dict[str, bytes]


def dataset_data(boards: Sequence[Board]) -> DatasetData:
    """The data of all boards of one dataset."""
    sets = {board.images.digest: board.images for board in boards}
    files: dict[str, bytes] = {}
    told = []
    for digest, images in sets.items():
        for protocol in dict.fromkeys(board.protocol for board in boards if board.images.digest == digest):
            here = [board for board in boards if (board.images.digest, board.protocol) == (digest, protocol)]
            stem = f"{slug(images.dataset.name)}-{short(digest)}-{slug(protocol)}"
            rows = [row for board in here for row in board.rows if row.values]
            places = {row.identity: divmod(place, ROWS_A_FILE) for place, row in enumerate(rows)}
            for number in range(0, len(rows), ROWS_A_FILE):
                name = f"scores/{stem}-{number // ROWS_A_FILE}.js"
                files[name] = _scores_file(name, rows[number : number + ROWS_A_FILE])
            told += [_board(board, stem, places) for board in here]
    page = {
        "metrics": [
            {"name": m.name, "title": m.title, "unit": m.unit, "digits": m.digits, "higherIsBetter": m.higher_is_better}
            for m in METRICS.values()
        ],
        "sets": [
            {"digest": short(digest), "images": list(images.names), "whole": images.dataset.whole}
            for digest, images in sets.items()
        ],
        "protocols": {name: protocol_title(name) for name in dict.fromkeys(board.protocol for board in boards)},
        "boards": told,
    }
    return DatasetData(page, files)


def _board(board: Board, stem: str, places: dict[str, tuple[int, int]]) -> dict[str, Any]:
    rows = board.rows
    texts: dict[str, Callable[[Row], str]] = {
        "id": lambda row: row.identity,
        "title": lambda row: row.title,
        "name": lambda row: row.method if row.method.lower() != row.title.lower() else "",
        "page": lambda row: slug(row.page),
        "status": lambda row: row.status,
        "who": lambda row: row.who,
        "licence": lambda row: row.licence,
        "version": lambda row: row.version,
        "how": _how,
        "doubt": lambda row: row.doubt,
    }
    return {
        "set": short(board.images.digest),
        "protocol": board.protocol,
        "trained": board.trained_on,
        "notes": list(board.notes),
        "stem": stem,
        **{name: _interned([text(row) for row in rows]) for name, text in texts.items()},
        "parameters": [row.parameters for row in rows],
        "macs": [None if row.macs is None else round(row.macs / 1e9, 2) for row in rows],
        "seen": [int(row.seen) for row in rows],
        "file": [places.get(row.identity) for row in rows],
        "scores": {metric: _metric(board, metric) for metric in METRICS if any(metric in row.cells for row in rows)},
    }


def _metric(board: Board, metric: Metric) -> dict[str, Any]:
    cells = [row.cells.get(metric) for row in board.rows]
    return {
        "text": [MISSING if cell is None else cell.text for cell in cells],
        "rank": [0 if cell is None or cell.rank is None else 1 + (cell.rank == "second") for cell in cells],
        "tied": [int(cell is not None and cell.tied) for cell in cells],
        "interval": [
            "" if i is None else f"{printed(i.low, metric)}–{printed(i.high, metric)}" for i in board.intervals[metric]
        ],
        "deviation": ["" if cell is None else cell.deviation_text for cell in cells],
    }


def _how(row: Row) -> str:
    """How the number came about, in a few words."""
    seeds = f"{len(row.seeds)} seeds" if len(row.seeds) > 1 else ""
    recipe = f"recipe {row.recipe}" if row.recipe else ""
    return ", ".join(filter(None, [recipe, seeds, row.precision]))


def _interned(texts: Sequence[str]) -> dict[str, Any]:
    """Each text once, and which of them every row has: of thousands of rows most say the same."""
    words = list(dict.fromkeys(texts))
    numbers = {word: number for number, word in enumerate(words)}
    return {"words": words, "of": [numbers[text] for text in texts]}


def _scores_file(name: str, rows: Sequence[Row]) -> bytes:
    """A script that hands over the scores: a page that lies on a disk may load scripts, and no other data."""
    scores = [{metric: compact(values, metric) for metric, values in row.values.items()} for row in rows]
    return f"board.take({json.dumps(name)},{json.dumps(scores, separators=(',', ':'))});\n".encode()
