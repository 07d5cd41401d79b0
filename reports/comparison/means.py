"""The means of a run's scores, as one tidy table that every part of a report reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from derainbench.results.results import DatasetInRun
from derainbench.stats.means import finite_mean

from .cells import Metric

#: Columns of :attr:`Means.table`, and what identifies a row.
COLUMNS = ("method", "trained_on", "dataset", "protocol", "metric", "seed", "mean", "left_out")
_EVALUATION = ["method", "trained_on", "dataset", "protocol", "metric", "seed"]


class SeedMean(NamedTuple):
    """The mean over the images of one seed's evaluation, and how many infinite scores it leaves out."""

    mean: float
    left_out: int


@dataclass(frozen=True)
class Means:
    """``table`` has the :data:`COLUMNS`: a row for each evaluation, protocol and metric.

    A mean is infinite where every score is, NaN where an image has none (:func:`derainbench.stats.means.finite_mean`).
    """

    table: pd.DataFrame

    def of_seeds(
        self, method: str, trained_on: str, dataset: str, protocol: str, metric: Metric
    ) -> tuple[SeedMean, ...]:
        """One for each seed, the lowest first; none where nothing was evaluated."""
        return self._by_place.get((method, trained_on, dataset, protocol, metric), ())

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str, str, str], tuple[SeedMean, ...]]:
        found: dict[tuple[str, str, str, str, str], tuple[SeedMean, ...]] = {}
        for method, trained_on, dataset, protocol, metric, _, mean, left_out in self.table.itertuples(index=False):
            place = (str(method), str(trained_on), str(dataset), str(protocol), str(metric))
            found[place] = (*found.get(place, ()), SeedMean(float(mean), int(left_out)))
        return found


def score_means(scores: pd.DataFrame, datasets: Sequence[DatasetInRun] = ()) -> Means:
    """The means of ``scores``, which has the columns of :data:`derainbench.results.score_table.SCORE_COLUMNS`.

    Of those of ``datasets`` that say so, the means of their scenes' means.
    """
    by_scene = {each.name: each.scene_of() for each in datasets if each.mean_of == "scenes"}
    values = scores["value"].to_numpy(dtype=float, na_value=math.nan)
    rows: list[tuple[Any, ...]] = []
    groups: Mapping[Any, Any] = scores.groupby(_EVALUATION).indices
    for (*place, seed), group in sorted(groups.items()):
        of_images = values[group]
        mean, left_out = finite_mean(of_images.tolist())
        if place[2] in by_scene:
            scenes = scores["image"].iloc[group].map(by_scene[place[2]])
            mean, _ = finite_mean(finite_mean(each)[0] for _, each in pd.Series(of_images).groupby(scenes.to_numpy()))
        rows.append((*place, int(seed), mean, left_out))
    return Means(pd.DataFrame(rows, columns=list(COLUMNS)))
