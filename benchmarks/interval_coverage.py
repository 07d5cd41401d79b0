"""How often intervals of a mean hold the truth, by kind of interval: ``python -m benchmarks.interval_coverage``.

The numbers of docs/statistics.md, from plain transcriptions: 2,000 invented sets of each kind, 2,000 resamples of each.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
KINDS = ("percentile", "BCa", "bootstrap-t", "symmetric bootstrap-t")
#: Skewness of the part that the images of a scene share.
SKEWNESS = (0.0, 1.4, 2.8)


def scene_sizes(shape: str, scenes: int) -> NDArray[np.intp]:
    """Images of each scene: one; one to three; the latter with ten in every tenth scene."""
    sizes = np.ones(scenes, int) if shape == "equal" else np.random.default_rng(scenes).integers(1, 4, scenes)
    if shape == "heavy":
        sizes[::10] = 10
    return sizes


def totals(sizes: NDArray[np.intp], skewness: float, sets: int, random: np.random.Generator) -> Floats:
    """(scenes, sets): the sum of each scene's scores, whose expectation is 0."""
    shape = (len(sizes), sets)
    if skewness:
        k = 4 / skewness**2
        shared = random.gamma(k, 1 / np.sqrt(k), shape) - np.sqrt(k)
    else:
        shared = random.normal(0, 1, shape)
    summed: Floats = sizes[:, None] * shared + np.sqrt(sizes)[:, None] * random.normal(0, 0.5, shape)
    return summed


def intervals(sums: Floats, sizes: NDArray[np.intp], counts: Floats) -> dict[str, tuple[Floats, Floats]]:
    """The 95 % intervals of the mean over images, for each kind, (sets,) each end."""
    n = sizes[:, None].astype(float)
    mean = sums.sum(axis=0) / n.sum()
    scenes = len(n) / (len(n) - 1)
    error = np.sqrt(scenes * ((sums - mean * n) ** 2).sum(axis=0)) / n.sum()
    means = (counts @ sums) / (counts @ n)
    spread = counts @ sums**2 - 2 * means * (counts @ (sums * n)) + means**2 * (counts @ n**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num((means - mean) / (np.sqrt(scenes * np.maximum(spread, 0)) / (counts @ n)), nan=np.inf)
    low, high = np.quantile(t, [0.025, 0.975], axis=0)
    reach = np.quantile(np.abs(t), 0.95, axis=0)
    left_out = (sums.sum(axis=0) - sums) / (n.sum() - n)
    jack = left_out.mean(axis=0) - left_out
    acceleration = (jack**3).sum(axis=0) / (6 * (jack**2).sum(axis=0) ** 1.5)
    bias = norm.ppf(np.clip((means < mean).mean(axis=0), 1 / len(means), 1 - 1 / len(means)))
    ordered = np.sort(means, axis=0)

    def corrected(z: float) -> Floats:
        share = norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        place = np.clip((share * len(ordered)).astype(int), 0, len(ordered) - 1)
        ends: Floats = np.take_along_axis(ordered, place[None], axis=0)[0]
        return ends

    return {
        "percentile": (np.quantile(means, 0.025, axis=0), np.quantile(means, 0.975, axis=0)),
        "BCa": (corrected(-1.96), corrected(1.96)),
        "bootstrap-t": (mean - high * error, mean - low * error),
        "symmetric bootstrap-t": (mean - reach * error, mean + reach * error),
    }


def coverage(sizes: NDArray[np.intp], skewness: float, sets: int) -> dict[str, float]:
    """In how many sets, in percent, each kind of interval holds 0."""
    random = np.random.default_rng(len(sizes))
    counts = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), 2000).astype(float)
    held = dict.fromkeys(KINDS, 0)
    for start in range(0, sets, 200):
        sums = totals(sizes, skewness, min(200, sets - start), random)
        for kind, (low, high) in intervals(sums, sizes, counts).items():
            held[kind] += int(((low <= 0) & (high >= 0)).sum())
    return {kind: 100 * count / sets for kind, count in held.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few sets: does it run at all?")
    sets = 200 if parser.parse_args().quick else 2000
    print("| scenes | images a scene | skewness | " + " | ".join(KINDS) + " |")
    print("|---" * (3 + len(KINDS)) + "|")
    for scenes in (8, 12, 20, 50, 100):
        for shape in ("equal", "unequal", "heavy"):
            for skewness in SKEWNESS:
                found = coverage(scene_sizes(shape, scenes), skewness, sets)
                print(
                    f"| {scenes} | {shape} | {skewness} | " + " | ".join(f"{found[kind]:.1f}" for kind in KINDS) + " |"
                )


if __name__ == "__main__":
    main()
