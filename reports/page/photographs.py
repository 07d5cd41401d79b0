"""Photographs without ground truth as one web page: every method's result beside every photograph."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from derainbench.errors import UserError, printable
from derainbench.images.decode import image_size
from derainbench.photographs.find import Photograph
from derainbench.photographs.restored import Method, NoReferenceScore, Restored
from derainbench.support.words import counted, listed

from ..comparison.labels import MISSING, short_names
from .drawing import figure_command, named, pixel_sizes
from .html import page_environment
from .pictures import FOLDER_NAME, LONGEST_SIDE, QUALITY, Pictures
from .plates import BRIGHTEST
from .qualitative import ERROR_COLOURS

#: What must stand wherever scores without a reference do.
NO_PROOF = (
    "No-reference scores are no proof that rain was removed: they judge how natural an image looks, and a blurred "
    "result, or the untouched photograph, may have the better one."
)

#: The table of files stands open up to so many photographs.
_OPEN = 12


@dataclass(frozen=True)
class _Result:
    """A method's file of a photograph: its ``address`` from the page, or else the ``problem``."""

    address: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Row:
    """A photograph's line in the table of files."""

    name: str
    size: str
    results: tuple[_Result, ...]


def photographs_html(restored: Restored, pictures: Pictures) -> str:
    """``index.html`` beside the methods' folders: a slider over photographs and methods, all files, how it was made.

    As a report's page it needs nothing else but its pictures, unless they are beside it; the table of files links to
    the full-size results.
    """
    return page_environment().get_template("photographs.html.j2").render(_context(restored, pictures))


def _context(restored: Restored, pictures: Pictures) -> dict[str, Any]:
    labels = short_names([method.title for method in restored.methods])
    shown, left_out = _shown(restored, pictures) if pictures.kept else ({}, 0)
    names = [printable(photograph.name) for photograph in restored.photographs]
    readable = len(names) - len(restored.broken)
    data = {"images": names, "viewer": _viewer(restored, labels, shown, pictures) if shown else None}
    return {
        "restored": restored,
        "lede": _lede(restored, labels, readable),
        "labels": labels,
        "rows": [_row(restored, photograph) for photograph in restored.photographs],
        "open": len(names) <= _OPEN,
        "broken": list(restored.broken.values()),
        "failed": [f"{method} on {printable(name)}: {why}" for (method, name), why in restored.failed.items()],
        "scores": restored.scores,
        "means": _means(restored, labels),
        "no_proof": NO_PROOF,
        "shown": len(shown),
        "left_out": left_out,
        "pictures": pictures,
        "beside": FOLDER_NAME if pictures.files else "",
        "quality": QUALITY,
        "longest_side": LONGEST_SIDE,
        "brightest": BRIGHTEST,
        "error_stops": ERROR_COLOURS,
        "data": {
            "metrics": [
                {"name": s.metric.name, "title": s.metric.title, "unit": s.metric.unit, "digits": s.metric.digits}
                for s in restored.scores
            ],
            "pictures": pictures.addresses,
            "datasets": [data],
        },
    }


def _lede(restored: Restored, labels: Sequence[str], readable: int) -> str:
    return f"{counted(readable, 'photograph')}, restored by {listed(labels)}."


#: The pictures of each shown photograph, of itself and by each method: numbers of the pool, None where there is none.
_Shown = dict[int, tuple[int | None, ...]]


def _shown(restored: Restored, pictures: Pictures) -> tuple[_Shown, int]:
    """The pictures of the photographs in order, while there is room, and for how many there was none."""
    shown: _Shown = {}
    readable = [n for n, photograph in enumerate(restored.photographs) if photograph.name not in restored.broken]
    for tried, number in enumerate(readable):
        if pictures.room <= 0:
            return shown, len(readable) - tried
        photograph = restored.photographs[number]
        results = [
            restored.file(method, photograph) for method in restored.methods if _has(restored, method, photograph)
        ]
        added = dict(zip([photograph.path, *results], pictures.add([photograph.path, *results]), strict=True))
        found = (
            added[photograph.path],
            *(added.get(restored.file(method, photograph)) for method in restored.methods),
        )
        if any(picture is not None for picture in found):
            shown[number] = found
    return shown, 0


def _has(restored: Restored, method: Method, photograph: Photograph) -> bool:
    """Whether there is a result, and not one of before."""
    return photograph.name not in restored.broken and (method.name, photograph.name) not in restored.failed


def _viewer(restored: Restored, labels: Sequence[str], shown: _Shown, pictures: Pictures) -> dict[str, Any]:
    """What the slider can show, as :func:`.gallery._viewer` says; its maps show what a method changed."""
    sizes = [next(pictures.sizes[n] for n in numbers if n is not None) for numbers in shown.values()]
    roots = {Path(str(each.path).removesuffix(each.name)) for each in restored.photographs}
    photos = named(next(iter(roots))) if len(roots) == 1 else "PHOTOS"
    return {
        "versions": ["Photograph", *labels],
        "start": (0, 1),
        "reference": 0,
        "truth": None,
        "shown": list(shown),
        "pictures": list(shown.values()),
        "sizes": sizes,
        "pixels": pixel_sizes([restored.photographs[number].path for number in shown], sizes),
        "figure": {"command": figure_command(restored.folder, "--photos", photos), "prefix": ""},
        "scores": {"": [_column(restored.scores, name) for name in (None, *(m.name for m in restored.methods))]},
    }


def _column(scores: Sequence[NoReferenceScore], method: str | None) -> dict[str, list[int | None]]:
    """A method's scores, or the photographs', by metric: integers in units of the last digit."""
    return {
        score.metric.name: [
            None if value is None or not math.isfinite(value) else round(value * 10**score.metric.digits)
            for value in (score.photographs if method is None else score.methods[method])
        ]
        for score in scores
    }


def _means(restored: Restored, labels: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The photographs' line and one for each method: the mean of each metric, as printed."""
    lines: list[tuple[str, list[str]]] = []
    for label, name in zip(("Photograph", *labels), (None, *(m.name for m in restored.methods)), strict=True):
        lines.append((label, [_mean(score, name) for score in restored.scores]))
    return lines if restored.scores else []


def _mean(score: NoReferenceScore, method: str | None) -> str:
    """Over the photographs of which all have a score: means of different photographs compare nothing."""
    columns = [score.photographs, *score.methods.values()]
    whole = [n for n, row in enumerate(zip(*columns, strict=True)) if all(v is not None for v in row)]
    values = score.photographs if method is None else score.methods[method]
    numbers = [value for n in whole if (value := values[n]) is not None]
    return f"{math.fsum(numbers) / len(numbers):.{score.metric.digits}f}" if numbers else MISSING


def _row(restored: Restored, photograph: Photograph) -> _Row:
    results = []
    for method in restored.methods:
        if photograph.name in restored.broken:
            results.append(_Result(problem="left out"))
        elif (method.name, photograph.name) in restored.failed:
            results.append(_Result(problem="failed"))
        else:
            results.append(_Result(quote(os.fsencode(f"{method.name}/{photograph.restored}"))))
    return _Row(printable(photograph.name), _size(photograph), tuple(results))


def _size(photograph: Photograph) -> str:
    try:
        height, width = image_size(photograph.path)
    except UserError:
        return MISSING
    return f"{width} × {height}"
