"""The units of a run: one training, or one evaluation of a network or of images, each with all that it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from derainbench.catalogue.locate import Dataset
from derainbench.engine.layers import Found, find_layers
from derainbench.metrics.image_metric import ImageMetric
from derainbench.metrics.protocols import PROTOCOLS, version_of
from derainbench.plugins.initial_weights import initial_weights
from derainbench.plugins.metric_registry import identity
from derainbench.plugins.names import UNTRAINED
from derainbench.plugins.perceptual import features_hash
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant
from derainbench.restored.images import RestoredImages, find_images
from derainbench.restored.row import Row
from derainbench.results.results import HARNESS_REVISION
from derainbench.support.data_hash import data_hash
from derainbench.support.run_folder import evaluation_place, training_place

#: Recipe fields that change how often a training is looked at, not what comes out of it.
NOT_IN_RESULT = frozenset({"validate_every", "checkpoint_every"})


def in_result(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe its result depends on, as plain data."""
    # What came later is named only where it is said, so that the keys of all other trainings stay what they were.
    return recipe.model_dump(mode="json", exclude={*NOT_IN_RESULT, *recipe.unsaid})


@dataclass(frozen=True)
class TrainCell:
    """Train a variant on a dataset's training split; ``compiled``: by :mod:`.engine.compiled`."""

    variant: Variant
    recipe: Recipe
    dataset: Dataset
    seed: int
    precision: str
    compiled: bool = False

    @property
    def method(self) -> str:
        """The canonical name of what is trained."""
        return self.variant.name

    @cached_property
    def name(self) -> str:
        """Where it lies, relative to the run folder."""
        return training_place(self.variant.name, self.dataset.name, self.seed)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """All that the weights depend on, as plain data."""
        inputs = {
            "harness": HARNESS_REVISION,
            "method": self.variant.name,
            "source": self.variant.source_digest(),
            "recipe": in_result(self.recipe),
            "data": self.dataset.digest("train"),
            "precision": self.precision,
            "seed": self.seed,
        }
        # Named only where it is so, so that the keys of all other trainings stay what they were.
        if self.layers:
            inputs["layers"] = {name: found.origin for name, found in self.layers.items()}
        if self.recipe.needs_vgg16:
            inputs["features"] = features_hash()
        if self.initial is not None and self.initial.weights is not None:
            inputs["initial"] = self.initial.weights.sha256
        return {**inputs, "compiled": True} if self.compiled else inputs

    @cached_property
    def initial(self) -> Variant | None:
        """The weights from which it starts; :class:`UserError` where the recipe names some that are not its own."""
        return initial_weights(self.variant, self.recipe)

    @cached_property
    def layers(self) -> dict[str, Found]:
        """What the network needs beside the images, and where it is from; :class:`UserError` where from nowhere."""
        return find_layers(self.variant.skeleton().needed_layers, self.dataset)


@dataclass(frozen=True)
class EvalCell:
    """Score a variant, trained by ``training`` if it trains at all, on a dataset's test split.

    ``tile`` is what was asked for: a side in pixels, 0 for never, None to decide by image (:mod:`.restore`).
    """

    variant: Variant
    training: TrainCell | None
    dataset: Dataset
    seed: int
    precision: str
    protocols: tuple[str, ...]
    tile: int | None = None
    metrics: tuple[ImageMetric, ...] = ()

    @property
    def method(self) -> str:
        """The canonical name of what is scored."""
        return self.variant.name

    @property
    def trained_on(self) -> str:
        """The dataset whose training split the weights saw, or ``untrained``."""
        if self.training is not None:
            return self.training.dataset.name
        return self.variant.weights.trained_on if self.variant.weights else UNTRAINED

    @cached_property
    def name(self) -> str:
        """Where it lies, relative to the run folder."""
        return evaluation_place(self.variant.name, self.trained_on, self.seed, self.dataset.name)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """All that the scores depend on, as plain data."""
        inputs = {
            "harness": HARNESS_REVISION,
            "method": self.variant.name,
            "source": self.variant.source_digest(),
            "training": key_of(self.training) if self.training else None,
            "weights": self.variant.weights.sha256 if self.variant.weights else None,
            "data": self.dataset.digest("test"),
            "protocols": {name: version_of(PROTOCOLS[name]) for name in self.protocols},
            "precision": self.precision,
        }
        # Named only where they change a score, so that the keys of all other cells stay what they were.
        if self.variant.quantisation != "round":
            inputs["quantisation"] = self.variant.quantisation
        if self.tile and self.variant.skeleton().reach is None:
            inputs["tile"] = self.tile
        return {**inputs, **_measured_beside(self.metrics)}


@dataclass(frozen=True)
class ImagesCell:
    """Score restored images that lie in a folder on a dataset's test split: nothing is trained, nothing is restored."""

    row: Row
    dataset: Dataset
    protocols: tuple[str, ...]
    metrics: tuple[ImageMetric, ...] = ()
    #: Nothing is drawn.
    seed: int = 0

    @property
    def method(self) -> str:
        """The name of the row."""
        return self.row.name

    @property
    def trained_on(self) -> str:
        """What the row's user says that its maker was trained on, or ``unknown``."""
        return self.row.trained_on

    @cached_property
    def name(self) -> str:
        """Where it lies, relative to the run folder."""
        return evaluation_place(self.row.name, self.trained_on, self.seed, self.dataset.name)

    @cached_property
    def images(self) -> RestoredImages:
        """The files, each hashed. :class:`UserError` where they do not pair, or are not of the pairs' size."""
        return find_images(self.row, self.dataset)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """All that the scores depend on, as plain data; errors as in :attr:`images`."""
        return {
            "harness": HARNESS_REVISION,
            "method": self.row.name,
            "images": self.images.digest,
            "data": self.dataset.digest("test"),
            "protocols": {name: version_of(PROTOCOLS[name]) for name in self.protocols},
            **_measured_beside(self.metrics),
        }


def _measured_beside(metrics: Sequence[ImageMetric]) -> dict[str, Any]:
    """What an evaluation depends on where metrics beside PSNR and SSIM are asked for; keys of all others stay."""
    return {"metrics": {metric.name: identity(metric) for metric in metrics}} if metrics else {}


Cell = TrainCell | EvalCell | ImagesCell


def key_of(cell: Cell) -> str:
    """Hash of everything the cell's result depends on."""
    return data_hash(cell.inputs)
