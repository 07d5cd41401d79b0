"""The interval of a mean over images, by resampling scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from derainbench.stats.refusal import Refusal
from derainbench.stats.scenes import Clusters, Floats, scene_numbers
from derainbench.support.words import counted

#: An interval needs so many scenes of equal size, or more of unequal ones (:func:`effective_scenes`). Below, its
#: coverage was measured to leave 95 % +- 1.5 already for moderately skewed scores (docs/statistics.md).
LEAST_SCENES = 20

_DRAWS = 2_000, 20_000  # at least and at most; the more, the less the interval depends on chance
_MOST_COUNTS = 4_000_000  # numbers of a block of resamples, 32 MB: one block, if that gives enough draws


@dataclass(frozen=True)
class Interval:
    """The mean over ``images`` images of ``clusters`` scenes, and the interval's ends ``low`` and ``high``.

    ``error`` is the mean's cluster-robust standard error; that of independent images if every scene has just one.
    ``infinite`` images more are left out of all of it: restored without any error, their PSNR is infinite.
    """

    mean: float
    low: float
    high: float
    error: float
    images: int
    clusters: int
    infinite: int = 0


def mean_interval(
    values: Floats, clusters: Clusters, level: float = 0.95, draws: int | None = None, seed: int = 0
) -> Interval | Refusal:
    """:func:`mean_intervals` of a single method's ``values``, (images,)."""
    return mean_intervals(np.asarray(values, np.float64)[:, None], clusters, level, draws, seed)[0]


def mean_intervals(
    values: Floats, clusters: Clusters, level: float = 0.95, draws: int | None = None, seed: int = 0
) -> tuple[Interval | Refusal, ...]:
    """The mean of each method's scores and its symmetric bootstrap-t interval; ``values`` are (images, methods).

    Scenes are resampled whole, ``draws`` times: unless given, 20,000 times up to 200 scenes, fewer the more scenes
    there are, but at least 2,000. Each resample's distance from the mean is divided by its own cluster-robust standard
    error. ``level`` of these quotients are at most t: the interval is the mean +- t of the sample's standard errors
    (P. Hall, Journal of the Royal Statistical Society B 50, 1988). Infinite values are left out, as in
    :func:`derainbench.stats.means.finite_mean`. Refuses where a value is NaN, where scenes are too few
    (:data:`LEAST_SCENES`) or do not differ. The same arguments give the same interval, in any order of the images.
    """
    scores = np.asarray(values, np.float64)
    numbers = scene_numbers(clusters, len(scores))
    found: list[Interval | Refusal] = [Refusal("an image has no score, or an undefined one")] * scores.shape[1]
    finite = np.isfinite(scores)
    sound = ~np.isnan(scores).any(axis=0)
    groups: dict[bytes, list[int]] = {}
    for method in np.flatnonzero(sound).tolist():
        groups.setdefault(finite[:, method].tobytes(), []).append(method)
    for methods in groups.values():
        kept = finite[:, methods[0]]
        here = _of_finite(scores[kept][:, methods], numbers[kept], int((~kept).sum()), level, draws, seed)
        for method, interval in zip(methods, here, strict=True):
            found[method] = interval
    return tuple(found)


def effective_scenes(sizes: NDArray[np.intp]) -> float:
    """How many scenes of equal size say as much as those of ``sizes`` images (L. Kish, Survey Sampling, 1965)."""
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def _of_finite(
    values: Floats, numbers: NDArray[np.intp], infinite: int, level: float, draws: int | None, seed: int
) -> list[Interval | Refusal]:
    """The intervals of methods, (images, methods), that have finite scores for the same images."""
    numbers = np.unique(numbers, return_inverse=True)[1]
    sizes = np.bincount(numbers)
    effective = effective_scenes(sizes)
    if effective < LEAST_SCENES:
        return [Refusal(_too_few(len(sizes), effective, infinite))] * values.shape[1]
    means = values.mean(axis=0)
    residuals = np.zeros((len(sizes), values.shape[1]))
    np.add.at(residuals, numbers, values - means)
    correction = len(sizes) / (len(sizes) - 1)
    errors = np.sqrt(correction * (residuals**2).sum(axis=0)) / len(values)
    draws = draws or min(_DRAWS[1], max(_DRAWS[0], _MOST_COUNTS // len(sizes)))
    distances = np.concatenate(
        [_distances(counts, residuals, sizes, correction) for counts in _resamples(len(sizes), draws, seed)]
    )
    reach = np.quantile(distances, level, axis=0, method="higher")
    found: list[Interval | Refusal] = []
    for mean, error, far in zip(means.tolist(), errors.tolist(), reach.tolist(), strict=True):
        if error <= 1e-12 * abs(mean) or not np.isfinite(far):
            found.append(Refusal("nearly all scenes score the same"))
        else:
            half = far * error
            found.append(Interval(mean, mean - half, mean + half, error, len(values), len(sizes), infinite))
    return found


def _distances(counts: Floats, residuals: Floats, sizes: NDArray[np.intp], correction: float) -> Floats:
    """(resamples, methods): how many of its standard errors a resample's mean lies from the sample's.

    With ``residuals`` e (scenes, methods) of ``sizes`` n, a resample with counts w has the mean's shift d = we / wn and
    the squared standard error w(e - dn)^2 / (wn)^2, here multiplied out, so that all is one matrix product.
    """
    n = sizes[:, None].astype(np.float64)
    methods = residuals.shape[1]
    product = counts @ np.hstack([n, n**2, residuals, residuals * n, residuals**2])
    images, squares = product[:, :1], product[:, 1:2]
    first, mixed, second = (product[:, 2 + each * methods :][:, :methods] for each in range(3))
    shift = first / images
    error = np.sqrt(correction * np.maximum(second - 2 * shift * mixed + shift**2 * squares, 0.0)) / images
    # a resample of one scene over and over has no spread of its own: infinitely far
    return np.divide(np.abs(shift), error, out=np.full_like(shift, np.inf), where=error > 0)


def _resamples(scenes: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each scene is in each resample, (draws, scenes), in blocks."""
    step = max(1, _MOST_COUNTS // scenes)
    for start in range(0, draws, step):
        yield _counts(scenes, min(step, draws - start), seed, start)


@lru_cache(maxsize=2)  # the protocols and metrics of a dataset share them
def _counts(scenes: int, draws: int, seed: int, start: int) -> Floats:
    chosen = np.random.default_rng((seed, start)).integers(0, scenes, (draws, scenes))
    chosen += np.arange(draws)[:, None] * scenes
    counts = np.bincount(chosen.ravel(), minlength=draws * scenes).reshape(draws, scenes).astype(np.float64)
    counts.flags.writeable = False
    return counts


def _too_few(scenes: int, effective: float, infinite: int) -> str:
    reason = f"only {counted(scenes, 'scene')}"
    if scenes >= LEAST_SCENES:
        reason = f"{scenes} scenes of so unequal sizes that they count as {effective:.0f}"
    return f"{reason}{' with finite scores' if infinite else ''}, an interval needs {LEAST_SCENES}"
