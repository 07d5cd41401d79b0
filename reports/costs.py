"""What the networks of a run cost, and what modules of a paper's figure do: measured data laid out for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from derainbench.efficiency import text
from derainbench.efficiency.record import Session, parse_record

from .charts.bars import bar_chart
from .charts.drawing import Drawing
from .published.counted_figures import CountedFigure
from .text.markdown_escape import escape

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


@dataclass(frozen=True)
class FigureChart:
    """A figure of a paper with the numbers of the modules themselves."""

    figure: CountedFigure
    drawing: Drawing


def cost_tables(efficiency: Mapping[str, Any] | None) -> tuple[CostTable, ...]:
    """``efficiency.json`` as tables, one a setting; none where nobody measured. UserError where it is damaged."""
    if efficiency is None:
        return ()
    return tuple(_table(session) for session in parse_record(efficiency, "efficiency.json").sessions)


def _table(session: Session) -> CostTable:
    rows = []
    for row in session.rows:
        seconds, peak = row.seconds, row.peak_bytes
        median = seconds.median if seconds is not None else None
        values = (row.parameters, row.width * row.height, row.macs, median, median, row.megapixels_per_second, peak)
        rows.append(CostRow(row.title, row.method, text.cells(row), values, bool(row.error)))
    return CostTable(text.setting_line(session), tuple(rows), text.notes(session))


def figure_charts(figures: tuple[CountedFigure, ...]) -> tuple[FigureChart, ...]:
    """Each figure with its chart."""
    return tuple(FigureChart(figure, _chart(figure)) for figure in figures)


def _chart(figure: CountedFigure) -> Drawing:
    groups = {
        series.title: [(point.label, float(point.parameters)) for point in series.points] for series in figure.series
    }
    return bar_chart(groups, "Parameters", title=f"{figure.title}: {figure.caption}")


def costs_markdown(tables: tuple[CostTable, ...], figures: tuple[CountedFigure, ...] = ()) -> str:
    """The section of a Markdown report, without a line end; empty where there is nothing to say."""
    parts = ["## What the networks cost"] if tables else []
    for table in tables:
        body = [[escape(row.title), *map(escape, row.cells)] for row in table.rows]
        shown = tabulate(body, HEADERS, tablefmt="pipe", disable_numparse=True, colalign=ALIGNMENT)
        parts += [escape(table.setting), shown, "\n".join(f"- {escape(note)}" for note in table.notes)]
    for figure in figures:
        points = [(escape(point.label), f"{point.parameters:,}") for each in figure.series for point in each.points]
        shown = tabulate(
            points, ("Module", "Parameters"), tablefmt="pipe", disable_numparse=True, colalign=("left", "right")
        )
        parts += [f"## {escape(figure.title)}", f"{escape(figure.caption)}.", shown]
        parts += ["\n".join(f"- {escape(note)}" for note in figure.notes)] if figure.notes else []
    return "\n\n".join(parts)
