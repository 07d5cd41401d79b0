"""A metric of one image as it is saved: the record that packages and files outside add, and what it gives.

Needs no torch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derainbench.errors import UserError
from derainbench.metrics.kinds import Metric

Levels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ImageMetric(Metric):
    """A metric that measures images as they are saved, in a way of its own, whatever the protocols of a run.

    ``measure(restored, clean)``, or ``measure(restored)`` where no reference is needed, takes (H, W, 3) uint8 RGB and
    gives a finite number, or NaN where it is undefined for the image, with a warning that says why. It runs on the
    CPU, possibly beside a network on a GPU, in one thread at a time. ``implementation`` and ``version`` say whose code
    measures, for implementations of one name differ; ``revision`` goes up whenever its numbers change, so that older
    scores are stale. ``networks`` are those that the user adds by ``derainbench weights add``; ``licence`` is that of
    what measures, ``paper`` where the metric was published.
    """

    measure: Callable[..., float] = field(compare=False)
    implementation: str
    version: str
    licence: str
    revision: int = 1
    networks: tuple[str, ...] = ()
    paper: str = ""
    by_protocol: bool = False


def value_of(metric: ImageMetric, restored: Levels, clean: Levels | None) -> float:
    """What ``metric`` gives for a restored image, (H, W, 3) uint8, beside its ground truth of the same shape.

    NaN where it is undefined. :class:`UserError` where it needs a reference and there is none, or where the function
    gives something that is no score.
    """
    if metric.needs_reference and clean is None:
        raise UserError(f"{metric.title} compares an image with its ground truth, and there is none; leave it out")
    given = (restored, clean) if metric.needs_reference else (restored,)
    found: Any = metric.measure(*given)
    try:
        value = float(found)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"metric {metric.name} gives {type(found).__name__}, not a number; mend its function"
        ) from error
    if math.isinf(value):
        raise UserError(f"metric {metric.name} gives {value}; a metric gives a finite number, or NaN where undefined")
    return value


def undefined(title: str, shape: Sequence[int], why: str) -> float:
    """NaN, and a warning that says of which image and why."""
    text = f"{title} is undefined (NaN) for an image of {shape[0]}x{shape[1]} px: {why}"
    warnings.warn(text, stacklevel=3)
    return math.nan
