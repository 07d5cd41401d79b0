"""The drill-down of one dataset as plain data: scores of every image, and which pictures of it can be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from derainbench.results import DatasetInRun, Results

from .entries import Entry, entries, failed_seeds, seeds
from .pictures import Pictures
from .table import (
    FAILED,
    METRICS,
    MISSING,
    Cell,
    Metric,
    pooled,
    printed,
    protocol_title,
    protocols,
    ranked,
)

#: The method whose scores are those of the unprocessed input.
UNPROCESSED = "identity"


@dataclass(frozen=True)
class ImageRow:
    """An image and its cells: for each entry PSNR, then SSIM; ranked among the methods of this image."""

    image: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ImageTable:
    """All images of a dataset under one protocol; ``lines`` are the methods across."""

    protocol: str
    title: str
    lines: tuple[Entry, ...]
    rows: tuple[ImageRow, ...]


@dataclass(frozen=True)
class Viewer:
    """What the before/after slider of a dataset can show.

    ``pictures[image][version]`` numbers a picture of the pool or is None where none was kept;
    ``scores[protocol][image][version]`` is a printed line, empty where there is no score.
    """

    versions: tuple[str, ...]
    images: tuple[str, ...]
    pictures: tuple[tuple[int | None, ...], ...]
    scores: dict[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class Gallery:
    """A dataset's section of the report."""

    dataset: DatasetInRun
    tables: tuple[ImageTable, ...]
    viewer: Viewer

    @property
    def size(self) -> int:
        """The number of test images."""
        return len(self.dataset.test)


def gallery(results: Results, dataset: DatasetInRun, pictures: Pictures) -> Gallery:
    """Scores and pictures of ``dataset``; the pictures are added to the pool ``pictures``."""
    scores = results.scores[results.scores["dataset"] == dataset.name]
    # a model tested on its own training set stands in the method's own row already
    lines = tuple(entry for entry in entries(results) if entry.trained_on != dataset.name)
    tables = tuple(_image_table(results, dataset, scores, lines, name) for name in protocols(results))
    return Gallery(dataset, tables, _viewer(results, dataset, scores, lines, pictures))


def _image_table(
    results: Results, dataset: DatasetInRun, scores: pd.DataFrame, lines: tuple[Entry, ...], protocol: str
) -> ImageTable:
    found = _by_image(scores[scores["protocol"] == protocol], lines, dataset.name)
    absent = [
        Cell("failed", math.nan, FAILED)
        if failed_seeds(results, entry, dataset.name)
        else Cell("missing", math.nan, MISSING)
        for entry in lines
    ]
    rows = []
    for pair in dataset.test:
        by_metric = {}
        for metric in METRICS:
            cells = [
                _pooled_image(values, metric) if (values := found.get((number, pair.image))) else absent[number]
                for number in range(len(lines))
            ]
            by_metric[metric] = ranked(cells)
        row = tuple(by_metric[metric][number] for number in range(len(lines)) for metric in METRICS)
        rows.append(ImageRow(pair.image, row))
    return ImageTable(protocol, protocol_title(protocol), lines, tuple(rows))


def _by_image(
    scores: pd.DataFrame, lines: tuple[Entry, ...], dataset: str
) -> dict[tuple[int, str], list[tuple[int, dict[Metric, float]]]]:
    """For each line's number and image: every seed with its scores."""
    where = {(entry.method.name, source): n for n, entry in enumerate(lines) for source in entry.sources(dataset)}
    found: dict[tuple[int, str], list[tuple[int, dict[Metric, float]]]] = {}
    columns = ["method", "trained_on", "seed", "image", *METRICS]
    for method, trained_on, seed, image, psnr, ssim in scores[columns].itertuples(index=False):
        number = where.get((method, trained_on))
        if number is not None:
            found.setdefault((number, image), []).append((int(seed), {"psnr": float(psnr), "ssim": float(ssim)}))
    return found


def _pooled_image(values: list[tuple[int, dict[Metric, float]]], metric: Metric) -> Cell:
    return pooled([score[metric] for _, score in values], metric)


def _viewer(
    results: Results, dataset: DatasetInRun, scores: pd.DataFrame, lines: tuple[Entry, ...], pictures: Pictures
) -> Viewer:
    drawn = [
        (entry, source, seed)
        for entry in lines
        for source in entry.sources(dataset.name)
        for seed in seeds(results)
        if _has_scores(scores, entry, source, seed)
    ]
    several = len({seed for _, _, seed in drawn}) > 1
    names = [entry.full_label + (f", seed {seed}" if several else "") for entry, _, seed in drawn]
    shown = []
    for pair in dataset.test:
        restored = [
            results.restored(entry.method.name, source, seed, dataset.name, pair.image) for entry, source, seed in drawn
        ]
        shown.append(tuple(pictures.add(path) for path in (pair.rainy, *restored, pair.clean)))
    printed_scores = {}
    for protocol in protocols(results):
        lookup = _printed_scores(scores[scores["protocol"] == protocol])
        rainy = next((key for key in lookup if key[0] == UNPROCESSED), None)
        printed_scores[protocol] = tuple(
            (
                lookup.get((*rainy[:3], pair.image), "") if rainy else "",
                *(lookup.get((entry.method.name, source, seed, pair.image), "") for entry, source, seed in drawn),
                "reference",
            )
            for pair in dataset.test
        )
    images = tuple(pair.image for pair in dataset.test)
    return Viewer(("Rainy input", *names, "Ground truth"), images, tuple(shown), printed_scores)


def _has_scores(scores: pd.DataFrame, entry: Entry, source: str, seed: int) -> bool:
    here = (scores["method"] == entry.method.name) & (scores["trained_on"] == source) & (scores["seed"] == seed)
    return bool(here.any())


def _printed_scores(scores: pd.DataFrame) -> dict[tuple[str, str, int, str], str]:
    """Method, training set, seed and image to a line such as ``32.10 dB · SSIM 0.9512``."""
    columns = ["method", "trained_on", "seed", "image", *METRICS]
    return {
        (method, trained_on, int(seed), image): f"{printed(psnr, 'psnr')} dB · SSIM {printed(ssim, 'ssim')}"
        for method, trained_on, seed, image, psnr, ssim in scores[columns].itertuples(index=False)
    }
