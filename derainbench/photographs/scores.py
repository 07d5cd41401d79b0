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
    restored: Restored, metrics: Sequence[ImageMetric], device: str, on_photograph: Callable[[], None] = lambda: None
) -> tuple[NoReferenceScore, ...]:
    """The scores of every photograph and every result that can be read, by each metric. Each is read once."""
    columns: dict[str | None, list[list[float | None]]] = {None: [], **{m.name: [] for m in restored.methods}}
    for photograph in restored.photographs:
        here: dict[str | None, Path] = {None: photograph.path}
        here |= {m.name: restored.file(m, photograph) for m in restored.methods}
        for method, path in here.items():
            lost = photograph.name in restored.broken or (method or "", photograph.name) in restored.failed
            columns[method].append([None] * len(metrics) if lost else _scores(path, metrics, device))
        on_photograph()

    def of(method: str | None, number: int) -> tuple[float | None, ...]:
        return tuple(scores[number] for scores in columns[method])

    return tuple(
        NoReferenceScore(metric, of(None, number), {m.name: of(m.name, number) for m in restored.methods})
        for number, metric in enumerate(metrics)
    )


def _scores(path: Path, metrics: Sequence[ImageMetric], device: str) -> list[float | None]:
    """What each metric says of an image's file; None where it is undefined."""
    levels = read_rgb(path)
    values = [value_of(metric, levels, None, device) for metric in metrics]
    return [None if math.isnan(value) else value for value in values]
