"""What metrics that need no ground truth say of photographs and of what methods made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from derainbench.errors import UserError
from derainbench.images.decode import read_rgb
from derainbench.metrics.image_metric import ImageMetric, value_of
from derainbench.photographs.restored import NoReferenceScore, Restored
from derainbench.plugins.metric_registry import require


def check_metrics(metrics: Sequence[ImageMetric]) -> None:
    """:class:`UserError` where one of them compares with a ground truth, which photographs do not have, or where
    something that it needs is not here."""
    for metric in metrics:
        require(metric)
        if metric.needs_reference:
            raise UserError(f"{metric.name} compares with a ground truth, and photographs have none; leave it out")


def no_reference_scores(
    restored: Restored, metrics: Sequence[ImageMetric], device: str, on_image: Callable[[], None] = lambda: None
) -> tuple[NoReferenceScore, ...]:
    """The scores of every photograph and every result that can be read, by each metric."""

    def measured(metric: ImageMetric, path: Path) -> float | None:
        value = value_of(metric, read_rgb(path), None, device)
        return None if math.isnan(value) else value

    def readable(number: int) -> bool:
        return restored.photographs[number].name not in restored.broken

    found = []
    places = range(len(restored.photographs))
    for metric in metrics:
        own: list[float | None] = []
        of_methods: dict[str, list[float | None]] = {method.name: [] for method in restored.methods}
        for number in places:
            photograph = restored.photographs[number]
            own.append(measured(metric, photograph.path) if readable(number) else None)
            for method in restored.methods:
                here = readable(number) and (method.name, photograph.name) not in restored.failed
                value = measured(metric, restored.file(method, photograph)) if here else None
                of_methods[method.name].append(value)
            on_image()
        found.append(NoReferenceScore(metric, tuple(own), {name: tuple(values) for name, values in of_methods.items()}))
    return tuple(found)
