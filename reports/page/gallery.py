"""One dataset's part of the page as plain data: scores of every image, and which pictures of it can be compared."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from derainbench.images.decode import Source, file_of
from derainbench.metrics.kinds import METRICS
from derainbench.plugins.names import UNPROCESSED
from derainbench.results.results import DatasetInRun, Results
from derainbench.results.scored_files import ScoredFiles

from ..comparison.entries import Entry
from ..comparison.grids import ScoreGrid, SeedScores
from .compact import compact
from .drawing import figure_command, pixel_sizes
from .pictures import Pictures
from .qualitative import choose


@dataclass(frozen=True)
class Version:
    """What the slider can show of an image: ``line`` numbers its scores in the table, None for the ground truth.

    ``seed`` and ``trained_on`` say which of a method's outputs it is, None for the dataset's own pictures.
    """

    title: str
    line: int | None
    entry: Entry | None = None
    trained_on: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Gallery:
    """A dataset's section. ``lines`` are the rows of the comparison that are scored here, under any protocol.

    ``data`` is for the page's script: ``images``, ``scenes`` (None where each image is its own), ``lines`` (labels),
    ``scores[protocol][metric][line]`` (see :func:`.compact.compact`), ``viewer`` or None. ``illustrated`` is the number
    of images with pictures, ``left_out`` of those for which there was no room, ``exchanged`` of those that are other
    images now than those that were scored, whose pictures are not shown.
    """

    dataset: DatasetInRun
    lines: tuple[Entry, ...]
    data: dict[str, Any]
    illustrated: int
    left_out: int
    exchanged: int

    @property
    def size(self) -> int:
        """The number of test images."""
        return len(self.dataset.test)


def galleries(results: Results, grids: Mapping[tuple[str, str], ScoreGrid], pictures: Pictures) -> tuple[Gallery, ...]:
    """A section for each dataset; their pictures are added to the pool ``pictures``, whose room they share."""
    return tuple(
        _gallery(
            results,
            dataset,
            {protocol: grid for (name, protocol), grid in grids.items() if name == dataset.name},
            pictures,
            pictures.room / (len(results.datasets) - number),
        )
        for number, dataset in enumerate(results.datasets)
    )


def _gallery(
    results: Results, dataset: DatasetInRun, grids: Mapping[str, ScoreGrid], pictures: Pictures, room: float
) -> Gallery:
    lines = tuple({entry.full_name: entry for grid in grids.values() for entry in grid.lines}.values())
    where = {entry.full_name: number for number, entry in enumerate(lines)}
    images = [pair.image for pair in dataset.test]
    scenes = [pair.scene for pair in dataset.test]
    versions = _versions(lines, grids)
    order = _order(dataset, grids) if pictures.kept else []
    shown = _shown(results, dataset, order, versions, pictures, room)
    data = {
        "images": images,
        "scenes": None if scenes == images else scenes,
        "lines": [entry.full_label for entry in lines],
        "names": [entry.full_name for entry in lines],
        "scores": {protocol: _scores(grid, where) for protocol, grid in grids.items()},
        "viewer": _viewer(results, dataset, versions, shown.pictures, grids, pictures) if shown.pictures else None,
    }
    return Gallery(dataset, lines, data, len(shown.pictures), shown.left_out, shown.exchanged)


def _scores(grid: ScoreGrid, where: Mapping[str, int]) -> dict[str, list[Any]]:
    """For each metric a list for each line of the section; None for a line without scores under this protocol."""
    columns: dict[str, list[Any]] = {metric: [None] * len(where) for metric in METRICS}
    for number, entry in enumerate(grid.lines):
        for metric in METRICS:
            columns[metric][where[entry.full_name]] = compact(grid.values(metric)[:, number], metric)
    return columns


@dataclass
class _Shown:
    """The pictures of each shown image, one a version: numbers of the pool, None where there is none.

    ``left_out`` and ``exchanged`` count as in :class:`Gallery`.
    """

    pictures: dict[int, tuple[int | None, ...]] = field(default_factory=dict)
    left_out: int = 0
    exchanged: int = 0


def _shown(
    results: Results,
    dataset: DatasetInRun,
    order: list[int],
    versions: tuple[Version, ...],
    pictures: Pictures,
    room: float,
) -> _Shown:
    """The pictures of the images ``order`` until ``room`` is used."""
    shown, scored = _Shown(), ScoredFiles(dataset)
    least = max(0.0, pictures.room - room) if math.isfinite(room) else 0.0
    for tried, image in enumerate(order):
        if pictures.room <= least:
            shown.left_out = len(order) - tried
            break
        changed = scored.changed(dataset.test[image])
        shown.exchanged += bool(changed)
        numbers = _pictures(results, dataset, image, versions, changed, pictures)
        if any(number is not None for number in numbers):
            shown.pictures[image] = numbers
    return shown


def _viewer(
    results: Results,
    dataset: DatasetInRun,
    versions: tuple[Version, ...],
    shown: Mapping[int, tuple[int | None, ...]],
    grids: Mapping[str, ScoreGrid],
    pictures: Pictures,
) -> dict[str, Any]:
    """What the slider can show; maps show the difference from the version ``reference``, ``truth`` is never scored.

    ``pictures[image][version]`` numbers a picture of the pool; ``sizes[image]`` is the width and height of the image's
    first picture, so that the page knows its place before it is loaded; ``scores[protocol][version]`` is the number of
    a line whose scores are those of the picture, or scores of its own, or None. ``pixels`` are the sizes of the images
    themselves where copies are smaller, and ``figure`` is the command for windows of them.
    """
    sizes = [_first_size(shown[image], pictures) for image in sorted(shown)]
    prefix = f"{dataset.name}/" if len(results.datasets) > 1 else ""
    return {
        "versions": [version.title for version in versions],
        "start": _start(versions, grids),
        "reference": len(versions) - 1,
        "truth": len(versions) - 1,
        "shown": sorted(shown),
        "pictures": [shown[image] for image in sorted(shown)],
        "sizes": sizes,
        "pixels": pixel_sizes([dataset.test[image].clean for image in sorted(shown)], sizes),
        "figure": {"command": figure_command(results.folder), "prefix": prefix},
        "scores": {protocol: [_scores_of(version, grid) for version in versions] for protocol, grid in grids.items()},
    }


def _first_size(numbers: tuple[int | None, ...], pictures: Pictures) -> tuple[int, int]:
    return next(pictures.sizes[number] for number in numbers if number is not None)


def _versions(lines: tuple[Entry, ...], grids: Mapping[str, ScoreGrid]) -> tuple[Version, ...]:
    """The rainy input, of every method its first seed, and the ground truth."""
    rainy = Version("Rainy input", None)
    methods = []
    for number, entry in enumerate(lines):
        first, *more = _seeds(entry, grids)
        if entry.method.base == UNPROCESSED:
            rainy = Version("Rainy input", number, entry, first.trained_on, first.seed)
        else:
            title = entry.full_label + (f", seed {first.seed}" if more else "")
            methods.append(Version(title, number, entry, first.trained_on, first.seed))
    return (rainy, *methods, Version("Ground truth", None))


def _seeds(entry: Entry, grids: Mapping[str, ScoreGrid]) -> list[SeedScores]:
    """The line's seeds in the first grid that has it."""
    for grid in grids.values():
        seeds = _seeds_here(entry, grid)
        if seeds:
            return seeds
    raise AssertionError(f"{entry.full_name} has no scores, but a line")


