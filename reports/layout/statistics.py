"""How statistics are set, for LaTeX and Markdown: a line a method with the intervals of all metrics, then sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from derainbench.metrics.kinds import METRICS
from derainbench.results.results import DatasetInRun
from derainbench.stats import Interval, Refusal
from derainbench.support.words import listed

from ..comparison.cells import ComparisonTable, Metric, printed
from ..comparison.statistics import DatasetStatistics
from ..content import Content

#: What stands beside the tests in words, which are long.
WHERE_OTHERS = "all other pairs, and protocols, are in results.json"


@dataclass(frozen=True)
class SetInterval:
    """A mean and its interval's ends as printed; all empty where the interval was refused."""

    mean: str
    low: str
    high: str


@dataclass(frozen=True)
class SetLine:
    """A method's images and scenes that count (those of its first interval), and its intervals, one a metric."""

    label: str
    images: str
    scenes: str
    intervals: tuple[SetInterval, ...]


@dataclass(frozen=True)
class SetDataset:
    """A dataset under one protocol; ``said`` has the metrics of which the same can be said, and the sentences."""

    dataset: DatasetInRun
    lines: tuple[SetLine, ...]
    said: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def measured(self) -> bool:
        """Whether there is an interval at all."""
        return any(interval.mean for line in self.lines for interval in line.intervals)


@dataclass(frozen=True)
class SetStatistics:
    """The statistics of one protocol. ``refused`` are sentences on the intervals that are not there."""

    protocol: str
    title: str
    datasets: tuple[SetDataset, ...]
    refused: tuple[str, ...]


def set_statistics(content: Content) -> tuple[SetStatistics, ...]:
    """The statistics of each comparison of a report that has any; tests in words under the first protocol only."""
    every = [each for table in content.tables if (each := _of_protocol(table, content)).datasets]
    silent = (replace(each, datasets=tuple(replace(of, said=()) for of in each.datasets)) for each in every[1:])
    return (*every[:1], *silent)


def _of_protocol(table: ComparisonTable, content: Content) -> SetStatistics:
    datasets = []
    refused: dict[str, dict[str, None]] = defaultdict(dict)
    for dataset in dict.fromkeys(column.dataset.name for column in table.columns):
        found = content.statistics_of(dataset, table.protocol)
        if found:
            datasets.append(_of_dataset(content.grids[dataset, table.protocol].dataset, found))
            for each in found.values():
                for interval in each.intervals:
                    if isinstance(interval, Refusal):
                        refused[interval.reason][datasets[-1].dataset.title] = None
    sentences = tuple(f"No interval, {reason}: {', '.join(titles)}." for reason, titles in refused.items())
    return SetStatistics(table.protocol, table.title, tuple(datasets), sentences)


def _of_dataset(dataset: DatasetInRun, found: Mapping[Metric, DatasetStatistics]) -> SetDataset:
    lines = []
    for number, label in enumerate(next(iter(found.values())).labels):
        intervals = {metric: each.intervals[number] for metric, each in found.items()}
        known = next((interval for interval in intervals.values() if isinstance(interval, Interval)), None)
        counts = ("", "") if known is None else (f"{known.images:,}", f"{known.clusters:,}")
        lines.append(SetLine(label, *counts, tuple(_interval(intervals.get(metric), metric) for metric in METRICS)))
    said: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for metric, each in found.items():
        said[each.sentences].append(METRICS[metric].title)
    words = tuple((listed(metrics), sentences) for sentences, metrics in said.items() if sentences)
    return SetDataset(dataset, tuple(lines), words)


def _interval(interval: Interval | Refusal | None, metric: Metric) -> SetInterval:
    if interval is None or isinstance(interval, Refusal):
        return SetInterval("", "", "")
    return SetInterval(*(printed(value, metric) for value in (interval.mean, interval.low, interval.high)))
