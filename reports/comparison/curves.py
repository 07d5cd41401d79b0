"""How trainings went: loss and validation score by step, from their logs, short enough to draw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derainbench.results.results import DatasetInRun, TrainingInRun

#: A curve is drawn with at most this many points.
POINTS = 150
LOSS, VALIDATION = "loss", "validation_psnr_y"

Curve = tuple[tuple[float, float], ...]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """The trainings on one dataset: by method label the points (step, value) of loss and of validation PSNR.

    The PSNR is in dB, under protocol y. ``smoothed`` says whether points are means of several lines of the logs;
    ``unread`` counts the logs without a usable line, of ``logs``.
    """

    dataset: str
    title: str
    loss: Mapping[str, Curve]
    validation: Mapping[str, Curve]
    smoothed: bool
    logs: int
    unread: int


def curves(
    trainings: Iterable[TrainingInRun], labels: Mapping[str, str], datasets: Iterable[DatasetInRun]
) -> tuple[Curves, ...]:
    """A set of curves for each dataset that was trained on; ``labels`` name the methods for readers.

    Seeds are averaged: a point is the mean over a stretch of 1/150 of the training, of the lines of all seeds there.
    Logs that are missing or damaged count as unread, damaged lines are passed over.
    """
    titles = {dataset.name: dataset.title for dataset in datasets}
    by_dataset: dict[str, list[TrainingInRun]] = {}
    for training in trainings:
        by_dataset.setdefault(training.trained_on, []).append(training)
    order = sorted(by_dataset, key=lambda name: ([*titles].index(name) if name in titles else len(titles), name))
    return tuple(_curves(name, titles.get(name, name), by_dataset[name], labels) for name in order)


def _curves(name: str, title: str, trainings: list[TrainingInRun], labels: Mapping[str, str]) -> Curves:
    read: dict[str, list[dict[str, tuple[Floats, Floats]]]] = {}
    unread = 0
    for training in trainings:
        values = read_log(training.folder / "log.jsonl")
        unread += not any(len(steps) for steps, _ in values.values())
        read.setdefault(labels.get(training.method, training.method), []).append(values)
    drawn: dict[str, dict[str, Curve]] = {LOSS: {}, VALIDATION: {}}
    smoothed = False
    for label, logs in read.items():
        for kind, by_label in drawn.items():
            steps, means = (np.concatenate([log[kind][axis] for log in logs]) for axis in (0, 1))
            if len(steps):
                by_label[label] = thinned(steps, means)
                smoothed |= len(by_label[label]) < len(steps)
    return Curves(name, title, drawn[LOSS], drawn[VALIDATION], smoothed, len(trainings), unread)


def read_log(path: Path) -> dict[str, tuple[Floats, Floats]]:
    """Steps and values of each kind in a training's log, empty where the file or a line of it cannot be used."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    rows = [row for row in _parsed(lines) if isinstance(row, dict)]
    return {kind: _values(rows, kind) for kind in (LOSS, VALIDATION)}


def _parsed(lines: list[str]) -> list[Any]:
    try:
        parsed: list[Any] = json.loads(f"[{','.join(lines)}]")  # a tenth of the time of a line at a time
    except (ValueError, RecursionError):
        return [row for line in lines if (row := _line(line)) is not None]
    return parsed


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _values(rows: list[dict[str, Any]], kind: str) -> tuple[Floats, Floats]:
    pairs = [(row["step"], row[kind]) for row in rows if kind in row and "step" in row]
    kept = [(float(step), float(value)) for step, value in pairs if _usable(step) and _usable(value) and step >= 0]
    array = np.array(kept, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _usable(value: object) -> bool:
    """Whether it is a number of a size that sums and logarithms stand; NaN compares false."""
    return type(value) in (int, float) and -1e100 < value < 1e100  # type: ignore[operator]


def thinned(steps: Floats, values: Floats, points: int = POINTS) -> Curve:
    """At most ``points`` points: all, or means of steps and values over as many equal stretches of the training."""
    if len(np.unique(steps)) <= points:
        places, number = np.unique(steps, return_inverse=True)
        count = np.bincount(number)
        return _pairs(places, np.bincount(number, values) / count)
    first, last = float(steps.min()), float(steps.max())
    number = np.minimum(((steps - first) / (last - first) * points).astype(np.int64), points - 1)
    count = np.bincount(number, minlength=points)
    used = count > 0
    means = (np.bincount(number, each, minlength=points)[used] / count[used] for each in (steps, values))
    return _pairs(*means)


def _pairs(steps: Floats, values: Floats) -> Curve:
    return tuple(zip(steps.tolist(), values.tolist(), strict=True))
