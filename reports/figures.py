"""The report's charts and matrices as plain data, the same for every format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.results.results import DatasetInRun
from derainbench.stats import Ranks, Refusal
from derainbench.stats.means import finite_mean

from .charts.bars import bar_chart
from .charts.boxes import Spread, distribution
from .charts.drawing import Drawing
from .charts.lines import MOST_LINES, line_chart
from .charts.ranks import critical_difference_diagram
from .charts.scatter import Point, cost_scatter
from .charts.sparklines import sparklines
from .comparison.cells import ComparisonTable, Metric, protocol_title
from .comparison.curves import POINTS, Curves, curves
from .comparison.grids import ScoreGrid
from .comparison.labels import method_labels, short_names
from .comparison.matrices import Duels, Generalisation, duels, generalisation
from .comparison.measured import Measured
from .comparison.statistics import DatasetStatistics, ranks_of
from .published.module_figures import CountedFigure

#: Rows of a chart; a run of every method on every training set has more, and nobody can read them.
MOST_ROWS = 20


@dataclass(frozen=True)
class Figure:
    """A chart: its heading, its caption, and the drawing; without one, ``refusal`` says why.

    ``name`` is its own on the page, without blanks, for it becomes an id.
    """

    name: str
    heading: str
    caption: str
    drawing: Drawing | None
    refusal: str = ""


@dataclass(frozen=True)
class DatasetFigures:
    """What is drawn of one dataset under one protocol; ``place`` numbers the dataset, ``remark`` says what is not.

    ``costs`` are the score against parameters, and against MACs where they were counted.
    """

    place: int
    dataset: DatasetInRun
    costs: tuple[Figure, ...]
    spread: Figure
    ranks: Figure
    duels: Duels
    remark: str

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All of them in their order."""
        return (*self.costs, self.spread, self.ranks)


@dataclass(frozen=True)
class ProtocolFigures:
    """All that is drawn under one protocol."""

    protocol: str
    title: str
    datasets: tuple[DatasetFigures, ...]
    generalisation: tuple[Generalisation, ...]


@dataclass(frozen=True)
class CurveFigures:
    """The trainings on one dataset; its ``place`` is 0 where nothing was tested on it."""

    place: int
    title: str
    figures: tuple[Figure, ...]
    remark: str


@dataclass(frozen=True)
class Figures:
    """Everything drawn: by protocol, and how the trainings went. ``datasets`` are (place, title) of those drawn."""

    protocols: tuple[ProtocolFigures, ...]
    curves: tuple[CurveFigures, ...]
    datasets: tuple[tuple[int, str], ...]


def figures(
    run: Measured,
    tables: Sequence[ComparisonTable],
    grids: Mapping[tuple[str, str], ScoreGrid],
    statistics: Mapping[tuple[str, str, Metric], DatasetStatistics],
) -> Figures:
    """Every chart and matrix of a report, under each of its protocols."""
    results = run.results
    protocols = []
    for number, table in enumerate(tables, 1):
        of_datasets = []
        for place, dataset in enumerate(results.datasets, 1):
            grid = grids.get((dataset.name, table.protocol))
            if grid is not None and len(grid.lines):
                known = statistics.get((dataset.name, table.protocol, LEADING))
                of_datasets.append(_of_dataset(f"{number}-{place}", place, grid, known))
        matrices = generalisation(run, table.protocol)
        protocols.append(ProtocolFigures(table.protocol, protocol_title(table.protocol), tuple(of_datasets), matrices))
    labels = method_labels(results.methods)
    names = dict(zip(labels, short_names(tuple(labels.values())), strict=True))
    found = curves(results.trainings, names, results.datasets)
    drawn = {each.place: each.dataset.title for part in protocols for each in part.datasets}
    places = {dataset.name: place for place, dataset in enumerate(results.datasets, 1) if place in drawn}
    of_trainings = tuple(_of_training(each, n, places.get(each.dataset, 0)) for n, each in enumerate(found, 1))
    return Figures(tuple(protocols) if drawn else (), of_trainings, tuple(sorted(drawn.items())))


