"""One optimisation step after another: the loss, its gradient, one optimiser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from derainbench.engine.device import fastest_layout, laid_out, lay_out
from derainbench.engine.learning_rate import learning_rate
from derainbench.errors import UserError
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch, Derainer
from derainbench.plugins.perceptual import VGG16Features, load_features
from derainbench.plugins.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer

_OPTIMISERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "radam": torch.optim.RAdam,
    "sgd": torch.optim.SGD,
}

#: In fp16 a gradient that is not finite is taken for too large as long as the loss is multiplied by more than this.
SMALLEST_SCALE = 1.0


class Trainer:
    """Minimises ``network.training_loss`` with one optimiser, as the recipe says.

    A method that needs more (a GAN's two optimisers, a classifier trained first) brings a subclass, or a class with
    the same four methods; the loop around it does not change. A subclass may say otherwise what the :meth:`rate` of a
    step is, and :meth:`descend` on several losses.

    ``features`` are those of the recipe's ``perceptual``, or None. This class has no use for them, nor for a recipe's
    ``pretrained`` and ``adversarial``; a subclass says which of these it ``heeds``.
    """

    heeds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None:
        self.fabric, self.recipe, self.steps = fabric, recipe, steps
        from derainbench.engine.mixed_precision import MixedPrecision  # loads Fabric, which lists do without

        self.loss = get_loss(recipe.loss, network.own_losses)
        for unheeded in sorted(recipe.asks - self.heeds):
            raise UserError(f"{type(self).__name__} has no use for the recipe's {unheeded}; leave it out")
        self.features = self._load_features(recipe)
        lay_out(network, fastest_layout(fabric, training=True))
        precision = fabric.strategy.precision
        if isinstance(precision, MixedPrecision):
            precision.begin_anew()
        if fabric.world_size > 1:
            from derainbench.engine.shared_statistics import share_statistics

            share_statistics(network)
        self.network, self.optimiser = fabric.setup(network, self.make_optimiser(network, recipe))
        self.network.mark_forward_method("training_loss")

    def make_optimiser(self, network: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        """The recipe's; one whose groups of parameters learn at other rates names their ``lr_scale``."""
        return make_optimiser(network, recipe)

    def step(self, step: int, batch: Batch) -> Tensor:
        """One step, 0 to ``steps - 1``: returns the loss, detached, or what is not finite in its place: a gradient's
        norm. Nothing is read from the device, so that it need not wait for this process; fp16's scaler reads once."""
        # Fabric calls this method in its precision only where it wraps the network, as for several devices.
        with self.fabric.autocast():
            rainy = laid_out(batch.rainy, self.network)
            loss: Tensor = self.network.training_loss(batch._replace(rainy=rainy), self.loss)
        return self.descend(loss, self.network, self.optimiser, self.rate(step))

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return learning_rate(self.recipe, step, self.steps)

    def descend(self, loss: Tensor, network: _FabricModule, optimiser: _FabricOptimizer, rate: float) -> Tensor:
        """One step of an optimiser down the gradient of a loss. Returns what :meth:`step` does."""
        for group in optimiser.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        self.fabric.backward(loss)
        largest = self.recipe.clip if self.recipe.clip is not None else math.inf
        norm = self.fabric.clip_gradients(network, optimiser, max_norm=largest, error_if_nonfinite=False)
        told = loss.detach()
        if norm is not None:  # a finite loss can have a gradient that is not, such as that of a square root at 0
            told = torch.where(self._is_lost(norm), norm, told)
        if self.fabric.world_size > 1:  # each has the loss of its own rows: of the batch it is the mean
            mean = self.fabric.all_reduce(told, reduce_op="mean")
            assert isinstance(mean, Tensor)
            told = mean
        optimiser.step()  # in fp16 one whose gradient is not finite halves the scale, and no more
        optimiser.zero_grad(set_to_none=True)
        return told

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        scaler = self.fabric.strategy.precision.state_dict()
        return {**state, "scaler": scaler} if scaler else state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if "scaler" in state:
            self.fabric.strategy.precision.load_state_dict(state["scaler"])

    def _load_features(self, recipe: Recipe) -> VGG16Features | None:
        if recipe.perceptual == "none":
            return None
        features = load_features().to(self.fabric.device)
        lay_out(features, fastest_layout(self.fabric))
        return features

    def _is_lost(self, norm: Tensor) -> Tensor:
        """Whether a gradient of that norm ends the training. Not where fp16 may yet multiply the loss by less, and have
        one that it can hold."""
        lost, scaler = ~torch.isfinite(norm), getattr(self.fabric.strategy.precision, "scaler", None)
        if scaler is None:
            return lost
        scale: Tensor = scaler.scale(torch.ones((), device=norm.device))
        return lost & (scale <= SMALLEST_SCALE)


def make_optimiser(network: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over the parameters that take a gradient."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    settings: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimiser == "sgd":
        settings["momentum"] = recipe.betas[0]
    else:
        settings |= {"betas": recipe.betas, "eps": recipe.eps}
    return _OPTIMISERS[recipe.optimiser](parameters, **settings)
