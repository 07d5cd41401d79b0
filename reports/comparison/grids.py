"""The scores of one dataset under one protocol as arrays, images down and rows of the comparison across."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.results.results import DatasetInRun
from derainbench.stats.scenes import scene_means

from .cells import Metric
from .entries import Entry
from .measured import Measured
from .seen import Copies, is_seen

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SeedScores:
    """One seed of line number ``line``: a score an image, NaN where there is none."""

    line: int
    trained_on: str
    seed: int
    scores: Mapping[Metric, Floats]

    def values(self, metric: Metric) -> Floats:
        """The scores of one metric, (images,); all NaN where it was not measured."""
        return self.scores[metric] if metric in self.scores else np.full(len(next(iter(self.scores.values()))), np.nan)


@dataclass(frozen=True)
class ScoreGrid:
    """A dataset under a protocol. ``scores`` are (images, lines) by metric that was measured: means over seeds.

    NaN where there is no score or where it is undefined, ``inf`` where a PSNR of any seed is. ``lines`` are the rows of
    the comparison that have a score here; images stand in the order of the dataset. ``seen`` are the numbers of lines
    whose training had test images.
    """

    dataset: DatasetInRun
    protocol: str
    lines: tuple[Entry, ...]
    images: tuple[str, ...]
    scenes: tuple[str, ...]
    scores: Mapping[Metric, Floats]
    seed_values: tuple[SeedScores, ...]
    seen: frozenset[int] = frozenset()

    def values(self, metric: Metric = LEADING) -> Floats:
        """The scores of one metric, (images, lines); all NaN where it was not measured."""
        return self.scores[metric] if metric in self.scores else np.full((len(self.images), len(self.lines)), np.nan)

    def by_scene(self) -> ScoreGrid:
        """The same with the means over each scene's images in the place of images."""
        names, scenes = np.unique(np.asarray(self.scenes, str), return_inverse=True)
        told = tuple(map(str, names))
        seeds = (
            replace(each, scores={metric: scene_means(of[:, None], scenes)[:, 0] for metric, of in each.scores.items()})
            for each in self.seed_values
        )
        scores = {metric: scene_means(values, scenes) for metric, values in self.scores.items()}
        return replace(self, images=told, scenes=told, scores=scores, seed_values=tuple(seeds))

    def goodness(self, metric: Metric = LEADING) -> Floats:
        """The same turned so that larger is better."""
        return METRICS[metric].goodness(self.values(metric))


def score_grids(run: Measured) -> dict[tuple[str, str], ScoreGrid]:
    """A grid for each (dataset name, protocol name) that has scores."""
    by_place = dict(list(run.results.scores.groupby(["dataset", "protocol"], sort=False)))
    grids = {}
    for dataset in run.results.datasets:
        # a training tested on its own set stands in the method's own row already
        here = tuple(line for line in run.lines if line.trained_on != dataset.name)
        for protocol in run.protocols:
            scores = by_place.get((dataset.name, protocol))
            if scores is not None:
                grids[dataset.name, protocol] = _grid(dataset, protocol, here, scores, run.copies)
    return grids


def _grid(
    dataset: DatasetInRun, protocol: str, lines: tuple[Entry, ...], scores: pd.DataFrame, copies: Copies
) -> ScoreGrid:
    images = tuple(pair.image for pair in dataset.test)
    rows = pd.Index(images).get_indexer(pd.Index(scores["image"]))
    values = scores["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    where = {
        (line.method.name, source): (n, source) for n, line in enumerate(lines) for source in line.sources(dataset.name)
    }
    found: dict[tuple[int, str, int], dict[Metric, Floats]] = {}
    groups: Mapping[Any, Any] = scores.groupby(["method", "trained_on", "seed", "metric"], sort=True).indices
    for (method, trained_on, seed, metric), group in groups.items():
        place = where.get((str(method), str(trained_on)))
        if place is not None and metric in METRICS:
            of_seed = found.setdefault((*place, _number(seed)), {})
            of_seed[str(metric)] = _aligned(values[group], rows[group], len(images))
    used = sorted({line for line, *_ in found})
    metrics = [metric for metric in METRICS if any(metric in of_seed for of_seed in found.values())]
    nothing = np.full(len(images), np.nan)
    seeds = tuple(
        SeedScores(used.index(line), trained_on, seed, {metric: of_seed.get(metric, nothing) for metric in metrics})
        for (line, trained_on, seed), of_seed in sorted(found.items(), key=lambda each: (each[0][0], each[0][2]))
    )
    means = {metric: _means(seeds, metric, len(images), len(used)) for metric in metrics}
    scenes = tuple(pair.scene for pair in dataset.test)
    kept = tuple(lines[number] for number in used)
    seen = frozenset(
        each.line for each in seeds if is_seen(copies, kept[each.line].method, each.trained_on, dataset.name)
    )
    return ScoreGrid(dataset, protocol, kept, images, scenes, means, seeds, seen)


def _aligned(values: Floats, rows: NDArray[np.intp], images: int) -> Floats:
    """The scores of one evaluation in the order of the dataset's images; ``rows`` are their places, -1 for none."""
    aligned = np.full(images, np.nan)
    aligned[rows[rows >= 0]] = values[rows >= 0]
    return aligned


def _means(seeds: tuple[SeedScores, ...], metric: Metric, images: int, lines: int) -> Floats:
    """Each line's mean over its seeds; an image that one seed lacks has none."""
    means = np.full((images, lines), np.nan)
    for line in range(lines):
        of_line = [scores.values(metric) for scores in seeds if scores.line == line]
        means[:, line] = np.mean(of_line, axis=0)
    return means


def _number(seed: object) -> int:
    return int(str(seed))
