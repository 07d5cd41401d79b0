"""One output under several protocols: by how much its scores differ though nothing but the measuring does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from derainbench.metrics.kinds import LEADING, METRICS, of_protocols
from derainbench.results.results import EvaluationKey, Results
from derainbench.stats.means import finite_mean

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """A metric under one protocol: the ``mean`` over the images, and by how much it is ``shifted`` from the reference.

    The shift is the mean over the images of what the two protocols differ by; infinite scores are in neither.
    ``letter`` is one for protocols under which no image's scores differ by more than half of the last printed digit.
    """

    mean: float
    shifted: float
    letter: str


@dataclass(frozen=True)
class SpreadRow:
    """A protocol and the readings by metric. ``saved``: of the 8-bit image kept, not of the network's float output."""

    protocol: str
    readings: Mapping[str, Reading]
    saved: bool = False


@dataclass(frozen=True)
class Spread:
    """What one evaluation scores under several protocols, the highest PSNR first, shifts against ``reference``."""

    place: EvaluationKey
    images: int
    reference: str
    rows: tuple[SpreadRow, ...]

    def range_of(self, metric: str) -> tuple[float, float]:
        """The lowest and the highest shift; NaN where none is a number."""
        shifts = [row.readings[metric].shifted for row in self.rows if metric in row.readings]
        finite = [shift for shift in shifts if math.isfinite(shift)]
        return (min(finite), max(finite)) if finite else (math.nan, math.nan)


def tolerance(metric: str) -> float:
    """Half of the last digit that the field prints: within it two scores look alike."""
    return 0.5 * 10.0 ** -METRICS[metric].digits


def first_seeds(results: Results) -> list[EvaluationKey]:
    """The evaluation of the lowest seed of each method, training set and dataset, in the order of the run."""
    lowest: dict[tuple[str, str, str], EvaluationKey] = {}
    for key in results.evaluations:
        method, trained_on, seed, dataset = key
        place = (method, trained_on, dataset)
        if place not in lowest or seed < lowest[place][2]:
            lowest[place] = key
    return [*lowest.values()]


def scores_of(results: Results, place: EvaluationKey) -> pd.DataFrame:
    """An evaluation's scores: the columns ``image``, ``protocol``, ``metric`` and ``value``."""
    scores = results.scores
    method, trained_on, seed, dataset = place
    rows = (scores["method"] == method) & (scores["trained_on"] == trained_on)
    rows &= (scores["seed"] == seed) & (scores["dataset"] == dataset)
    return scores.loc[rows, ["image", "protocol", "metric", "value"]]


def spread(place: EvaluationKey, scores: pd.DataFrame, reference: str, saved: Sequence[str] = ()) -> Spread:
    """The spread of ``scores``, as :func:`scores_of` gives them; ``saved`` are the protocols measured on saved images.

    ``reference`` is one of the protocols there.
    """
    values = {metric: _by_protocol(scores[scores["metric"] == metric]) for metric in of_protocols()}
    order = [str(name) for name in scores["protocol"].unique()]
    order.sort(key=lambda name: (-_height(values[LEADING].get(name)), name != reference))
    readings: dict[str, dict[str, Reading]] = {name: {} for name in order}
    for metric, columns in values.items():
        letters = _letters(columns, [reference, *order], tolerance(metric))
        for name in columns:
            shifted = _mean_difference(columns[name], columns[reference]) if reference in columns else math.nan
            readings[name][metric] = Reading(finite_mean(columns[name])[0], shifted, letters[name])
    rows = tuple(SpreadRow(name, of_metrics, name in saved) for name, of_metrics in readings.items())
    return Spread(place, int(scores["image"].nunique()), reference, rows)


def _by_protocol(scores: pd.DataFrame) -> dict[str, Floats]:
    """The values under each protocol, the images in one order."""
    table = scores.pivot(index="image", columns="protocol", values="value")
    return {str(name): table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in table}


def _height(values: Floats | None) -> float:
    mean = math.nan if values is None else finite_mean(values)[0]
    return -math.inf if math.isnan(mean) else METRICS[LEADING].goodness(mean)


def _mean_difference(values: Floats, reference: Floats) -> float:
    both = ~(np.isinf(values) | np.isinf(reference))
    return finite_mean(values[both] - reference[both])[0]


def _letters(values: Mapping[str, Floats], order: Sequence[str], within: float) -> dict[str, str]:
    """A letter for each protocol, A for those like the first; none for one that is undefined for an image."""
    groups: list[list[str]] = []
    for name in dict.fromkeys(order):
        if name not in values or np.isnan(values[name]).any():
            continue
        alike = (group for group in groups if all(_alike(values[name], values[other], within) for other in group))
        group = next(alike, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return dict.fromkeys(values, "") | {name: _letter(n) for n, group in enumerate(groups) for name in group}


def _alike(first: Floats, second: Floats, within: float) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.all((first == second) | (np.abs(first - second) <= within)))


def _letter(number: int) -> str:
    """A to Z, AA to AZ, and so on."""
    before, last = divmod(number, len(ascii_uppercase))
    return (_letter(before - 1) if before else "") + ascii_uppercase[last]
