"""The cells that a suite needs, shared ones once, whether or not their datasets are on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from derainbench.catalogue.cards import Card, SplitName
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.union import NO_LAYOUT
from derainbench.errors import UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.recipe_book import RecipeBook
from derainbench.plugins.variant import Variant
from derainbench.results.run_info import SuiteInfo, SuiteRowInfo
from derainbench.run.cells import Cell, EvalCell, TrainCell
from derainbench.run.suite import Measurement
from derainbench.run.wanted import Suite


class NotHere(Dataset):
    """A card whose files are not on this machine: a plan may name it, and no more."""

    def __init__(self, card: Card) -> None:
        super().__init__(card, Path(), card.layouts[0] if card.layouts else NO_LAYOUT)

    def has(self, split: SplitName) -> bool:
        """Never."""
        return False


@dataclass(frozen=True)
class SuiteGrid:
    """A suite's measurements under one recipe: what :class:`.grid.Grid` is to methods and datasets.

    ``found`` has a dataset for each name that the measurements use, :class:`NotHere` where there are no files.
    """

    suite: Suite
    measurements: Sequence[Measurement]
    found: Mapping[str, Dataset]
    book: RecipeBook
    seeds: Sequence[int]
    protocols: Sequence[str]
    precision: str
    tile: int | None = None
    compiled: bool = False
    metrics: Sequence[ImageMetric] = ()

    @property
    def variants(self) -> list[Variant]:
        """Each variant once, in the suite's order."""
        return list({m.variant.name: m.variant for m in self.measurements}.values())

    @property
    def image_rows(self) -> tuple[()]:
        """None: a table asks for methods, not for images that somebody has."""
        return ()

    @property
    def datasets(self) -> list[Dataset]:
        """Each dataset that is tested on, once, in the suite's order."""
        return [self.found[name] for name in dict.fromkeys(m.tested_on for m in self.measurements)]

    @property
    def tested_on(self) -> list[Dataset]:
        """The same."""
        return self.datasets

    def cells(self) -> list[Cell]:
        """Every cell once, each training before the evaluations that need it.

        :class:`UserError` where two rows want one training under different recipes.
        """
        return [cell for cell, _ in self._planned.values()]

    def rows(self, cell: Cell) -> list[Measurement]:
        """What a cell is for."""
        return [m for m in self._planned[cell.name][1] if m.wanted is not None]

    def changes(self) -> list[dict[str, Any]]:
        """What differs from what the papers did to fill these rows, each difference once; the suite's own first."""
        found = [dict(departure) for m in self.measurements for departure in m.departures]
        for m in self.measurements:
            if m.variant.trainable:
                found += self.book.changes(m.variant.method, m.published)
        return [change for n, change in enumerate(found) if change not in found[:n]]

    def row_recipe(self, cell: TrainCell) -> Mapping[str, Any]:
        """The fields in which a cell's published recipe is not its method's own."""
        wanted = self._planned[cell.name][1][0].wanted
        return wanted.recipe if wanted is not None else {}

    def description(self) -> SuiteInfo:
        """``run.json``'s entry: which method and datasets fill which place of which table."""
        rows = [
            SuiteRowInfo(
                table=m.wanted.table,
                row=m.wanted.row,
                column=m.wanted.column,
                method=m.variant.name,
                trained_on=cell.trained_on,
                dataset=m.tested_on,
            )
            for cell, needed_by in self._planned.values()
            for m in needed_by
            if isinstance(cell, EvalCell) and cell.seed == self._first_seed(m) and m.wanted is not None
        ]
        return SuiteInfo(name=self.suite.name, rows=tuple(rows))

    def _first_seed(self, measurement: Measurement) -> int:
        return self.seeds[0] if measurement.variant.trainable else 0

    @cached_property
    def _planned(self) -> dict[str, tuple[Cell, list[Measurement]]]:
        planned: dict[str, tuple[Cell, list[Measurement]]] = {}
        for measurement in self.measurements:
            for cell in self._cells_of(measurement):
                before, needed_by = planned.setdefault(cell.name, (cell, []))
                if isinstance(cell, TrainCell) and isinstance(before, TrainCell) and before.recipe != cell.recipe:
                    raise self._disagreement(needed_by[0], measurement)
                needed_by.append(measurement)
        return planned

    def _cells_of(self, m: Measurement) -> Iterator[Cell]:
        tested, protocols = self.found[m.tested_on], tuple(self.protocols)
        if m.trained_on is None:
            yield EvalCell(m.variant, None, tested, 0, self.precision, protocols, self.tile, tuple(self.metrics))
            return
        recipe = self.book.recipe(m.variant.method, m.published)
        for seed in self.seeds:
            training = TrainCell(m.variant, recipe, self.found[m.trained_on], seed, self.precision, self.compiled)
            yield training
            yield EvalCell(m.variant, training, tested, seed, self.precision, protocols, self.tile, tuple(self.metrics))

    def _disagreement(self, first: Measurement, second: Measurement) -> UserError:
        recipes = [self.book.recipe(m.variant.method, m.published) for m in (first, second)]
        fields = [name for name in Recipe.model_fields if len({repr(getattr(r, name)) for r in recipes}) > 1]
        wanted = " and ".join(
            f"{m.wanted.place if m.wanted else m.variant.name} "
            f"({', '.join(f'{name} {getattr(recipe, name)}' for name in fields)})"
            for m, recipe in zip((first, second), recipes, strict=True)
        )
        return UserError(
            f"suite {self.suite.name!r}: two rows want {first.variant.name} trained on {first.trained_on} in different "
            f"ways: {wanted}; make two suites and two run folders of them, then: derainbench report A B"
        )


def found_datasets(
    used: Sequence[Measurement], cards: Mapping[str, Card], find: Callable[[str], Dataset | None]
) -> dict[str, Dataset]:
    """The datasets of the measurements by name. :class:`UserError` for a name that no card has."""
    names = dict.fromkeys(name for measurement in used for name in _datasets(measurement))
    for name in names:
        if name not in cards:
            raise UserError(f"no dataset is called {name!r}; give its card with --card")
    return {name: find(name) or NotHere(cards[name]) for name in names}


def _datasets(measurement: Measurement) -> list[str]:
    return [name for name in (measurement.trained_on, measurement.tested_on) if name is not None]
