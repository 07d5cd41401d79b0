"""One output under several protocols, as text for a terminal, as JSON, and as lines to paste."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from derainbench.metrics.kinds import METRICS
from derainbench.metrics.protocols import get_protocol
from derainbench.metrics.signature import signature
from derainbench.results.spread import Spread, SpreadRow

from ..comparison.cells import rounded
from ..comparison.spread import letters_words, range_words, set_spread, where
from .json import dumps
from .terminal import plain_text

#: Of ``derainbench spread --json``. The name stays while what is there keeps its meaning; additions do not change it.
SCHEMA = "derainbench-spread/1"
SAVED_MARK = "†"


def spread_text(spreads: Sequence[Spread], notes: Sequence[str] = ()) -> str:
    """A table an output: a row a protocol, the highest PSNR first, then what the letters mean."""
    blocks = [
        "\n".join([f"{where(each)}, under {len(each.rows)} protocols", "", _table(each), "", *_below(each)])
        for each in spreads
    ]
    return "\n".join(plain_text(line) for block in [*blocks, *notes] for line in [*block.split("\n"), ""])


def spread_lines(spreads: Sequence[Spread]) -> str:
    """A line a score to paste into a paper: the numbers, of what, and how they were measured."""
    lines = [
        f"{_numbers(row)} | {where(each)}{', saved in 8 bit' if row.saved else ''} | "
        f"{signature(get_protocol(row.protocol))}"
        for each in spreads
        for row in each.rows
    ]
    return "\n".join(map(plain_text, lines))


def spread_json(spreads: Sequence[Spread]) -> str:
    """The same as data; see docs/results.md."""
    return dumps({"schema": SCHEMA, "spreads": [_data(each) for each in spreads]})


def _table(spread: Spread) -> str:
    found = set_spread(spread)
    head = [
        "Protocol",
        *(title for each in found.metrics for title in (each, f"from {spread.reference}", "")),
        "Used by",
    ]
    align = ["left", *(side for _ in found.metrics for side in ("right", "right", "left")), "left"]
    body = [
        [
            f"{each.protocol}{SAVED_MARK if row.saved else ''}",
            *map(plain_text, each.cells),
            textwrap.fill(plain_text(each.used_by), 44),
        ]
        for each, row in zip(found.rows, spread.rows, strict=True)
    ]
    return tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=align)


def _below(spread: Spread) -> list[str]:
    lines = [letters_words(), range_words(spread)]
    if any(row.saved for row in spread.rows):
        lines.append(
            f"{SAVED_MARK} measured on the saved 8-bit images, whatever the protocol; a run with --protocols all "
            "measures the network's float output"
        )
    return lines


def _numbers(row: SpreadRow) -> str:
    said = []
    for name, reading in row.readings.items():
        kind = METRICS[name]
        said.append(f"{kind.title} {rounded(reading.mean, kind.digits)}{f' {kind.unit}' if kind.unit else ''}")
    return ", ".join(said)


def _data(spread: Spread) -> dict[str, Any]:
    method, trained_on, seed, dataset = spread.place
    return {
        "method": method,
        "trained_on": trained_on,
        "seed": seed,
        "dataset": dataset,
        "images": spread.images,
        "reference": spread.reference,
        "protocols": [
            {
                "protocol": row.protocol,
                "saved": row.saved,
                "signature": signature(get_protocol(row.protocol)),
                **{
                    name: {"mean": reading.mean, "shifted": reading.shifted, "letter": reading.letter}
                    for name, reading in row.readings.items()
                },
            }
            for row in spread.rows
        ],
    }