def shown_lines(grid: ScoreGrid) -> tuple[int, ...]:
    """The lines of a grid that charts show, at most :data:`MOST_ROWS`.

    A method that was trained on this dataset stands for its trainings elsewhere, which the generalisation matrix has.
    """
    own = {line.method.name for line in grid.lines if line.trained_on is None}
    shown = [n for n, line in enumerate(grid.lines) if line.trained_on is None or line.method.name not in own]
    return tuple(shown[:MOST_ROWS])


def _of_dataset(name: str, place: int, grid: ScoreGrid, known: DatasetStatistics | None) -> DatasetFigures:
    lines = shown_lines(grid)
    labels = tuple(grid.lines[line].full_label for line in lines)
    names = short_names(labels)
    where = f"{grid.dataset.title}, protocol {grid.protocol}"
    missing = len(grid.lines) - len(lines)
    remark = f"{missing} more row{'s' if missing != 1 else ''} of the comparison not drawn here." if missing else ""
    return DatasetFigures(
        place=place,
        dataset=grid.dataset,
        costs=_scatters(grid, lines, names, where, name),
        spread=_spread(grid, lines, names, where, name),
        ranks=_ranks(grid, lines, known, names, where, name),
        duels=duels(grid, lines, labels, LEADING, known),
        remark=remark,
    )


def _scatters(
    grid: ScoreGrid, lines: tuple[int, ...], labels: tuple[str, ...], where: str, name: str
) -> tuple[Figure, ...]:
    methods, score = [grid.lines[line].method for line in lines], METRICS[LEADING]
    scores = [finite_mean(column.tolist())[0] for column in grid.values().T[list(lines)]]  # NaN as in the table
    no_mean = [label for label, mean in zip(labels, scores, strict=True) if math.isnan(mean)]
    costs: dict[str, list[float | None]] = {
        "parameters": [None if each.parameters is None else float(each.parameters) for each in methods]
    }
    sizes = {(each.macs.height, each.macs.width) for each in methods if each.macs}
    if len(sizes) == 1:  # counts for images of different sizes do not compare
        costs["MACs"] = [
            float(each.macs.macs) if each.macs else 0.0 if each.parameters == 0 else None for each in methods
        ]
    found = []
    for kind, values in costs.items():
        points = [
            Point(label, cost, mean)
            for label, cost, mean in zip(labels, values, scores, strict=True)
            if cost is not None
        ]
        height, width = next(iter(sizes)) if kind == "MACs" else (0, 0)
        of_what = f" for an image of {height} × {width} pixels" if kind == "MACs" else ""
        drawing = cost_scatter(
            points, kind, score.title_and_unit, title=f"{score.title} against {kind} on {where}", digits=score.digits
        )
        caption = (
            f"Mean over images, by {kind}{of_what}, logarithmic. Filled and joined: no cheaper method scores as high."
        )
        if any(point.cost == 0 for point in points):
            caption += " Dashed: what costs nothing."
        unknown = [label for label, each in zip(labels, methods, strict=True) if each.from_files]
        unknown = [label for label in unknown if label not in {point.name for point in points}]
        if unknown:
            caption += f" Not drawn, because nobody says what it costs: {', '.join(unknown)}."
        if no_mean:
            caption += f" Without a mean: {', '.join(no_mean)}."
        found.append(Figure(f"{kind.lower()}-{name}", f"{score.title} against {kind}", caption, drawing))
    return tuple(found)


