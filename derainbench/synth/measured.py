"""What synthetic rain measures, beside what the real sets measure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from derainbench.errors import UserError
from derainbench.images.decode import Array, read_layer, read_rgb
from derainbench.rain import PRESETS, RAIN_MODELS, RainModel
from derainbench.rain.image import Grey
from derainbench.support.workers import in_chunks
from derainbench.synth.changed_images import read_again
from derainbench.synth.real_sets import BESIDE, RealSet

#: At most so many images are measured, evenly spaced through the set.
MEASURED_IMAGES = 100

#: One image's numbers by quantity, without those it has not: the direction of no streaks, the SSIM of a tiny image.
Quantities = dict[str, float]

#: What is measured whatever the rain.
_INPUT = {"psnr": "input PSNR y, dB", "ssim": "input SSIM y"}

_DIGITS = {"mean_on_rain": 1, "percentile_95": 1, "length": 1, "direction": 0, "newly_saturated": 4, "ssim": 3}


# The last bits of a sum depend on how many threads share it, and a record's bytes should not.
_STORED = 6


@dataclass(frozen=True)
class Images:
    """The files of one rainy image."""

    rainy: Path
    clean: Path
    layers: dict[str, Path]


def evenly_spaced(count: int) -> list[int]:
    """Which of ``count`` images are measured: all, or 100 of them."""
    chosen = min(count, MEASURED_IMAGES)
    return [(2 * i + 1) * count // (2 * chosen) for i in range(chosen)]


def measure(
    model: RainModel, images: Sequence[Images], workers: int, progress: Callable[[int, int], None]
) -> list[Quantities]:
    """The quantities of the model, and the score, of each image, in their order, from its files, to 6 decimal places.

    Each image counts twice in ``progress``: for what it was made of, and for its score. :class:`UserError` naming the
    file where one of them is damaged.
    """
    numbered = list(enumerate(images))
    rows: dict[int, Quantities] = {}
    for count, part in in_chunks(partial(_layers, model), numbered, workers, largest=4):
        rows.update(part)
        progress(count, 2 * len(numbered))
    complete = []
    for number, files in numbered:
        complete.append(rows[number] | _input_score(files))
        progress(1, 2 * len(numbered))
    return [{key: round(value, _STORED) for key, value in row.items() if math.isfinite(value)} for row in complete]


def _layers(model: RainModel, images: Sequence[tuple[int, Images]]) -> dict[int, Quantities]:
    return {number: model.measure(partial(_pair, files), partial(_layer, files)) for number, files in images}


def _layer(files: Images, name: str) -> Grey:
    return read_again(read_layer, files.layers[name])


def _pair(files: Images) -> tuple[Array, Array]:
    rainy, clean = (read_again(read_rgb, path) for path in (files.rainy, files.clean))
    if rainy.shape != clean.shape:
        raise UserError(f"{files.rainy} and {files.clean} differ in size; delete both and run the same command again")
    return rainy, clean


def _input_score(files: Images) -> Quantities:
    from derainbench.images.tensors import to_tensor
    from derainbench.metrics.scores import score

    rainy, clean = (to_tensor(image).double().unsqueeze(0) for image in _pair(files))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="SSIM is undefined")  # of tiny images: it is NaN, printed as -
        scores = score(rainy, clean, "y")
    return {"psnr": float(scores.psnr), "ssim": float(scores.ssim)}


def summary(rows: Sequence[Quantities]) -> dict[str, dict[str, float]]:
    """By quantity: mean, min and max over the images that have it, and for the direction its percentiles."""
    result: dict[str, dict[str, float]] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = np.array([row[key] for row in rows if key in row])
        result[key] = {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())}
        if key == "direction":
            result[key] |= {f"p{p}": float(np.percentile(values, p)) for p in (5, 50, 95)}
    return result


def side_by_side(preset: str, name: str, rows: Sequence[Quantities]) -> str:
    """A table: a line a quantity, mean (min-max); the made images first, then the sets of ``BESIDE``."""
    made, real = summary(rows), BESIDE.get(preset, ())
    counts = [f"{each.title} ({each.pairs})" if each.pairs else each.title for each in real]
    headers = ["mean (min-max)", f"{name} ({len(rows)})", *(f"{head} [{i}]" for i, head in enumerate(counts, 1))]
    lines = [
        [label, _made_text(key, made.get(key, {})), *(_real_text(key, each) for each in real)]
        for key, label in {**RAIN_MODELS[PRESETS[preset].model].quantities, **_INPUT}.items()
    ]
    notes = [f"[{i}] {each.source}" for i, each in enumerate(real, 1)]
    if any(each.differs for each in real):
        notes.append("* defined otherwise there: a hint, not a comparison")
    return "\n".join([tabulate(lines, headers, disable_numparse=True), "", *notes])


def beside_as_data(preset: str) -> list[dict[str, Any]]:
    """The sets of ``BESIDE`` for a script."""
    return [asdict(each) for each in BESIDE.get(preset, ())]


def _made_text(key: str, values: dict[str, float]) -> str:
    if not values:
        return "-"
    if key == "direction":
        return " / ".join(_number(key, values[p]) for p in ("p5", "p50", "p95"))
    return f"{_number(key, values['mean'])} ({_number(key, values['min'])}-{_number(key, values['max'])})"


def _real_text(key: str, real: RealSet) -> str:
    mark = "*" if key in real.differs else ""
    if key == "direction":
        return " / ".join(_number(key, value) for value in real.direction) + mark if real.direction else "-"
    if key not in real.spreads:
        return "-"
    spread = real.spreads[key]
    span = f"({_number(key, spread.low)}-{_number(key, spread.high)})" if spread.low is not None else ""
    mean = _number(key, spread.mean) if spread.mean is not None else ""
    return f"{mean} {span}".strip() + mark


def _number(key: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.{_DIGITS.get(key, 2)}f}"
