"""Two runs compared, as text for a terminal and as JSON."""

from __future__ import annotations

import math
from typing import Any

from tabulate import tabulate

from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.plugins.names import NO_TRAINING_SET
from derainbench.results.comparing import CellChange, MetricChange, RunComparison
from derainbench.stats import Paired, Refusal, p_words
from derainbench.support.words import counted, listed

from ..comparison.cells import printed, protocol_title
from ..comparison.labels import MISSING
from .json import dumps
from .terminal import plain_text

#: Of ``derainbench compare --json``. The name stays while what is there keeps its meaning; additions do not change it.
SCHEMA = "derainbench-comparison/1"
#: Evaluations of one run only that are listed; more of them are counted.
FEW = 3


def comparison_text(comparison: RunComparison) -> str:
    """A row a cell that both runs scored, each metric of both, then cells of one run, then what was not the same."""
    first, second = comparison.runs
    both = [cell for cell in comparison.cells if cell.scored]
    lines = [
        f"A = {first}, B = {second} · {protocol_title(comparison.protocol)} (protocol {comparison.protocol})",
        "",
    ]
    if both:
        numbers = [head for metric in METRICS.values() for head in (f"{metric.title} A", "B", "B - A")]
        numbers += ["Images", "B better", "worse"]
        head = ["Cell", *numbers, *(f"p {metric.title}" for metric in METRICS.values())]
        align = ["left", *("right" for _ in numbers), *("left" for _ in METRICS)]
        body = [[plain_text(part) for part in _row(cell)] for cell in both]
        lines += [tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=align), ""]
        by = METRICS[LEADING].title
        lines.append(f"Means over the images that both have; B better and worse count images by {by}." + _tests(both))
        lines += [f"{metric.title}: lower is better." for metric in METRICS.values() if not metric.higher_is_better]
        lines += [f"{where(cell)}: {note}" for cell in both for note in _notes(cell, comparison)]
        lines += _refused(both)
    else:
        lines.append("No cell has scores in both runs.")
    lines += _of_one_run(comparison)
    lines += ["", *_changes(comparison, both)]
    return "\n".join(plain_text(line) for text in lines for line in text.split("\n")) + "\n"


def comparison_json(comparison: RunComparison) -> str:
    """The same as data; see docs/results.md."""
    first, second = comparison.runs
    return dumps(
        {
            "schema": SCHEMA,
            "runs": {"a": first, "b": second},
            "protocol": comparison.protocol,
            "circumstances": comparison.circumstances,
            "cells": [_cell(cell) for cell in comparison.cells],
        }
    )


def where(cell: CellChange) -> str:
    """A cell in words: ``nasnet, trained on rain100h, on rain100l``; the training set where it is another one."""
    own = cell.trained_on in (cell.dataset, *NO_TRAINING_SET)
    return (
        f"{cell.method} on {cell.dataset}" if own else f"{cell.method}, trained on {cell.trained_on}, on {cell.dataset}"
    )


def _row(cell: CellChange) -> list[str]:
    numbers = [text for metric in METRICS for text in _numbers(cell.changes.get(metric), metric)]
    leading = cell.changes.get(LEADING)
    counts = [MISSING] * 2 if leading is None else [str(leading.better), str(leading.worse)]
    words = [_verdict(cell.changes.get(metric)) for metric in METRICS]
    if cell.identical:
        words = ["identical", *("" for _ in words[1:])]
    return [where(cell), *numbers, str(cell.images), *counts, *words]


def _numbers(change: MetricChange | None, metric: str) -> tuple[str, str, str]:
    """Both means and their difference, to two digits more than the field prints."""
    if change is None:
        return MISSING, MISSING, MISSING
    difference = _signed(change.difference, METRICS[metric].digits + 2)
    return printed(change.first, metric), printed(change.second, metric), difference


def _tests(cells: list[CellChange]) -> str:
    """What the p of a table are; nothing where it has none."""
    changes = [(metric, change) for cell in cells for metric, change in cell.changes.items()]
    tested = {
        kind.title: sum(of == metric and isinstance(change.test, Paired) for of, change in changes)
        for metric, kind in METRICS.items()
    }
    if not any(tested.values()):
        return ""
    same = len({*tested.values()}) == 1
    over = "; ".join(counted(n, "tested cell") + ("" if same else f" by {metric}") for metric, n in tested.items())
    return f" p: Wilcoxon's signed-rank test by scene, Holm over {over.partition(';')[0] if same else over}."


