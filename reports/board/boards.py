"""Boards: rows of the same test images, protocol and training set, ranked, with intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from derainbench.metrics.kinds import METRICS
from derainbench.metrics.paired import paired_by
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import NO_TRAINING_SET
from derainbench.stats import ALPHA, Interval, Refusal, least_p, mean_intervals, scene_means

from ..comparison.cells import NO_SCORE, Metric, ranked_if_several
from .rows import Images, Row

#: Lines whose intervals are worked out at once: 20,000 resamples of each are kept meanwhile.
_AT_ONCE = 64


@dataclass(frozen=True)
class Board:
    """``rows`` with their ranks, best first by the first metric; ``intervals`` are by metric, one a row, None without.

    ``notes`` are sentences on what could not be tested.
    """

    images: Images
    protocol: str
    trained_on: str
    rows: tuple[Row, ...]
    intervals: Mapping[Metric, tuple[Interval | None, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def boards_of(measured: Iterable[tuple[Images, Row]], quoted: Mapping[str, Sequence[Row]]) -> list[Board]:
    """All boards of these rows, by dataset, images, protocol and training set; what is printed joins whole sets."""
    groups: dict[tuple[str, str, str, str], tuple[Images, list[Row]]] = {}
    for images, row in measured:
        place = (images.dataset.name, images.digest, row.protocol, row.trained_on)
        groups.setdefault(place, (images, []))[1].append(row)
    sets = {(name, digest, protocol): images for (name, digest, protocol, _), (images, _) in groups.items()}
    for (name, digest, protocol), images in sets.items():
        for row in quoted.get(name, ()) if images.dataset.whole and not images.dataset.other_sizes else ():
            if row.protocol == protocol:
                groups.setdefault((name, digest, protocol, row.trained_on), (images, []))[1].append(row)
    return [_board(images, rows) for _, (images, rows) in sorted(groups.items(), key=_order)]


def _order(group: tuple[tuple[str, str, str, str], tuple[Images, list[Row]]]) -> tuple[object, ...]:
    """Whole sets first, protocols as they are listed, what is not trained last."""
    (name, digest, protocol, trained_on), (images, _) = group
    known = [*PROTOCOLS]
    place = known.index(protocol) if protocol in known else len(known)
    size = (not images.dataset.whole, -len(images.dataset.test))
    return (name, *size, digest, place, protocol, trained_on in NO_TRAINING_SET, trained_on)


def _board(images: Images, rows: list[Row]) -> Board:
    metrics = [metric for metric in METRICS if any(metric in row.cells for row in rows)]
    notes: dict[str, None] = {}
    for metric in metrics:
        rows = _tested(images, _ranked(rows, metric), metric, notes)
    order = sorted(rows, key=lambda row: (row.seen, -_height(row, metrics[0]), row.title, row.identity))
    intervals = {metric: _intervals(images, order, metric) for metric in metrics}
    return Board(images, rows[0].protocol, rows[0].trained_on, tuple(order), intervals, tuple(notes))


def _height(row: Row, metric: Metric) -> float:
    """How good a row is, below all numbers where it has none."""
    value = row.cells[metric].value if metric in row.cells else math.nan
    return -math.inf if math.isnan(value) else METRICS[metric].goodness(value)


def _ranked(rows: Sequence[Row], metric: Metric) -> list[Row]:
    cells = ranked_if_several((replace(row.cells.get(metric, NO_SCORE), seen=row.seen) for row in rows), metric)
    return [replace(row, cells={**row.cells, metric: cell}) for row, cell in zip(rows, cells, strict=True)]


def _by_scene(images: Images, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(images, lines) as the sample that a test or an interval is of, and its scenes."""
    scenes = np.unique(np.asarray(images.scenes, str), return_inverse=True)[1]
    if images.dataset.mean_of == "scenes":
        values = scene_means(values, scenes)
        scenes = np.arange(len(values))
    return values, scenes


def _tested(images: Images, rows: list[Row], metric: Metric, notes: dict[str, None]) -> list[Row]:
    """Mark the rows that a paired test does not find worse than the best that has scores of images.

    p is multiplied by the number of pairs (Bonferroni), for which of them is tested was chosen by the same scores.
    """
    lines = [n for n, row in enumerate(rows) if metric in row.values and not row.seen]
    contenders = [n for n in lines if not np.isnan(rows[n].values[metric]).any()]
    pairs = len(contenders) * (len(contenders) - 1) // 2
    if not pairs:
        return rows
    values, scenes = _by_scene(images, np.stack([rows[n].values[metric] for n in contenders], axis=1))
    best = max(range(len(contenders)), key=lambda line: _height(rows[contenders[line]], metric))
    found = list(rows)
    for line, number in enumerate(contenders):
        test = None if line == best else paired_by(METRICS[metric], values[:, best], values[:, line], scenes)
        if test is None or isinstance(test, Refusal):
            continue
        if pairs * least_p(test.differing) >= ALPHA:
            notes[
                f"{METRICS[metric].title} is not tested: {test.differing} scenes differ, too few for {pairs:,} pairs."
            ] = None
        elif min(1.0, test.p * pairs) >= ALPHA or test.effect <= 0:
            cell = rows[number].cells[metric]
            cells = {**rows[number].cells, metric: replace(cell, tied=cell.rank != "best")}
            found[number] = replace(rows[number], cells=cells)
    return found


def _intervals(images: Images, rows: Sequence[Row], metric: Metric) -> tuple[Interval | None, ...]:
    found: list[Interval | None] = [None] * len(rows)
    lines = [n for n, row in enumerate(rows) if metric in row.values]
    for start in range(0, len(lines), _AT_ONCE):
        some = lines[start : start + _AT_ONCE]
        values, scenes = _by_scene(images, np.stack([rows[n].values[metric] for n in some], axis=1))
        for number, interval in zip(some, mean_intervals(values, scenes), strict=True):
            found[number] = interval if isinstance(interval, Interval) else None
    return tuple(found)
