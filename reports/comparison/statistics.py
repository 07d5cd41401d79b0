"""What may be concluded from the scores of one dataset under one protocol, metric by metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from derainbench.metrics.kinds import METRICS
from derainbench.metrics.paired import paired_by
from derainbench.stats import (
    ALPHA,
    Clusters,
    Interval,
    OverSeeds,
    Paired,
    Ranks,
    Refusal,
    adjusted_family,
    comparison_words,
    friedman,
    mean_intervals,
    over_seeds,
    rank_words,
    scene_means,
)
from derainbench.support.words import counted, listed

from .cells import Metric
from .grids import ScoreGrid
from .labels import short_names

Floats = NDArray[np.float64]
Scenes = NDArray[np.intp]
Pairs = Mapping[tuple[int, int], Paired | Refusal]


@dataclass(frozen=True)
class DatasetStatistics:
    """One metric on one dataset under one protocol; lines are those of the grid, in its order, named by ``labels``.

    ``scores`` are (images, lines) and ``scenes`` (images,), of a set whose score is a mean over scenes one a scene;
    ``seeds`` has one a line, as :attr:`intervals` does; ``pairs`` one a pair of lines i < j, i against j, its p
    adjusted for all pairs that were tested here; a pair of which nothing could be found is refused
    (:func:`derainbench.stats.adjusted_family`). ``ranks`` are over the scenes in which every line has all its scores.
    ``not_worse`` holds the ``best`` line (the first of :func:`by_mean` that is not ``seen``, None without any), those
    that a test does not tell from it or finds better, and those of the very same scores: not those that no test could
    compare with it, and none that is ``seen``: its training had test images. ``names`` are short labels, and
    ``sentences`` say all that; where something was tested the first one names the test.
    """

    dataset: str
    protocol: str
    metric: Metric
    labels: tuple[str, ...]
    scores: Floats = field(repr=False, compare=False)
    scenes: Scenes = field(repr=False, compare=False)
    seeds: tuple[OverSeeds | Refusal, ...]
    pairs: Pairs
    ranks: Ranks | Refusal
    best: int | None
    not_worse: frozenset[int]
    sentences: tuple[str, ...]
    names: tuple[str, ...] = ()
    seen: frozenset[int] = frozenset()

    @cached_property
    def intervals(self) -> tuple[Interval | Refusal, ...]:
        """Of each line's mean, when somebody first asks: a run's own table shows none, and resampling takes seconds."""
        return mean_intervals(self.scores, self.scenes)


def statistics(grids: Mapping[tuple[str, str], ScoreGrid]) -> dict[tuple[str, str, Metric], DatasetStatistics]:
    """The statistics of every grid and metric that it has, by (dataset name, protocol name, metric)."""
    return {
        (dataset, protocol, metric): dataset_statistics(grid, metric)
        for (dataset, protocol), grid in grids.items()
        for metric in grid.scores
    }


def dataset_statistics(grid: ScoreGrid, metric: Metric) -> DatasetStatistics:
    """What may be concluded from one metric of a grid."""
    if grid.dataset.mean_of == "scenes":
        grid = grid.by_scene()
    scores, good = grid.values(metric), grid.goodness(metric)
    scenes = np.unique(np.asarray(grid.scenes, str), return_inverse=True)[1]
    labels = tuple(line.full_label for line in grid.lines)
    names = _names(grid)
    pairs = _pairs(scores, scenes, metric)
    ranks = ranks_of(good, scenes)
    best = next((line for line in by_mean(good) if line not in grid.seen), None)
    return DatasetStatistics(
        dataset=grid.dataset.name,
        protocol=grid.protocol,
        metric=metric,
        labels=labels,
        scores=scores,
        scenes=scenes,
        seeds=_over_seeds(grid, metric),
        pairs=pairs,
        ranks=ranks,
        best=best,
        not_worse=_not_worse(scores, pairs, best) - grid.seen,
        sentences=_sentences(names, pairs, ranks, best, metric, grid.seen),
        names=names,
        seen=grid.seen,
    )


def _pairs(scores: Floats, scenes: Scenes, metric: Metric) -> dict[tuple[int, int], Paired | Refusal]:
    pairs, kind = combinations(range(scores.shape[1]), 2), METRICS[metric]
    return adjusted_family({(i, j): paired_by(kind, scores[:, i], scores[:, j], scenes) for i, j in pairs})


def ranks_of(good: Floats, scenes: Clusters) -> Ranks | Refusal:
    """The ranks of lines by scores of which larger is better, (images, lines), over scenes in which none is missing."""
    by_scene = scene_means(good, scenes)
    return friedman(by_scene[~np.isnan(by_scene).any(axis=1)])


def by_mean(good: Floats) -> list[int]:
    """The lines of (images, lines), larger is better, from the best mean down, equal ones in their order.

    Those that tables have no mean of, because an image's score is undefined or missing, come last.
    """

    def height(line: int) -> tuple[bool, float]:
        values = good[:, line]
        return not np.isnan(values).any(), _mean(values)

    return sorted(range(good.shape[1]), key=height, reverse=True)


def _mean(scores: Floats) -> float:
    """Over finite scores; infinite if there is no other, below everything if there is none at all."""
    finite = scores[np.isfinite(scores)]
    if len(finite):
        return float(finite.mean())
    return np.inf if np.isinf(scores).any() else -np.inf


def _against(pairs: Pairs, best: int, line: int) -> Paired | Refusal:
    """The pair of the best and another line as it is stored, the lower number first."""
    return pairs[min(best, line), max(best, line)]


def _not_worse(scores: Floats, pairs: Pairs, best: int | None) -> frozenset[int]:
    if best is None:
        return frozenset()
    found = {best}
    for line in set(range(scores.shape[1])) - found:
        pair = _against(pairs, best, line)
        if isinstance(pair, Refusal):
            same = np.array_equal(scores[:, best], scores[:, line], equal_nan=True)
        else:
            favours_best = (pair.effect > 0) == (best < line)
            same = pair.p >= ALPHA or not favours_best
        if same:
            found.add(line)
    return frozenset(found)


def _over_seeds(grid: ScoreGrid, metric: Metric) -> tuple[OverSeeds | Refusal, ...]:
    means: list[list[float]] = [[] for _ in grid.lines]
    for each in grid.seed_values:
        values = each.values(metric)
        means[each.line].append(np.nan if np.isnan(values).any() else _mean(values))
    return tuple(over_seeds(of_line) for of_line in means)


def tests_words(pairs: Iterable[Paired]) -> str:
    """What was tested, before sentences on single pairs: ``Paired Wilcoxon tests over 91 scenes, Holm-adjusted:``."""
    units = sorted({pair.units for pair in pairs})
    many = counted(units[-1], "scene") if len(units) == 1 else f"{units[0]:,} to {units[-1]:,} scenes"
    return f"Paired Wilcoxon tests over {many}, Holm-adjusted:"


def _names(grid: ScoreGrid) -> tuple[str, ...]:
    """The lines' labels for sentences: without what is not needed to tell the methods apart."""
    labels = list(dict.fromkeys(line.label for line in grid.lines))
    short = dict(zip(labels, short_names(labels), strict=True))
    return tuple(replace(line, label=short[line.label]).full_label for line in grid.lines)


def _sentences(
    names: tuple[str, ...],
    pairs: Pairs,
    ranks: Ranks | Refusal,
    best: int | None,
    metric: Metric,
    seen: frozenset[int],
) -> tuple[str, ...]:
    """Each line against the best, what cannot be compared by its reason, and Friedman's outcome."""
    if best is None or len(names) < 2:
        return ()
    kind = METRICS[metric]
    said: list[str] = []
    tested: list[Paired] = []
    refused: dict[str, list[str]] = {}
    for line in range(len(names)):
        if line == best or line in seen:
            continue
        pair = _against(pairs, best, line)
        if isinstance(pair, Refusal):
            refused.setdefault(pair.reason, []).append(names[line])
        else:
            first, second = min(best, line), max(best, line)
            tested.append(pair)
            said.append(comparison_words(names[first], names[second], pair, kind.unit, kind.digits))
    said = [tests_words(tested), *said] if tested else []
    said += [f"{names[best]} is not tested against {listed(others)}: {why}." for why, others in refused.items()]
    if isinstance(ranks, Ranks):
        said.append(rank_words(names, ranks))
    elif len(names) > 2:
        said.append(f"Ranks are not tested: {ranks.reason}.")
    return tuple(said)
