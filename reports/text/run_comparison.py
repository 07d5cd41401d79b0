"""Two runs compared, as text for a terminal and as JSON."""

from __future__ import annotations

import math
from typing import Any

from tabulate import tabulate

from derainbench.plugins.names import UNTRAINED
from derainbench.results.comparing import CellChange, MetricChange, RunComparison
from derainbench.stats import Paired, Refusal, p_words
from derainbench.support.words import counted

from ..comparison.cells import MISSING, printed, protocol_title
from .json import dumps
from .terminal import plain_text

#: Of ``derainbench compare --json``. The name stays while what is there keeps its meaning; additions do not change it.
SCHEMA = "derainbench-comparison/1"
#: Evaluations of one run only that are listed; more of them are counted.
FEW = 3


def comparison_text(comparison: RunComparison) -> str:
    """A row a cell that both runs scored, PSNR and SSIM of both, then cells of one run, then what was not the same."""
    first, second = comparison.runs
    both = [cell for cell in comparison.cells if cell.psnr is not None]
    lines = [
        f"A = {first}, B = {second} · {protocol_title(comparison.protocol)} (protocol {comparison.protocol})",
        "",
    ]
    if both:
        head = [
            "Cell",
            "PSNR A",
            "B",
            "B - A",
            "SSIM A",
            "B",
            "B - A",
            "Images",
            "B better",
            "worse",
            "p PSNR",
            "p SSIM",
        ]
        align = ["left", *["right"] * 9, "left", "left"]
        body = [[plain_text(part) for part in _row(cell)] for cell in both]
        lines += [tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=align), ""]
        lines.append("Means over the images that both have; B better and worse count images by PSNR." + _tests(both))
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
    own = cell.trained_on in (cell.dataset, UNTRAINED)
    return (
        f"{cell.method} on {cell.dataset}" if own else f"{cell.method}, trained on {cell.trained_on}, on {cell.dataset}"
    )


def _row(cell: CellChange) -> list[str]:
    psnr, ssim = cell.psnr, cell.ssim
    if psnr is None or ssim is None:
        raise ValueError(f"{where(cell)} has no scores in both runs")
    numbers = [
        printed(psnr.first, "psnr"),
        printed(psnr.second, "psnr"),
        _signed(psnr.difference, 4),
        printed(ssim.first, "ssim"),
        printed(ssim.second, "ssim"),
        _signed(ssim.difference, 6),
    ]
    counts = [str(cell.images), str(psnr.better), str(psnr.worse)]
    words = ["identical", ""] if cell.identical else [_verdict(psnr), _verdict(ssim)]
    return [where(cell), *numbers, *counts, *words]


def _tests(cells: list[CellChange]) -> str:
    """What the p of a table are; nothing where it has none."""
    changes = {"PSNR": [cell.psnr for cell in cells], "SSIM": [cell.ssim for cell in cells]}
    tested = {
        metric: sum(change is not None and isinstance(change.test, Paired) for change in of_cells)
        for metric, of_cells in changes.items()
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
        for metric, change in (("PSNR", cell.psnr), ("SSIM", cell.ssim)):
            if change is not None and isinstance(change.test, Refusal) and not cell.identical:
                found.setdefault(change.test.reason, {}).setdefault(where(cell), []).append(metric)
    lines = []
    for reason, metrics_of in found.items():
        by_metrics: dict[str, list[str]] = {}
        for place, metrics in metrics_of.items():
            by_metrics.setdefault(" and ".join(metrics), []).append(place)
        for metric_words, places in by_metrics.items():
            named = "; ".join(places) if len(places) <= FEW else counted(len(places), "cell")
            lines.append(f"{named}: no test of {metric_words}: {reason}.")
    return lines


def _verdict(change: MetricChange) -> str:
    return p_words(change.test.p) if isinstance(change.test, Paired) else "no test"


def _notes(cell: CellChange, comparison: RunComparison) -> list[str]:
    notes = _errors(cell, comparison)
    for name, count in zip(comparison.runs, cell.alone, strict=True):
        if count:
            notes.append(f"{counted(count, 'more test image')} in {name} only.")
    for metric, change in (("PSNR", cell.psnr), ("SSIM", cell.ssim)):
        if change is not None and change.infinite:
            notes.append(f"{counted(change.infinite, 'image')} with infinite {metric} left out of the means.")
        if change is not None and (undefined := cell.images - change.better - change.equal - change.worse):
            notes.append(f"{counted(undefined, 'image')} with undefined {metric} left out.")
    return notes


def _of_one_run(comparison: RunComparison) -> list[str]:
    """The cells that only one run has scores of: each, or how many where they are many and nothing went wrong."""
    alone = [cell for cell in comparison.cells if cell.psnr is None]
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
    if all(cell.trained_on == UNTRAINED for cell in both):
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
        "psnr": _metric(cell.psnr),
        "ssim": _metric(cell.ssim),
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
