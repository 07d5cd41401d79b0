"""What the harness relies on in a metric, as checks that an author can run."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from derainbench.engine.conformance import CheckOutcome, ConformanceError
from derainbench.errors import FOREIGN, one_line
from derainbench.metrics.image_metric import ImageMetric, value_of
from derainbench.plugins.metric_registry import require

Levels = NDArray[np.uint8]

#: Height and width of images that people score: single pixels and lines, odd, prime, and a usual one.
SIZES = ((1, 1), (1, 17), (23, 1), (13, 5), (97, 131), (192, 240))


def check_metric(metric: ImageMetric) -> Iterator[tuple[str, CheckOutcome]]:
    """Run every check, one after the other: its description and what it found."""
    for description, check in METRIC_CHECKS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = CheckOutcome(remark=check(metric) or "")
        except FOREIGN as error:  # a metric under test may raise anything
            outcome = CheckOutcome(problem=f"{type(error).__name__}: {one_line(error)}")
        yield description, outcome


def is_ready(metric: ImageMetric) -> None:
    """The networks and packages that it needs are here."""
    require(metric)


def any_size(metric: ImageMetric) -> str | None:
    """Any image from 1x1 gives a finite number or NaN."""
    undefined = []
    for height, width in SIZES:
        clean = scene(height, width)
        if math.isnan(value_of(metric, noisy(clean, 8), clean)):
            undefined.append(f"{height}x{width}")
    if len(undefined) == len(SIZES):
        raise ConformanceError(f"it is undefined for images of {', '.join(undefined)} px: of every size that was tried")
    return f"undefined for images of {', '.join(undefined)} px" if undefined else None


def no_memory(metric: ImageMetric) -> None:
    """The same image gives the same number to the bit, whatever came before it."""
    clean, other = scene(192, 240), scene(192, 200)
    first = value_of(metric, noisy(clean, 8), clean)
    value_of(metric, noisy(other, 30), other)
    again = value_of(metric, noisy(clean, 8), clean)
    if first != again and not (math.isnan(first) and math.isnan(again)):
        raise ConformanceError(f"{first!r} became {again!r}")


def images_stay(metric: ImageMetric) -> None:
    """The images that it is given stay as they are."""
    clean = scene(192, 240)
    restored = noisy(clean, 8)
    before = (restored.copy(), clean.copy())
    value_of(metric, restored, clean)
    if not all(map(np.array_equal, before, (restored, clean))):
        raise ConformanceError("it changed an image; copy what you change")


def direction(metric: ImageMetric) -> str | None:
    """More noise does not score better, by the direction that it says."""
    clean = scene(192, 240)
    little, much = (metric.goodness(value_of(metric, noisy(clean, level), clean)) for level in (4, 40))
    if not much > little:
        return None
    said = f"noise of 40 grey levels scores better than of 4, where {metric.better} is better"
    if metric.needs_reference:
        raise ConformanceError(said)
    return said  # a metric without a reference may think so


def own_truth(metric: ImageMetric) -> str | None:
    """No image scores better than the ground truth itself."""
    if not metric.needs_reference:
        return "it needs no reference"
    clean = scene(192, 240)
    same = metric.goodness(value_of(metric, clean.copy(), clean))
    if metric.goodness(value_of(metric, noisy(clean, 4), clean)) > same:
        raise ConformanceError("noise of 4 grey levels scores better than the ground truth")
    return None


def scene(height: int, width: int) -> Levels:
    """Smooth clouds of colour with edges, the same each time."""
    random = np.random.default_rng(0)
    clouds = gaussian_filter(random.normal(size=(height, width, 3)), (3, 3, 0))
    clouds = clouds / (clouds.std() + 1e-9) * 30 + 110 + 40 * (clouds > 0)
    levels: Levels = np.clip(np.round(clouds), 0, 255).astype(np.uint8)
    return levels


def noisy(image: Levels, level: float) -> Levels:
    """``image`` with Gaussian noise of so many grey levels, the same each time."""
    noise = np.random.default_rng(1).normal(0, level, image.shape)
    levels: Levels = np.clip(np.round(image + noise), 0, 255).astype(np.uint8)
    return levels


METRIC_CHECKS: Mapping[str, Callable[[ImageMetric], Any]] = MappingProxyType(
    {
        "what it needs is here": is_ready,
        "any size gives a number": any_size,
        "the same image, the same number": no_memory,
        "images stay as they are": images_stay,
        "more noise is not better": direction,
        "the ground truth is best": own_truth,
    }
)
