"""What a run is asked for: variants, datasets and seeds under one recipe, and the cells which that makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from derainbench.cells import Cell, EvalCell, TrainCell
from derainbench.locate import Dataset
from derainbench.recipes import RecipeBook
from derainbench.variant import Variant


@dataclass(frozen=True)
class Grid:
    """``cross`` tests every training on every dataset; otherwise each is tested on the one it was trained on."""

    variants: Sequence[Variant]
    datasets: Sequence[Dataset]
    book: RecipeBook
    seeds: Sequence[int]
    protocols: Sequence[str]
    precision: str
    cross: bool = False

    def cells(self) -> list[Cell]:
        """Every cell, each training before the evaluations that need it. :class:`UserError` where a recipe is wrong.

        A variant that does not train is evaluated once, whatever the seeds.
        """
        cells: list[Cell] = []
        for variant in self.variants:
            if not variant.trainable:
                cells += [self._evaluation(variant, None, test, 0) for test in self.datasets]
                continue
            recipe = self.book.recipe(variant.method)
            for dataset in self.datasets:
                for seed in self.seeds:
                    training = TrainCell(variant, recipe, dataset, seed, self.precision)
                    tests = self.datasets if self.cross else [dataset]
                    cells += [training, *(self._evaluation(variant, training, test, seed) for test in tests)]
        return cells

    def _evaluation(self, variant: Variant, training: TrainCell | None, test: Dataset, seed: int) -> EvalCell:
        return EvalCell(variant, training, test, seed, self.precision, tuple(self.protocols))
