"""Charts of a run for papers: quality against cost, and how trainings went, as drawings of a template's width."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from derainbench.efficiency.record import EfficiencyRecord, EfficiencyRow
from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.plugins.names import parse_name
from derainbench.results.results import MethodInRun, Results
from derainbench.stats.means import finite_mean
from derainbench.support.words import listed

from ..charts.axes import WIDTH
from ..charts.drawing import Drawing
from ..charts.lines import line_chart
from ..charts.scatter import LEAST_RANGE, Point, cost_scatter
from ..charts.sparklines import sparklines
from ..comparison.curves import curves
from ..comparison.labels import method_labels
from .from_run import Part, columns_of, parts_of
from .subjects import Columns, Order
from .subjects import columns as columns_by
from .template import Template

#: What quality may be set against.
COSTS = ("parameters", "macs", "latency")


@dataclass(frozen=True)
class Chart:
    """A drawing, the stem of its file's name, and a sentence on what it shows. ``points`` is a unit of the drawing."""

    stem: str
    drawing: Drawing
    words: str
    points: float


def parse_plot(word: str) -> tuple[str, str]:
    """Metric and cost of ``psnr:parameters``; :class:`UserError` for others. Metrics are checked with the run."""
    metric, colon, cost = word.partition(":")
    if not colon or cost not in COSTS:
        raise UserError(f"--plot {word!r}: write METRIC:COST, as in psnr:parameters, with one of {', '.join(COSTS)}")
    return metric, cost


def cost_charts(
    results: Results, efficiency: EfficiencyRecord, plot: str, order: Order, template: Template, columns: int
) -> list[Chart]:
    """Quality against cost, a chart a dataset: the mean over images under the protocol, costs on a logarithmic axis.

    :class:`UserError` where the run has no such metric, or nobody measured the cost.
    """
    name, cost = parse_plot(plot)
    if name not in METRICS:
        raise UserError(f"--plot {plot!r}: the run has no metric {name!r}; {did_you_mean(name, [*METRICS])}")
    kind = METRICS[name]
    if not kind.higher_is_better:
        raise UserError(f"--plot {plot!r}: lower values of {name} are the better ones, and a chart has the best above")
    parts = parts_of(results, order)
    found = columns_of(parts)
    keys = found.chosen(order)
    charts = []
    for part in parts:
        title, words, costs = _costs([line.method for line in part.grid.lines], cost, efficiency)
        points, without = _points(part, name, found.renamed(found.titles, order), keys, costs)
        if not points:
            raise UserError(f"--plot {plot!r}: nobody counted or measured it; {_remedy(cost, part)}")
        protocol = f" under protocol {part.grid.protocol}" if kind.by_protocol else ""
        where = f"on {part.grid.dataset.title}{protocol}"
        least = LEAST_RANGE if name == LEADING else 0.02
        drawing = cost_scatter(
            points, title, kind.title_and_unit, title=f"{kind.title} against {cost} {where}", digits=kind.digits,
            width=units(template, columns), least=least,
        )  # fmt: skip
        said = f"Mean {kind.title} {where} against {words}. Filled and joined: no cheaper method scores as high."
        said += " Dashed: what costs nothing." if any(point.cost == 0 for point in points) else ""
        said += f" Without that cost: {listed(without)}." if without else ""
        stem = f"{name}-{cost}" if len(parts) == 1 else f"{name}-{cost}-{part.grid.dataset.name}"
        charts.append(Chart(stem, drawing, said, template.width(columns) / drawing.width))
    return charts


