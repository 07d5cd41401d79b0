"""What the networks of a run cost, and what modules of a paper's figure do: measured data laid out for every format."""

from __future__ import annotations

from dataclasses import dataclass

from derainbench.efficiency import text
from derainbench.efficiency.record import EfficiencyRecord, Session

HEADERS, ALIGNMENT = text.HEADERS, text.ALIGNMENT


@dataclass(frozen=True)
class CostRow:
    """A network at one size: its title, the name that is typed, and the texts under :data:`HEADERS`.

    ``values`` are the same as numbers to sort by, None where there is none.
    """

    title: str
    name: str
    cells: tuple[str, ...]
    values: tuple[float | None, ...]
    failed: bool


@dataclass(frozen=True)
class CostTable:
    """What was measured in one setting (device, threads, precision, torch); other settings have tables of their own."""

    setting: str
    rows: tuple[CostRow, ...]
    notes: tuple[str, ...]


def cost_tables(efficiency: EfficiencyRecord) -> tuple[CostTable, ...]:
    """``efficiency.json`` as tables, one a setting; none where nobody measured."""
    return tuple(map(_table, efficiency.sessions))


def _table(session: Session) -> CostTable:
    rows = []
    for row in session.rows:
        seconds, peak = row.seconds, row.peak_bytes
        median = seconds.median if seconds is not None else None
        values = (row.parameters, row.width * row.height, row.macs, median, median, row.megapixels_per_second, peak)
        rows.append(CostRow(row.title, row.method, text.cells(row), values, bool(row.error)))
    return CostTable(text.setting_line(session), tuple(rows), text.notes(session))