def _refused(cells: list[CellChange]) -> list[str]:
    """Why cells were not tested: each reason once, with the cells, or how many they are."""
    found: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        for metric, change in cell.changes.items():
            if isinstance(change.test, Refusal) and not cell.identical:
                of_cell = found.setdefault(change.test.reason, {}).setdefault(where(cell), [])
                of_cell.append(METRICS[metric].title)
    lines = []
    for reason, metrics_of in found.items():
        by_metrics: dict[str, list[str]] = {}
        for place, metrics in metrics_of.items():
            by_metrics.setdefault(listed(metrics), []).append(place)
        for metric_words, places in by_metrics.items():
            named = "; ".join(places) if len(places) <= FEW else counted(len(places), "cell")
            lines.append(f"{named}: no test of {metric_words}: {reason}.")
    return lines


def _verdict(change: MetricChange | None) -> str:
    if change is None:
        return MISSING
    return p_words(change.test.p) if isinstance(change.test, Paired) else "no test"


def _notes(cell: CellChange, comparison: RunComparison) -> list[str]:
    notes = _errors(cell, comparison)
    for name, count in zip(comparison.runs, cell.alone, strict=True):
        if count:
            notes.append(f"{counted(count, 'more test image')} in {name} only.")
    for metric, change in cell.changes.items():
        title = METRICS[metric].title
        if change.infinite:
            notes.append(f"{counted(change.infinite, 'image')} with infinite {title} left out of the means.")
        if undefined := cell.images - change.better - change.equal - change.worse:
            notes.append(f"{counted(undefined, 'image')} with undefined {title} left out.")
    return notes


def _of_one_run(comparison: RunComparison) -> list[str]:
    """The cells that only one run has scores of: each, or how many where they are many and nothing went wrong."""
    alone = [cell for cell in comparison.cells if not cell.scored]
    lines = []
    for run, number in zip(comparison.runs, (0, 1), strict=True):
        only = [cell for cell in alone if cell.states[number] == "scored" and not any(cell.errors)]
        if len(only) > FEW:
            lines.append(f"{counted(len(only), 'evaluation')} only in {run} (--json lists them)")
            alone = [cell for cell in alone if cell not in only]
    return lines + [f"{where(cell)}: {_state(cell, comparison)}" for cell in alone]


def _state(cell: CellChange, comparison: RunComparison) -> str:
    words = [f"only in {run}" for run, state in zip(comparison.runs, cell.states, strict=True) if state == "scored"]
    return "; ".join([*words, *_errors(cell, comparison)])


def _errors(cell: CellChange, comparison: RunComparison) -> list[str]:
    return [f"failed in {run}: {error}" for run, error in zip(comparison.runs, cell.errors, strict=True) if error]


def _changes(comparison: RunComparison, both: list[CellChange]) -> list[str]:
    """What differs in what the results depended on; what is said of every cell is said once."""
    cells_of: dict[str, list[str]] = {}
    for cell in both:
        for cause in cell.causes:
            cells_of.setdefault(cause, []).append(where(cell))
    lines = [
        f"  {cause}" + ("" if len(cells) == len(both) else f" ({'; '.join(cells)})")
        for cause, cells in cells_of.items()
    ]
    lines += [f"  {words}" for words in comparison.circumstances if words not in cells_of]
    if lines:
        return ["What changed from A to B:", *lines]
    if all(cell.trained_on in NO_TRAINING_SET for cell in both):
        return ["No method that was trained is in both runs."]
    return ["Nothing that results depend on changed from A to B."]


def _signed(value: float, digits: int) -> str:
    return MISSING if math.isnan(value) else f"{value:+.{digits}f}"


def _cell(cell: CellChange) -> dict[str, Any]:
    return {
        "method": cell.method,
        "trained_on": cell.trained_on,
        "dataset": cell.dataset,
        "state": {"a": cell.states[0], "b": cell.states[1]},
        "seeds": {"a": cell.seeds[0], "b": cell.seeds[1]},
        "images": {"both": cell.images, "only_a": cell.alone[0], "only_b": cell.alone[1]},
        "identical": cell.identical,
        **{metric: _metric(cell.changes.get(metric)) for metric in METRICS},
        "causes": cell.causes,
        "errors": {"a": cell.errors[0] or None, "b": cell.errors[1] or None},
    }


def _metric(change: MetricChange | None) -> dict[str, Any] | None:
    if change is None:
        return None
    measured = {
        "a": change.first,
        "b": change.second,
        "difference": change.difference,
        "b_better": change.better,
        "equal": change.equal,
        "b_worse": change.worse,
        "infinite": change.infinite,
    }
    if isinstance(change.test, Paired):
        test = change.test
        return {**measured, "p": test.p, "effect": test.effect, "scenes": test.units, "refused": None}
    return {**measured, "p": None, "effect": None, "scenes": None, "refused": change.test.reason}
