"""The training loop: from a fresh network or the last checkpoint to the final weights of one cell."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import torch
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor

from derainbench.catalogue.pairing import Pair
from derainbench.engine.device import channels_last, lay_out
from derainbench.engine.patches import Patches, hold_out, rainy_statistics
from derainbench.engine.restore import restore
from derainbench.engine.training_batches import deaths_of_workers_told, training_batches
from derainbench.errors import UserError, one_line
from derainbench.images.decode import read_pair
from derainbench.images.tensors import to_tensor
from derainbench.metrics.losses import get_loss
from derainbench.metrics.scores import score
from derainbench.plugins.method import Batch, Derainer, Training
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import refuse_inflating, save_weights
from derainbench.stats.means import finite_mean
from derainbench.support.atomic import write_atomic
from derainbench.support.stopping import Stopped, postponed
from derainbench.support.toml import complaints

if TYPE_CHECKING:
    from lightning_fabric import Fabric

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
    the same four methods; the loop around it does not change.
    """

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None:
        self.fabric, self.recipe, self.steps = fabric, recipe, steps
        self.loss = get_loss(recipe.loss)
        lay_out(network)
        self.network, self.optimiser = fabric.setup(network, make_optimiser(network, recipe))
        self.network.mark_forward_method("training_loss")

    def step(self, step: int, batch: Batch) -> Tensor:
        """One step, 0 to ``steps - 1``: returns the loss, detached. A loss or gradient
        that is not finite changes no weight and is returned in the loss's place."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, step, self.steps)
        # Fabric calls this method in its precision only where it wraps the network, as for several devices.
        with self.fabric.autocast():
            loss: Tensor = self.network.training_loss(batch._replace(rainy=channels_last(batch.rainy)), self.loss)
        if torch.isfinite(loss):
            self.fabric.backward(loss)
            largest = self.recipe.clip if self.recipe.clip is not None else math.inf
            norm = self.fabric.clip_gradients(self.network, self.optimiser, max_norm=largest, error_if_nonfinite=False)
            finite = norm is None or bool(torch.isfinite(norm))
            scale = 0.0 if finite else self._scale()
            if finite or scale:
                self.optimiser.step()  # in fp16 one whose gradient is not finite halves the scale, and no more
            if norm is not None and not finite and scale <= SMALLEST_SCALE:
                loss = norm  # a finite loss can have a gradient that is not, such as that of a square root at 0
        self.optimiser.zero_grad(set_to_none=True)
        return loss.detach()

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

    def _scale(self) -> float:
        """By what fp16 multiplies the loss now, so that small gradients do not become zero; 0 in other precisions."""
        return float(self.fabric.strategy.precision.state_dict().get("scale", 0.0))


def make_optimiser(network: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over the parameters that take a gradient."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    settings: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimiser == "sgd":
        settings["momentum"] = recipe.betas[0]
    else:
        settings |= {"betas": recipe.betas, "eps": recipe.eps}
    return _OPTIMISERS[recipe.optimiser](parameters, **settings)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step: a function of the step alone, so that nothing needs restoring."""
    done = step / steps
    if recipe.schedule == "cosine":
        return recipe.lr * (1 + math.cos(math.pi * done)) / 2
    if recipe.schedule == "multistep":
        return recipe.lr * recipe.gamma ** sum(done >= milestone for milestone in recipe.milestones)
    return recipe.lr


#: Called after every step with (steps done, steps in all, loss of the step).
OnStep = Callable[[int, int, float], None]

#: Called where a training goes on from a checkpoint, with (steps done, steps in all).
OnResume = Callable[[int, int], None]

#: The log has about this many lines, so that it stays small for 300,000 steps.
LOG_LINES = 1000