def curve_charts(results: Results, order: Order, template: Template, columns: int) -> list[Chart]:
    """Loss and validation PSNR by step, charts of each dataset that was trained on.

    :class:`UserError` where nothing was trained, or its logs are gone.
    """
    chosen = [training for training in results.trainings if not order.datasets or training.trained_on in order.datasets]
    names = list(dict.fromkeys(training.method for training in chosen))
    labels = method_labels(method for method in results.methods if method.name in names)
    wanted = _trained(labels, order)
    titles = wanted.renamed(wanted.titles, order)
    keys = wanted.chosen(order)
    found = curves([each for each in chosen if each.method in keys], titles, results.datasets)
    charts = []
    wide = units(template, columns)
    for each in found:
        end = "" if len(found) == 1 else f"-{each.dataset}"
        drawn = {}
        if each.validation:
            few = all(len(points) < 12 for points in each.validation.values())
            drawn["validation"] = line_chart(
                each.validation, "step", "PSNR, dB", title=f"Validation PSNR of trainings on {each.title}", marks=few,
                width=wide,
            )  # fmt: skip
        if each.loss:
            drawn["loss"] = sparklines(
                each.loss, y_title="Loss", title=f"Loss of trainings on {each.title}", width=wide
            )
        said = {
            "validation": f"Trainings on {each.title}: PSNR on training images held out, protocol y.",
            "loss": f"Trainings on {each.title}: loss, each on its own scale, since different losses do not compare.",
        }
        charts += [
            Chart(f"curves-{kind}{end}", drawing, said[kind], template.width(columns) / drawing.width)
            for kind, drawing in drawn.items()
        ]
    if not charts:
        raise UserError(f"--curves: {results.folder} holds no training whose log.jsonl can be read; train in it first")
    return charts


def units(template: Template, columns: int) -> float:
    """The width of a drawing, so that its words are as large over one column and over two."""
    return WIDTH * template.width(columns) / template.width(1)


def _trained(labels: Mapping[str, str], order: Order) -> Columns:
    return columns_by(labels, {name: [parse_name(name.split(" ")[0]).base] for name in labels})


def _points(
    part: Part, metric: str, titles: Mapping[str, str], keys: Sequence[str], costs: Mapping[str, float]
) -> tuple[list[Point], list[str]]:
    """The methods of the chart, the unprocessed input first; and the titles of those whose cost nobody knows."""
    points, without = [], []
    values = part.grid.values(metric)
    for key, number in {**part.input, **{key: part.lines[key] for key in keys if key in part.lines}}.items():
        mean, cost = finite_mean(values[:, number].tolist())[0], costs.get(part.grid.lines[number].method.name)
        if cost is None or math.isnan(mean):
            without.append(titles[key])
        else:
            points.append(Point(titles[key], cost, mean))
    return points, without


def _costs(methods: Sequence[MethodInRun], cost: str, known: EfficiencyRecord) -> tuple[str, str, dict[str, float]]:
    """The axis' title, what it is in words, and the cost by method; one that has no parameters costs nothing."""
    if cost == "parameters":
        return "Parameters", "parameters", {m.name: float(m.parameters) for m in methods if m.parameters is not None}
    if cost == "macs":
        sizes = Counter((m.macs.width, m.macs.height) for m in methods if m.macs)
        if not sizes:
            return "MACs", "MACs", {}
        width, height = sizes.most_common(1)[0][0]
        size = f"{width} × {height} pixels"
        counted = {
            m.name: float(m.macs.macs) for m in methods if m.macs and (m.macs.width, m.macs.height) == (width, height)
        }
        return f"MACs, {size}", f"multiply-accumulates of an image of {size}", counted
    return _latencies(methods, known)


def _latencies(methods: Sequence[MethodInRun], known: EfficiencyRecord) -> tuple[str, str, dict[str, float]]:
    """Medians in milliseconds, of the setting and image size in which most of the methods were timed."""
    best: tuple[str, str, dict[str, float]] = ("Latency, ms", "latency", {})
    for session in known.sessions:
        rows: dict[tuple[int, int], dict[str, EfficiencyRow]] = {}
        for row in session.rows:
            rows.setdefault((row.width, row.height), {})[row.method] = row
        for (width, height), of_size in rows.items():
            timed = {}
            for method in methods:
                measured = of_size.get(method.name.partition("@")[0])
                if method.parameters == 0:
                    timed[method.name] = 0.0
                elif measured is not None and measured.seconds is not None:
                    timed[method.name] = 1000 * measured.seconds.median
            if sum(map(bool, timed.values())) > sum(map(bool, best[2].values())):
                size, device = f"{width} × {height} pixels", session.setting.name or session.setting.device
                best = f"Latency, ms, {size}", f"the median time of an image of {size} on {device}", timed
    return best


def _remedy(cost: str, part: Part) -> str:
    if cost == "latency":
        names = ",".join(line.method.name for line in part.grid.lines if line.method.parameters)
        return f"run derainbench efficiency --methods '{names}' --out {part.results.folder}"
    return "parameters and MACs are counted by derainbench run, and unknown of images from files"
