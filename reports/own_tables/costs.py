"""What networks cost, as columns of a table of one's own: parameters, multiply-accumulates, time and memory."""

from __future__ import annotations

from collections.abc import Sequence

from derainbench.efficiency.record import EfficiencyRecord, EfficiencyRow, Session
from derainbench.efficiency.text import figures, setting_line
from derainbench.errors import UserError
from derainbench.plugins.names import UNPROCESSED
from derainbench.results.results import MethodInRun
from derainbench.support.words import listed

from ..comparison.labels import MISSING
from .scores import Line
from .spec import SpecColumn
from .table import OwnColumn

#: What columns are called that have no title.
TITLES = {"macs": "MACs (G)", "latency": "Time (ms)", "memory": "Peak (MiB)"}


def cost_column(column: SpecColumn) -> OwnColumn:
    """The head of a column of costs."""
    parameters = "Params (M)" if column.unit == "M" else "Parameters"
    return OwnColumn(column.title or TITLES.get(column.cost or "", parameters), numbers=True)


def cost_texts(
    column: SpecColumn, lines: Sequence[Line], efficiency: EfficiencyRecord, where: str
) -> tuple[list[str], list[str]]:
    """What stands in each row, and the sentences that belong below. A row's own word comes before what was measured.

    UserError where costs of several sizes or settings would stand in one column.
    """
    if column.cost == "parameters":
        return [_given(column, line) or _parameters(column, line.method) for line in lines], []
    if column.cost == "macs":
        return _macs(column, lines, where)
    return _measured(column, lines, efficiency, where)


def _given(column: SpecColumn, line: Line) -> str:
    return "" if column.cost is None else line.row.costs.get(column.cost, "")


def _parameters(column: SpecColumn, method: MethodInRun | None) -> str:
    if method is None or method.parameters is None or (method.base == UNPROCESSED and column.unit == "M"):
        return MISSING
    millions = method.parameters / 1e6
    return f"{millions:.{3 if millions < 1 else 2}f}" if column.unit == "M" else f"{method.parameters:,}"


def _macs(column: SpecColumn, lines: Sequence[Line], where: str) -> tuple[list[str], list[str]]:
    counted = [line.method.macs if line.method is not None and not _given(column, line) else None for line in lines]
    sizes = {f"{each.width}x{each.height}" for each in counted if each is not None and each.macs}
    if len(sizes) > 1:
        raise UserError(
            f"{where}: column {column.name!r}: the networks' were counted for images of {', '.join(sorted(sizes))} "
            "pixels, which cannot stand in one column; give the rows' costs.macs"
        )
    shown = [MISSING if each is None or not each.macs else figures(each.macs / 1e9) for each in counted]
    notes = [f"MACs of an image of {size.replace('x', '×')} pixels." for size in sizes]
    return [_given(column, line) or text for line, text in zip(lines, shown, strict=True)], notes


def _measured(
    column: SpecColumn, lines: Sequence[Line], efficiency: EfficiencyRecord, where: str
) -> tuple[list[str], list[str]]:
    names = {_network(line) for line in lines if not _given(column, line)} - {""}
    found = [
        (session, row)
        for session in efficiency.sessions
        for row in session.rows
        if row.method in names
        and not row.error
        and (column.size is None or column.size == f"{row.width}x{row.height}")
        and column.setting in setting_line(session)
    ]
    kinds = list(dict.fromkeys((setting_line(session), f"{row.width}x{row.height}") for session, row in found))
    if not kinds and names:
        raise UserError(
            f"{where}: column {column.name!r}: nothing of that was measured; measure with derainbench efficiency "
            "--methods ... --out RUN, or give the rows' costs"
        )
    if len(kinds) > 1:
        told = "; ".join(f"{size} on {setting}" for setting, size in kinds)
        raise UserError(f"{where}: column {column.name!r} may be {told}; choose by size and setting")
    of_method = {row.method: (session, row) for session, row in found}
    shown = [_given(column, line) or _shown(column, of_method.get(_network(line))) for line in lines]
    what = "Time: median of one image" if column.cost == "latency" else "Peak memory for an image"
    notes = [f"{what} of {size.replace('x', '×')} pixels on {setting}." for setting, size in kinds]
    busy = [row.method for _, row in found if row.seconds is not None and row.seconds.busy]
    if busy and column.cost == "latency":
        notes.append(f"The machine was busy when {listed(busy)} ran: measure times again on an idle one.")
    return shown, notes


def _network(line: Line) -> str:
    """A method's name without its weights: all of a network cost the same."""
    return "" if line.method is None else line.method.name.partition("@")[0]


def _shown(column: SpecColumn, measured: tuple[Session, EfficiencyRow] | None) -> str:
    if measured is None:
        return MISSING
    _, row = measured
    if column.cost == "latency":
        return MISSING if row.seconds is None else figures(1e3 * row.seconds.median)
    return MISSING if row.peak_bytes is None else f"{row.peak_bytes / 2**20:,.0f}"
