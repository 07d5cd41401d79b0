"""The rows of a leaderboard: one for each method, training set, test images and protocol that somebody scored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import IMAGES
from derainbench.results.results import DatasetInRun, MethodInRun, Results
from derainbench.results.run_info import read_done

from ..comparison.cells import Cell, Metric, pooled
from ..comparison.labels import method_labels
from ..comparison.means import Means, SeedMean, score_means
from ..comparison.seen import copies_in_training, is_seen

Floats = NDArray[np.float64]

#: Where a number comes from, the most to be trusted first: measured here, and as the authors of the weights print it;
#: measured here; measured by who sent it in; printed somewhere.
Status = Literal["reproduced", "measured", "submitted", "quoted"]

#: How far a mean may lie from a printed one that it reproduces: one unit of the last digit that authors print.
REPRODUCED = {"psnr": 0.01, "ssim": 0.001}


@dataclass(frozen=True)
class Images:
    """Test images: those of a dataset with one manifest, in the order of the run."""

    dataset: DatasetInRun
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the images."""
        return tuple(pair.image for pair in self.dataset.test)

    @property
    def scenes(self) -> tuple[str, ...]:
        """The scene of each image."""
        return tuple(pair.scene for pair in self.dataset.test)


@dataclass(frozen=True)
class Row:
    """A line of a board.

    ``page`` is the name of the method's page, ``identity`` what tells the row from every other for ever, ``who`` whose
    number it is. ``cells`` are the means by metric, ``values`` the scores of the images, means over seeds, (images,);
    none of a quoted row. ``macs`` are of 256 x 256 pixels. ``seen``: its training had test images, exactly.
    """

    method: str
    title: str
    page: str
    trained_on: str
    protocol: str
    status: Status
    who: str
    cells: Mapping[Metric, Cell]
    identity: str
    values: Mapping[Metric, Floats] = field(default_factory=dict, repr=False, compare=False)
    seeds: tuple[int, ...] = ()
    parameters: int | None = None
    macs: int | None = None
    licence: str = ""
    recipe: str = ""
    precision: str = ""
    version: str = ""
    seen: bool = False
    doubt: str = ""


@dataclass(frozen=True)
class Source:
    """A run that was read: its name, and who sent it in; empty where it was measured here."""

    results: Results
    name: str
    by: str = ""
    submitted: bool = False


def rows_of(source: Source) -> list[tuple[Images, Row]]:
    """Every row that a run has, with the test images it is of."""
    results, info = source.results, source.results.info
    methods, labels = {each.name: each for each in results.methods}, method_labels(results.methods)
    digests = {each.name: each.test_digest for each in info.datasets}
    images = {each.name: Images(each, digests[each.name]) for each in results.datasets}
    copies, means = copies_in_training(results), score_means(results.scores, results.datasets)
    recipes = {(each.method, each.trained_on): each.recipe for each in results.trainings}
    found = []
    places: Mapping[Any, pd.DataFrame] = dict(
        list(results.scores.groupby(["method", "trained_on", "dataset", "protocol"]))
    )
    for (name, trained_on, dataset, protocol), scores in places.items():
        method, here = methods[name], images[dataset]
        cells = {m: pooled(of, m) for m in METRICS if (of := means.of_seeds(name, trained_on, dataset, protocol, m))}
        seeds = tuple(sorted({int(seed) for seed in scores["seed"].unique()}))
        keys = [_key(results, (name, trained_on, seed, dataset)) for seed in seeds]
        status = _status(source, means, method, trained_on, here.dataset, protocol)
        row = Row(
            method=name,
            title=labels[name],
            page=page_of(method),
            trained_on=trained_on,
            protocol=protocol,
            status=status,
            who=source.by or source.name,
            cells=cells,
            identity=identity_of(here.digest, name, trained_on, protocol, *keys),
            values={metric: _values(scores, metric, here.names) for metric in cells},
            seeds=seeds,
            parameters=method.parameters,
            macs=macs_of(method),
            licence="" if method.weights is None else method.weights.licence,
            recipe=_recipe(info.recipe.name, info.recipe.comparable, (name, trained_on) in recipes),
            precision=info.precision,
            version=info.derainbench,
            seen=is_seen(copies, method, trained_on, dataset),
            doubt="unverified weights" if method.unverified else method.proposal,
        )
        found.append((here, row))
    return found


def identity_of(*parts: str) -> str:
    """Eight digits that stand for a row in links."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:8]


def page_of(method: MethodInRun) -> str:
    """The name of the page that a method is on, with all its options and weights: what it was asked for as.

    A row of somebody's images has a page of its own.
    """
    return method.name if method.base == IMAGES else method.base


def macs_of(method: MethodInRun) -> int | None:
    """Its multiply-accumulates for 256 x 256 pixels; None where they were counted of another size, or not at all."""
    counted = method.macs
    return counted.macs if counted is not None and (counted.height, counted.width) == (256, 256) else None


def distinct(rows: Iterable[tuple[Images, Row]]) -> list[tuple[Images, Row]]:
    """Each result once: of what several runs hold alike, as it was measured here rather than as it was sent in."""
    kept: dict[str, tuple[Images, Row]] = {}
    for images, row in rows:
        before = kept.get(row.identity)
        if before is None or (before[1].status == "submitted" and row.status != "submitted"):
            kept[row.identity] = (images, row)
    return [*kept.values()]


def _key(results: Results, place: tuple[str, str, int, str]) -> str:
    folder = results.evaluations.get(place)
    return "" if folder is None else read_done(folder / "done.json").key


def _values(scores: pd.DataFrame, metric: Metric, images: tuple[str, ...]) -> Floats:
    """The means over seeds; NaN where a seed has no score."""
    of_metric = scores[scores["metric"] == metric]
    table = of_metric.pivot(index="image", columns="seed", values="value").reindex(list(images))
    return np.asarray(table.to_numpy(dtype=np.float64, na_value=np.nan).mean(axis=1))


def _status(
    source: Source, means: Means, method: MethodInRun, trained_on: str, dataset: DatasetInRun, protocol: str
) -> Status:
    if source.submitted:
        return "submitted"
    printed = () if method.weights is None or not method.weights.verified else method.weights.published
    for published in printed if dataset.whole and not dataset.other_sizes else ():
        if (published.dataset, published.protocol) == (dataset.name, protocol):
            here = {m: means.of_seeds(method.name, trained_on, dataset.name, protocol, m) for m in published.scores}
            if all(_agrees(here[m], value, REPRODUCED[m]) for m, value in published.scores.items()):
                return "reproduced"
    return "measured"


def _agrees(here: tuple[SeedMean, ...], printed: float, reach: float) -> bool:
    return bool(here) and all(abs(each.mean - printed) <= reach + 1e-9 for each in here)


def _recipe(name: str, comparable: bool, trained: bool) -> str:
    if not trained:
        return ""
    return name if comparable else f"{name}, not as published"
