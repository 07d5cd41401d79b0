"""What a run is asked for: variants, datasets and seeds under one recipe, and the cells which that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from derainbench.catalogue.locate import Dataset
from derainbench.errors import UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.recipe_book import RecipeBook
from derainbench.plugins.variant import Variant
from derainbench.restored.row import Row
from derainbench.run.cells import Cell, EvalCell, ImagesCell, TrainCell


class Plan(Protocol):
    """What a run is asked for, however it was asked: :class:`Grid`, or a suite's :class:`.suite_grid.SuiteGrid`."""

    @property
    def variants(self) -> Sequence[Variant]: ...
    @property
    def image_rows(self) -> Sequence[Row]: ...
    @property
    def datasets(self) -> Sequence[Dataset]: ...
    @property
    def tested_on(self) -> Sequence[Dataset]: ...
    @property
    def book(self) -> RecipeBook: ...
    @property
    def seeds(self) -> Sequence[int]: ...
    @property
    def protocols(self) -> Sequence[str]: ...
    @property
    def metrics(self) -> Sequence[ImageMetric]: ...
    @property
    def precision(self) -> str: ...

    def cells(self) -> list[Cell]:
        """Every cell, each training before the evaluations that need it. :class:`UserError` where that cannot be."""

    def changes(self) -> list[dict[str, Any]]:
        """What differs from what was published, as :meth:`.recipe_book.RecipeBook.changes` says it."""

    def row_recipe(self, cell: TrainCell) -> Mapping[str, Any]:
        """The fields in which the published recipe of a cell is not its method's own."""


@dataclass(frozen=True)
class Grid:
    """``cross`` tests every training on every dataset; otherwise each is tested on the one it was trained on.

    ``image_rows`` are restored images in folders, scored beside what the variants restore.
    ``metrics`` are measured beside those of the protocols.
    ``tile`` is the side of tiles in evaluations, 0 for never, None to decide by image. ``compiled`` is
    said of trainings.
    """

    variants: Sequence[Variant]
    datasets: Sequence[Dataset]
    book: RecipeBook
    seeds: Sequence[int]
    protocols: Sequence[str]
    precision: str
    cross: bool = False
    tile: int | None = None
    compiled: bool = False
    image_rows: Sequence[Row] = ()
    metrics: Sequence[ImageMetric] = ()

    def cells(self) -> list[Cell]:
        """Every cell, each training before the evaluations that need it. :class:`UserError` where a recipe is wrong.

        A variant that does not train is evaluated once, whatever the seeds. What is trained on a union is tested on its
        members. A dataset without training images is only tested on, one without test images only trained on;
        :class:`UserError` where that leaves a variant untrained or untested.
        """
        cells: list[Cell] = []
        trained_on = [dataset for dataset in self.datasets if dataset.has("train")]
        tested_on = self.tested_on
        for dataset in self.datasets:
            if not _tests(dataset) and not (self.cross and tested_on):
                raise UserError(
                    f"dataset {dataset.name!r} has no test images in {dataset.root} (layout {dataset.layout.name!r}); "
                    "add them, or a dataset to test on and --cross, or leave the dataset out"
                )
        for variant in self.variants:
            if not variant.trainable:
                cells += [self._evaluation(variant, None, test, 0) for test in tested_on]
                continue
            if len(trained_on) < len(self.datasets) and not (self.cross and trained_on):
                (tested, *_) = [dataset.name for dataset in self.datasets if dataset not in trained_on]
                raise UserError(
                    f"{variant.name} cannot be trained on {tested!r}, which has test images only; "
                    "add a dataset to train on and --cross, or use published weights as in NAME@TAG"
                )
            for dataset in trained_on:
                recipe = self.book.recipe(variant.method, variant.method.published_recipe(dataset.name))
                for seed in self.seeds:
                    training = TrainCell(variant, recipe, dataset, seed, self.precision, self.compiled)
                    tests = tested_on if self.cross else _tests(dataset)
                    cells += [training, *(self._evaluation(variant, training, test, seed) for test in tests)]
        cells += [
            ImagesCell(row, test, tuple(self.protocols), tuple(self.metrics))
            for row in self.image_rows
            for test in tested_on
        ]
        return cells

    @property
    def tested_on(self) -> list[Dataset]:
        """Each dataset that is tested on, once: those with test images, of unions the members with some."""
        return list({test.name: test for dataset in self.datasets for test in _tests(dataset)}.values())

    def changes(self) -> list[dict[str, Any]]:
        """What differs from the published recipes of the methods that train."""
        methods = {variant.method.name: variant.method for variant in self.variants if variant.trainable}
        trained_on = [dataset.name for dataset in self.datasets if dataset.has("train")]
        found = [
            change
            for method in methods.values()
            for published in dict.fromkeys(method.published_recipe(name) for name in trained_on)
            for change in self.book.changes(method, published)
        ]
        return [change for n, change in enumerate(found) if change not in found[:n]]

    def row_recipe(self, cell: TrainCell) -> Mapping[str, Any]:
        """None: each method is trained as its own paper says."""
        return {}

    def _evaluation(self, variant: Variant, training: TrainCell | None, test: Dataset, seed: int) -> EvalCell:
        return EvalCell(
            variant, training, test, seed, self.precision, tuple(self.protocols), self.tile, tuple(self.metrics)
        )


def _tests(dataset: Dataset) -> list[Dataset]:
    """The datasets whose tests are a dataset's: itself, or the members of a union."""
    return [part for part in dataset.parts if part.has("test")]
