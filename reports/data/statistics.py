"""Intervals, tests and ranks as data for ``results.json``; where a sample did not support one, the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derainbench.stats import Interval, OverSeeds, Paired, Ranks, Refusal

from ..comparison.grids import ScoreGrid
from ..comparison.statistics import DatasetStatistics
from ..comparison.table import Metric


def statistics_data(
    grids: Mapping[tuple[str, str], ScoreGrid], statistics: Mapping[tuple[str, str, Metric], DatasetStatistics]
) -> list[dict[str, Any]]:
    """An entry a dataset, protocol and metric. ``lines`` are rows of the comparison, which pairs and ranks number."""
    return [_entry(grids[each.dataset, each.protocol], each) for each in statistics.values()]


def _entry(grid: ScoreGrid, found: DatasetStatistics) -> dict[str, Any]:
    lines = [
        {
            "method": line.method.name,
            "trained_on": line.trained_on,
            "interval": _interval(found.intervals[number]),
            "over_seeds": _over_seeds(found.seeds[number]),
            "not_worse_than_best": number in found.not_worse,
        }
        for number, line in enumerate(grid.lines)
    ]
    pairs = [{"first": first, "second": second, **_pair(pair)} for (first, second), pair in found.pairs.items()]
    return {
        "dataset": found.dataset,
        "protocol": found.protocol,
        "metric": found.metric,
        "best": found.best,
        "lines": lines,
        "pairs": pairs,
        "ranks": _ranks(found.ranks),
        "sentences": found.sentences,
    }


def _interval(interval: Interval | Refusal) -> dict[str, Any]:
    if isinstance(interval, Refusal):
        return {"refused": interval.reason}
    return {
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "standard_error": interval.error,
        "images": interval.images,
        "scenes": interval.clusters,
        "infinite": interval.infinite,
        "refused": None,
    }


def _over_seeds(found: OverSeeds | Refusal) -> dict[str, Any]:
    if isinstance(found, Refusal):
        return {"refused": found.reason}
    return {
        "mean": found.mean,
        "deviation": found.deviation,
        "low": found.low,
        "high": found.high,
        "seeds": found.seeds,
        "refused": None,
    }


def _pair(pair: Paired | Refusal) -> dict[str, Any]:
    if isinstance(pair, Refusal):
        return {"refused": pair.reason}
    return {
        "wins": pair.wins,
        "ties": pair.ties,
        "losses": pair.losses,
        "missing": pair.missing,
        "mean_difference": pair.mean_difference,
        "median_difference": pair.median_difference,
        "p": pair.p,
        "effect": pair.effect,
        "scenes": pair.units,
        "scenes_that_differ": pair.differing,
        "refused": None,
    }


def _ranks(ranks: Ranks | Refusal) -> dict[str, Any]:
    if isinstance(ranks, Refusal):
        return {"refused": ranks.reason}
    return {
        "mean_ranks": ranks.mean_ranks,
        "statistic": ranks.statistic,
        "p": ranks.p,
        "critical_difference": ranks.critical_difference,
        "cliques": ranks.cliques,
        "scenes": ranks.units,
        "refused": None,
    }