@deaths_of_workers_told()
def train(
    variant: Variant,
    recipe: Recipe,
    pairs: Sequence[Pair],
    seed: int,
    folder: Path,
    key: str,
    fabric: Fabric,
    on_step: OnStep,
    workers: int = 0,
    on_resume: OnResume = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Train one cell and leave ``weights.safetensors`` and ``log.jsonl`` in its folder.

    ``key`` identifies what is trained; a checkpoint of another key is ignored. On the way, ``checkpoint.pt`` holds the
    state after some step, so that training goes on from there after an interruption; one that is asked for by a signal
    (:mod:`.stopping`) first saves the step at hand. ``say`` is told what a user should know. Raises :class:`UserError`
    on a loss or a weight that is not finite and on a checkpoint that cannot be read.
    """
    torch.manual_seed(seed)
    network = variant.build()
    pairs, held_out = hold_out(pairs, recipe.validation)
    patches = Patches(pairs, recipe, seed)
    network.on_training_data(*rainy_statistics(pairs))
    trainer = (variant.method.trainer or Trainer)(fabric, network, recipe, patches.steps)
    checkpoint = Checkpoint(folder / "checkpoint.pt", key)
    done = start = checkpoint.load(trainer, fabric, patches.steps)
    if start:
        on_resume(start, patches.steps)
    log = Log(folder / "log.jsonl", start)
    log_every = max(1, patches.steps // LOG_LINES)

    def stop(what: str) -> NoReturn:
        last = f"the checkpoint after step {checkpoint.step}" if checkpoint.step else "no checkpoint yet"
        raise UserError(
            f"{variant.name}: {what} at step {done} of {patches.steps}; last good state: {last} ({checkpoint.path}); "
            "lower lr or set clip in a recipe file, which starts this training anew"
        )

    network.train()
    batches = training_batches(patches, start, workers, fabric, say)
    whole = True  # whether network, optimiser, random state and log are all of the step ``done``
    try:
        for step, batch in enumerate(batches, start):
            with postponed():
                whole = False
                loss = float(trainer.step(step, batch))
                done = step + 1
                if not math.isfinite(loss):
                    stop(f"the loss or its gradient is {loss}")
                if done % log_every == 0 or done == patches.steps:
                    log.add({"step": done, "loss": loss})
                if held_out and (done % recipe.validate_every == 0 or done == patches.steps):
                    psnr = _validate(trainer, network.size_multiple, held_out, fabric)
                    log.add({"step": done, "validation_psnr_y": psnr})
                if done % recipe.checkpoint_every == 0 or done == patches.steps:
                    if not _finite(network):
                        stop("a weight is not finite")
                    if done < patches.steps:
                        checkpoint.save(trainer, fabric, done)
                on_step(done, patches.steps, loss)
                whole = True
    except (Stopped, KeyboardInterrupt):
        if whole and checkpoint.step < done < patches.steps and _finite(network):
            checkpoint.save(trainer, fabric, done)
        raise
    finally:
        batches.close()
    log.write()
    save_weights(folder / "weights.safetensors", network)


class CheckpointHead(BaseModel):
    """What ``checkpoint.pt`` holds: of which cell, after which step, and the states of trainer and random numbers."""

    key: str
    step: Annotated[int, Field(gt=0)]
    trainer: dict[str, Any]
    random: dict[str, Any]


class Checkpoint:
    """The state after some step: network, optimiser and random state (the data's position is the step itself)."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key, self.step = path, key, 0

    def save(self, trainer: Training, fabric: Fabric, step: int) -> None:
        """Replace the checkpoint, atomically."""
        buffer = io.BytesIO()
        state = {"key": self.key, "step": step, "trainer": trainer.state_dict(), "random": _random_state(fabric)}
        torch.save(state, buffer)
        write_atomic(self.path, buffer.getvalue())
        self.step = step

    def load(self, trainer: Training, fabric: Fabric, steps: int) -> int:
        """The step to go on from, below ``steps``: 0 without a checkpoint, or with one of another key."""
        if not self.path.exists():
            return 0
        try:
            refuse_inflating(self.path)
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            head = _head(state)
            if head.key != self.key:
                return 0
            _check_step(head.step, steps)
            trainer.load_state_dict(head.trainer)
            _set_random_state(head.random, fabric)
            self.step = head.step
        except Exception as error:  # a damaged file makes torch's reader raise almost anything
            reason = one_line(error)[:120] or type(error).__name__
            raise UserError(
                f"checkpoint {self.path} cannot be read ({reason}); delete it to train this cell from the start"
            ) from error
        return self.step


def _head(state: object) -> CheckpointHead:
    try:
        return CheckpointHead.model_validate(state, strict=True)
    except ValidationError as error:
        raise ValueError(complaints(CheckpointHead, error, "it")) from error


def _check_step(step: int, steps: int) -> None:
    if step >= steps:
        raise ValueError(f"it is of step {step}, and this training has {steps}")


class Log:
    """``log.jsonl``: what was measured at which step. Lines past the checkpoint are dropped when training goes on."""

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self._lines: list[str] = []
        if start and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                if json.loads(line)["step"] <= start:
                    self._lines.append(line)

    def add(self, values: dict[str, Any]) -> None:
        """Add a line; the file follows at once, so that a training can be watched."""
        self._lines.append(json.dumps(values))
        self.write()

    def write(self) -> None:
        """Write all lines, atomically."""
        write_atomic(self._path, "".join(line + "\n" for line in self._lines).encode())


def _finite(network: torch.nn.Module) -> bool:
    """Whether every weight is a number: one step too large leaves weights that are none, and no loss that tells."""
    return all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def _validate(trainer: Training, size_multiple: int, pairs: Sequence[Pair], fabric: Fabric) -> float:
    """Mean PSNR (``y``) over held-out training images, in evaluation mode."""
    trainer.network.eval()
    psnr = []
    for pair in pairs:
        rainy, clean = (to_tensor(image).unsqueeze(0).to(fabric.device) for image in read_pair(pair.rainy, pair.clean))
        psnr.append(float(score(restore(trainer.network, rainy, size_multiple), clean, "y").psnr))
    trainer.network.train()
    return finite_mean(psnr)[0]


def _random_state(fabric: Fabric) -> dict[str, Any]:
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(fabric.device)
    return state


def _set_random_state(state: dict[str, Any], fabric: Fabric) -> None:
    torch.set_rng_state(state["cpu"])
    if fabric.device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], fabric.device)