def _spread(grid: ScoreGrid, lines: tuple[int, ...], labels: tuple[str, ...], where: str, name: str) -> Figure:
    rows = [
        Spread(label, grid.values()[:, line], quiet=grid.lines[line].method.parameters == 0)
        for label, line in zip(labels, lines, strict=True)
    ]
    score = METRICS[LEADING]
    heading = f"{score.title} of single images"
    drawing = distribution(rows, score.title_and_unit, title=f"{heading} on {where}", digits=score.digits)
    few = len(grid.images) < 20
    caption = (
        "A dot an image; the stroke is the median."
        if few
        else "Boxes hold half of the images, lines 90 %; dots are the farthest beyond, the stroke is the median."
    )
    infinite = np.isposinf(grid.values()[:, list(lines)]).sum(axis=0)
    left_out = [f"{label} {number}" for label, number in zip(labels, infinite.tolist(), strict=True) if number]
    if left_out:
        caption += f" Identical images (infinite {score.title}) left out: {', '.join(left_out)}."
    return Figure(f"spread-{name}", heading, caption, drawing)


def _ranks(
    grid: ScoreGrid,
    lines: tuple[int, ...],
    known: DatasetStatistics | None,
    names: tuple[str, ...],
    where: str,
    name: str,
) -> Figure:
    name, heading = f"ranks-{name}", f"Mean ranks by {METRICS[LEADING].title}"
    # ranks among other rows, which are not drawn, would be other ranks
    ranks = known.ranks if known is not None and len(lines) == len(grid.lines) else _ranked(grid, lines)
    if isinstance(ranks, Refusal):
        return Figure(name, heading, "", None, f"No test of ranks: {ranks.reason}.")
    drawing = critical_difference_diagram(
        names,
        [float(rank) for rank in ranks.mean_ranks],
        float(ranks.critical_difference),
        ranks.cliques,
        title=f"{heading} on {where}",
    )
    caption = "Over scenes; 1 is best. What a thick bar joins is not told apart (Friedman and Nemenyi, 0.05)."
    return Figure(name, heading, caption, drawing)


def _ranked(grid: ScoreGrid, lines: tuple[int, ...]) -> Ranks | Refusal:
    """The ranks of some lines by the leading metric, over the scenes that all of them have scores of."""
    return ranks_of(grid.goodness()[:, list(lines)], grid.scenes)


def _of_training(found: Curves, number: int, place: int) -> CurveFigures:
    drawn = []
    if found.loss:
        drawing = sparklines(
            dict(list(found.loss.items())[:MOST_ROWS]), y_title="Loss", title=f"Training loss on {found.title}"
        )
        caption = "Each on its own scale, since losses of different kinds do not compare."
        caption += f" A point is the mean over 1/{POINTS} of the training and over its seeds." if found.smoothed else ""
        drawn.append(Figure(f"loss-{number}", "Loss", caption, drawing))
    if found.validation:
        drawing = line_chart(
            found.validation, "step", "PSNR, dB", title=f"Validation PSNR of the trainings on {found.title}",
            marks=all(len(points) < 12 for points in found.validation.values()),
        )  # fmt: skip
        more = len(found.validation) - MOST_LINES
        caption = "On training images held out, protocol y." + (f" {more} more not drawn." if more > 0 else "")
        drawn.append(Figure(f"validation-{number}", "Validation PSNR", caption, drawing))
    remark = f"{found.unread} of {found.logs} training logs missing or unreadable." if found.unread else ""
    return CurveFigures(place, found.title, tuple(drawn), remark)


@dataclass(frozen=True)
class FigureChart:
    """A figure of a paper with the numbers of the modules themselves."""

    figure: CountedFigure
    drawing: Drawing


def figure_charts(figures: tuple[CountedFigure, ...]) -> tuple[FigureChart, ...]:
    """Each figure with its chart."""
    return tuple(FigureChart(figure, _chart(figure)) for figure in figures)


def _chart(figure: CountedFigure) -> Drawing:
    groups = {
        series.title: [(point.label, float(point.parameters)) for point in series.points] for series in figure.series
    }
    return bar_chart(groups, "Parameters", title=f"{figure.title}: {figure.caption}")