def _seeds_here(entry: Entry, grid: ScoreGrid) -> list[SeedScores]:
    return [scores for scores in grid.seed_values if grid.lines[scores.line].full_name == entry.full_name]


def _scores_of(version: Version, grid: ScoreGrid) -> int | dict[str, list[Any]] | None:
    if version.entry is None or version.line is None:
        return None
    seeds = _seeds_here(version.entry, grid)
    one = next((scores for scores in seeds if scores.seed == version.seed), None)
    if one is None or len(seeds) == 1:
        return None if one is None else version.line
    return {metric: compact(one.values(metric), metric) for metric in METRICS}


def _order(dataset: DatasetInRun, grids: Mapping[str, ScoreGrid]) -> list[int]:
    """Where there is not room for all: first the images that the qualitative comparison would choose."""
    chosen = [choice.image for grid in list(grids.values())[:1] for choice in choose(grid)]
    return list(dict.fromkeys([*chosen, *range(len(dataset.test))]))


def _pictures(
    results: Results,
    dataset: DatasetInRun,
    image: int,
    versions: tuple[Version, ...],
    changed: Collection[Path],
    pictures: Pictures,
) -> tuple[int | None, ...]:
    """One of each version; none of the files ``changed``, which show another image than the one that was scored."""
    pair = dataset.test[image]

    def restored(version: Version) -> Path:
        assert version.entry is not None
        assert version.seed is not None
        return results.restored(version.entry.method.name, version.trained_on, version.seed, dataset.name, pair.image)

    def as_scored(source: Source) -> Source | None:
        return None if file_of(source) in changed else source

    sources = [*(restored(version) for version in versions[1:-1]), as_scored(pair.clean)]
    if pair.rainy is None:
        return (None, *pictures.add(sources))
    rainy, *others = pictures.add([as_scored(pair.rainy), *sources])
    if rainy is None and versions[0].entry is not None:  # the dataset has moved, but the run kept its copy
        (rainy,) = pictures.add([restored(versions[0])])
    return (rainy, *others)


def _start(versions: tuple[Version, ...], grids: Mapping[str, ScoreGrid]) -> tuple[int, int]:
    """Left the rainy input, right the best method by the mean of the leading metric; without one, the truth."""
    means: dict[str, float] = {}
    for grid in list(grids.values())[:1]:  # none where no evaluation finished
        means = dict(zip((line.full_name for line in grid.lines), grid.goodness().mean(axis=0).tolist(), strict=True))

    def mean(number: int) -> float:
        entry = versions[number].entry
        found = math.nan if entry is None else means.get(entry.full_name, math.nan)
        return -math.inf if math.isnan(found) else found

    return 0, max(range(1, len(versions) - 1), key=mean, default=1)
