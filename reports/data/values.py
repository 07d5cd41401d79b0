"""Numbers and records as JSON that every parser reads: no NaN and no Infinity, which are no JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..comparison.table import Cell


def dumps(value: Any) -> str:
    """``value`` as indented JSON with a line feed at its end. NaN becomes null, infinities ``"inf"`` and ``"-inf"``.

    Keys keep their order, floats their full precision. ValueError for an object that JSON has no form for.
    """
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """``value`` with every float that JSON lacks replaced, at any depth; tuples become lists."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def number(value: float) -> float | str | None:
    """A float as JSON can say it."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)


def cell_data(cell: Cell) -> dict[str, Any]:
    """A table's cell: the exact value beside what is printed of it."""
    return {
        "state": cell.state,
        "value": cell.value,
        "text": cell.text,
        "deviation": cell.deviation,
        "seeds": cell.seeds,
        "infinite": cell.infinite,
        "rank": cell.rank,
        "seen_in_training": cell.seen,
    }
