"""The qualitative comparison: chosen images with a magnified window of every method's output beside each other."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image as Pillow

from derainbench.errors import UserError
from derainbench.images.decode import Source, read_rgb
from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import UNPROCESSED
from derainbench.results.results import DatasetInRun, Results
from derainbench.results.scored_files import ScoredFiles

from ..comparison.cells import in_words
from ..comparison.entries import Entry
from ..comparison.grids import ScoreGrid
from .qualitative import Choice, Image, Window, choose, error_map, window

#: Longest side in pixels, and WebP quality, of the whole image beside its windows.
WHOLE_SIDE, WHOLE_QUALITY = 480, 85
#: WebP quality of the windows, which are shown magnified.
WINDOW_QUALITY = 95
#: The difference in grey levels that an error map shows as white.
BRIGHTEST = 64


@dataclass(frozen=True)
class Piece:
    """The window of one version of an image; ``error`` is its error map, empty where there is nothing to compare.

    Both are data URIs. ``scores`` are printed lines by protocol, of the whole image and of the seed that is shown.
    """

    label: str
    picture: str
    error: str
    scores: Mapping[str, str]


@dataclass(frozen=True)
class Plate:
    """One image: ``whole`` is the rainy input as a data URI; the window's place and size are percentages of it."""

    image: str
    rule: str
    whole: str
    width: int
    height: int
    left: float
    top: float
    across: float
    down: float
    side: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class PlateSection:
    """The plates of one dataset; ``protocol`` is the one whose scores chose the images."""

    dataset: DatasetInRun
    protocol: str
    plates: tuple[Plate, ...]


def plates(results: Results, grids: Mapping[tuple[str, str], ScoreGrid]) -> tuple[PlateSection, ...]:
    """A section for each dataset with restored images that are still there, chosen under its first protocol."""
    sections = []
    for dataset in results.datasets:
        of_dataset = {protocol: grid for (name, protocol), grid in grids.items() if name == dataset.name}
        if not of_dataset:
            continue
        first = next(iter(of_dataset))
        grid = of_dataset[first]
        chosen = choose(grid, partial(_can_be_drawn, results, grid, ScoredFiles(dataset)))
        drawn = [_plate(results, of_dataset, choice) for choice in chosen]
        shown = tuple(plate for plate in drawn if plate is not None)
        sections += [PlateSection(dataset, first, shown)] if shown else []
    return tuple(sections)


def _can_be_drawn(results: Results, grid: ScoreGrid, scored: ScoredFiles, image: int) -> bool:
    """Whether the image, as one of the grid's methods restored it, is still there (not all need have been kept), and
    its own files are those that were scored."""
    there = any(_restored_file(results, grid, line, image).is_file() for line in range(len(grid.lines)))
    return there and not scored.changed(grid.dataset.test[image])


def _restored_file(results: Results, grid: ScoreGrid, line: int, image: int) -> Path:
    """Where the image lies as the line's method restored it, trained with its first seed."""
    first = next(scores for scores in grid.seed_values if scores.line == line)
    method, name = grid.lines[line].method.name, grid.dataset.test[image].image
    return results.restored(method, first.trained_on, first.seed, grid.dataset.name, name)


def _plate(results: Results, grids: Mapping[str, ScoreGrid], choice: Choice) -> Plate | None:
    """None where the dataset's files, or all restored images, are gone or of another size."""
    grid = next(iter(grids.values()))
    pair = grid.dataset.test[choice.image]
    rainy, clean = None if pair.rainy is None else _read(pair.rainy), _read(pair.clean)
    if rainy is None or clean is None:
        return None
    restored: dict[int, Image] = {}
    labels: dict[int, str] = {}
    seeds_shown: dict[int, int] = {}
    for line, entry in enumerate(grid.lines):
        first, *more = [scores for scores in grid.seed_values if scores.line == line]
        image = _read(_restored_file(results, grid, line, choice.image))
        labels[line] = entry.full_label + (f", seed {first.seed}" if more else "")
        seeds_shown[line] = first.seed
        if image is not None and image.shape == clean.shape and entry.method.base != UNPROCESSED:
            restored[line] = image
    if not restored or rainy.shape != clean.shape:
        return None
    place = window(list(restored.values()), clean)
    input_line = next((n for n, entry in enumerate(grid.lines) if entry.method.base == UNPROCESSED), None)
    scores = {line: _scores(grids, choice.image, entry, seeds_shown[line]) for line, entry in enumerate(grid.lines)}
    pieces = [_piece("Rainy input", rainy, clean, place, {} if input_line is None else scores[input_line])]
    pieces += [_piece(labels[line], image, clean, place, scores[line]) for line, image in restored.items()]
    pieces.append(Piece("Ground truth", _uri(place.cut(clean), WINDOW_QUALITY), "", {}))
    height, width = clean.shape[:2]
    return Plate(
        pair.image,
        choice.rule,
        _uri(rainy, WHOLE_QUALITY, WHOLE_SIDE),
        width,
        height,
        100 * place.left / width,
        100 * place.top / height,
        100 * place.side / width,
        100 * place.side / height,
        place.side,
        tuple(pieces),
    )


def _piece(label: str, image: Image, clean: Image, place: Window, scores: Mapping[str, str]) -> Piece:
    cut, truth = place.cut(image), place.cut(clean)
    errors = _uri(error_map(cut, truth, BRIGHTEST), WINDOW_QUALITY)
    return Piece(label, _uri(cut, WINDOW_QUALITY), errors, scores)


def _scores(grids: Mapping[str, ScoreGrid], image: int, entry: Entry, seed: int) -> dict[str, str]:
    """By protocol, where that seed has scores."""
    lines = {}
    for protocol, grid in grids.items():
        for scores in grid.seed_values:
            if scores.seed == seed and grid.lines[scores.line].full_name == entry.full_name:
                values = {metric: float(scores.values(metric)[image]) for metric in METRICS}
                lines[protocol] = in_words(values)
    return lines


def _read(source: Source) -> Image | None:
    try:
        return read_rgb(source)
    except UserError:
        return None


def _uri(image: Image, quality: int, longest: int | None = None) -> str:
    copy = Pillow.fromarray(image)
    if longest is not None:
        copy.thumbnail((longest, longest), Pillow.Resampling.LANCZOS)
    file = io.BytesIO()
    copy.save(file, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")
