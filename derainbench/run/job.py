"""A cell in words and paths, from which another process makes it again: no object of a plugin's travels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from derainbench.catalogue.locate import Dataset
from derainbench.engine.curves import Logger
from derainbench.engine.kept_images import Kept
from derainbench.errors import UserError
from derainbench.metrics.protocol import Protocol
from derainbench.metrics.protocols import learn, own_of
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import Registry
from derainbench.restored.row import Row
from derainbench.run.cells import Cell, EvalCell, ImagesCell, TrainCell, key_of


class Aside(NamedTuple):
    """What changes no result: how many processes load training data (None: as many as suit the device), to what a
    training tells its curves, and which restored images are kept."""

    workers: int | None = None
    logger: Logger = "none"
    images: Kept = "all"


@dataclass(frozen=True)
class Words:
    """Where a run lies and what its names mean: as typed, but for ``folder``, the run's."""

    folder: Path
    data_root: Path | None = None
    plugin: tuple[Path, ...] = ()
    card: tuple[Path, ...] = ()
    aside: Aside = field(default_factory=Aside)

    def absolute(self) -> Words:
        """The same, for processes in other folders than this one's."""
        return replace(
            self,
            folder=self.folder.absolute(),
            data_root=self.data_root and self.data_root.absolute(),
            plugin=tuple(path.absolute() for path in self.plugin),
            card=tuple(path.absolute() for path in self.card),
        )


@dataclass(frozen=True)
class Job:
    """A training, with its ``recipe``, or an evaluation, under ``protocols`` and by ``metrics`` beside them, and of a
    ``training`` if it has one; or of the restored images of a ``row``.

    ``own_protocols`` are the definitions of those that are a user's own, which another process does not know.
    ``key`` is the cell's when it was planned: whoever makes it again must come to the same.
    """

    key: str
    variant: str
    dataset: str
    seed: int
    precision: str
    recipe: Mapping[str, Any] | None = None
    protocols: tuple[str, ...] = ()
    own_protocols: tuple[Mapping[str, Any], ...] = ()
    tile: int | None = None
    compiled: bool = False
    training: Job | None = None
    row: Row | None = None
    metrics: tuple[str, ...] = ()


def job_of(cell: Cell) -> Job:
    """The cell in words."""
    measured = () if isinstance(cell, TrainCell) else cell.protocols
    metrics = () if isinstance(cell, TrainCell) else tuple(each.name for each in cell.metrics)
    own = tuple(each.model_dump(mode="json") for each in own_of(measured))
    if isinstance(cell, ImagesCell):
        row = replace(cell.row, folder=cell.row.folder.absolute())
        words = (key_of(cell), row.name, cell.dataset.name, cell.seed, "fp32")
        return Job(*words, protocols=measured, own_protocols=own, row=row, metrics=metrics)
    common = (key_of(cell), cell.variant.name, cell.dataset.name, cell.seed, cell.precision)
    if isinstance(cell, TrainCell):
        return Job(*common, recipe=cell.recipe.model_dump(mode="json"), compiled=cell.compiled)
    training = None if cell.training is None else job_of(cell.training)
    return Job(*common, protocols=measured, own_protocols=own, tile=cell.tile, training=training, metrics=metrics)


def cell_of(job: Job, registry: Registry, find: Callable[[str], Dataset | None]) -> Cell:
    """The cell that the words mean here. :class:`UserError` where it is not the one that was planned."""
    dataset = find(job.dataset)
    if dataset is None:
        raise UserError(f"{job.dataset} is not here, where the cell is to be done; give --data-root a folder that is")
    for definition in job.own_protocols:
        learn(Protocol.model_validate(definition), "the plan")
    metrics = tuple(registry.metrics.get(name) for name in job.metrics)
    cell: Cell
    if job.row is not None:
        cell = ImagesCell(job.row, dataset, job.protocols, metrics)
    elif job.recipe is not None:
        variant = registry.variant(job.variant)
        cell = TrainCell(variant, Recipe.model_validate(job.recipe), dataset, job.seed, job.precision, job.compiled)
    else:
        training = None if job.training is None else cell_of(job.training, registry, find)
        assert training is None or isinstance(training, TrainCell)
        variant = registry.variant(job.variant)
        cell = EvalCell(variant, training, dataset, job.seed, job.precision, job.protocols, job.tile, metrics)
    if key_of(cell) != job.key:
        raise UserError(
            f"{cell.name} is not what was planned: the method's code, its weights, a metric or the data changed "
            "meanwhile; run the same command again"
        )
    return cell
