"""Published weights: what they scored here beside what their authors print, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from derainbench.metrics.kinds import METRICS
from derainbench.metrics.kinds import Metric as Kind
from derainbench.results.results import DatasetInRun, MethodInRun
from derainbench.results.run_info import PublishedInfo

from .cells import Metric, pooled
from .labels import method_labels
from .means import Means
from .measured import Measured


@dataclass(frozen=True)
class Reproduction:
    """One published score and ours; ``name`` is what is typed, ``label`` what readers call it.

    ``scores`` are by metric what was measured here and what is printed. ``remark`` says why the images are not those
    that the authors used.
    """

    name: str
    label: str
    dataset: str
    protocol: str
    scores: Mapping[Metric, tuple[float, float]]
    source: str
    remark: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row under :func:`headers`, the name left out; ours to one digit more than authors use to print."""
        numbers = (text for metric, pair in self.scores.items() for text in _texts(*pair, METRICS[metric].digits))
        return (self.dataset, self.protocol, *numbers)


def metrics_of(rows: Sequence[Reproduction]) -> tuple[Kind, ...]:
    """The metrics that scores are printed in: those of all rows."""
    return tuple(METRICS[name] for name in rows[0].scores) if rows else ()


def headers(rows: Sequence[Reproduction]) -> tuple[str, ...]:
    """Column heads: of the name, then of :attr:`Reproduction.cells`."""
    groups = (text for kind in metrics_of(rows) for text in (f"{kind.title} here", "printed", "differs"))
    return ("Weights", "Dataset", "Protocol", *groups)


def alignment(rows: Sequence[Reproduction]) -> tuple[str, ...]:
    """Of the columns under :func:`headers`."""
    return ("left", "left", "left", *("right" for _ in headers(rows)[3:]))


def reproductions(run: Measured) -> tuple[Reproduction, ...]:
    """Every score that is published for the weights in the run, where the run has measured the same images' mean."""
    labels = method_labels(run.results.methods)
    datasets = {dataset.name: dataset for dataset in run.results.datasets if dataset.whole}
    found = []
    for method in run.results.methods:
        for published in () if method.weights is None else method.weights.published:
            if published.dataset in datasets:
                found += _compared(run.means, method, labels[method.name], datasets[published.dataset], published)
    return tuple(found)


def sources(rows: tuple[Reproduction, ...]) -> str:
    """Where the printed numbers come from, and what was measured on other images; empty if there are none."""
    if not rows:
        return ""
    remarks = dict.fromkeys(f" {row.remark}." for row in rows if row.remark)
    return f"Printed: {'; '.join(dict.fromkeys(row.source for row in rows))}.{''.join(remarks)}"


def _compared(
    means: Means, method: MethodInRun, label: str, dataset: DatasetInRun, published: PublishedInfo
) -> list[Reproduction]:
    trained_on = "" if method.weights is None else method.weights.trained_on
    where = (method.name, trained_on, dataset.name, published.protocol)
    printed = published.scores
    of_seeds = {metric: means.of_seeds(*where, metric) for metric in METRICS if metric in printed}
    if not all(of_seeds.values()):
        return []
    return [
        Reproduction(
            method.name,
            label,
            dataset.title,
            published.protocol,
            {metric: (pooled(each, metric).value, printed[metric]) for metric, each in of_seeds.items()},
            published.source,
            f"Here on other images of {dataset.title}: {dataset.other_sizes}" if dataset.other_sizes else "",
        )
    ]


def _texts(here: float, printed: float, digits: int) -> tuple[str, str, str]:
    """Ours, theirs and the difference of a metric that the field prints to ``digits``; of more than three, authors may
    print three."""
    few, most = min(digits, 3), max(digits, 3)
    theirs = f"{printed:.{few}f}" if round(printed, few) == printed else f"{printed:.{digits}f}"
    return f"{here:.{most}f}", theirs, f"{here - printed:+.{most}f}"
