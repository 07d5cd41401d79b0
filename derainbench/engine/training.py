"""The training loop: from a fresh network or the last checkpoint to the final weights of one cell."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from derainbench.catalogue.pairing import Pair
from derainbench.engine.averaged_weights import average_of
from derainbench.engine.checkpoint import Checkpoint
from derainbench.engine.compiled import compile_training
from derainbench.engine.curves import SHOWN, Curves, Logger, Restored, curves_in
from derainbench.engine.layers import Source
from derainbench.engine.learning_rate import learning_rate
from derainbench.engine.patches import Patches, hold_out, rainy_statistics
from derainbench.engine.restore import restore
from derainbench.engine.trainer import Trainer
from derainbench.engine.training_batches import deaths_of_workers_told, training_batches
from derainbench.engine.training_log import Log, Losses
from derainbench.errors import UserError
from derainbench.images.decode import read_pair
from derainbench.images.tensors import to_tensor
from derainbench.metrics.scores import score
from derainbench.plugins.initial_weights import initial_weights
from derainbench.plugins.method import Derainer, Training
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import load_into, save_weights
from derainbench.plugins.weights_store import weights_file
from derainbench.stats.means import finite_mean
from derainbench.support.stopping import Stopped, postponed

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Called whenever the losses were read, with (steps done, steps in all, loss of the last step).
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
    compiled: bool = False,
    logger: Logger = "none",
    layers: Mapping[str, Source] = MappingProxyType({}),
) -> None:
    """Train one cell and leave ``weights.safetensors`` and ``log.jsonl`` in its folder.

    Where the recipe has ``ema``, the weights that are kept, and looked at on the way, are averages.

    ``key`` identifies what is trained; a checkpoint of another key is ignored. On the way, ``checkpoint.pt`` holds the
    state after some step, so that training goes on from there after an interruption; one that is asked for by a signal
    (:mod:`.stopping`) first saves the step at hand. ``say`` is told what a user should know. Raises :class:`UserError`
    on a loss or a weight that is not finite and on a checkpoint that cannot be read. Where several processes train
    together (:mod:`.ranks`) all call it, and the first writes.
    """
    pairs, held_out = hold_out(pairs, recipe.validation)
    patches = Patches(pairs, recipe, seed, fabric.global_rank, fabric.world_size, layers)
    torch.manual_seed(seed)
    network = _beginning(variant, recipe, pairs, compiled)
    trainer = (variant.method.trainer or Trainer)(fabric, network, recipe, patches.steps)
    average = average_of(network, recipe.ema)
    checkpoint = Checkpoint(folder / "checkpoint.pt", key, average)
    done = start = checkpoint.load(trainer, fabric, patches.steps)
    if start:
        on_resume(start, patches.steps)
    writes = fabric.is_global_zero
    log = Log(folder / "log.jsonl" if writes else None, start)
    curves = curves_in(folder, logger if writes else "none", start)
    record = _Record(variant.name, network, recipe, patches.steps, checkpoint, log, curves)
    network.train()
    batches = training_batches(patches, start, workers, fabric, say)
    whole = True  # whether network, optimiser, random state and log are all of the step ``done``
    try:
        for step, batch in enumerate(batches, start):
            with postponed():
                whole = False
                record.take_up(step + 1, trainer.step(step, batch))
                done = step + 1
                to_validate = bool(held_out) and (done % recipe.validate_every == 0 or done == patches.steps)
                to_save = done % recipe.checkpoint_every == 0 or done == patches.steps
                if read := to_validate or to_save or record.losses.due():
                    loss = record.settle()
                if to_validate and writes:
                    with average.in_place():
                        psnr, images = _validate(trainer, network.size_multiple, held_out, fabric)
                    record.log.add({"step": done, "validation_psnr_y": psnr})
                    curves.validated(done, psnr, images)
                if to_save:
                    record.save(trainer, fabric, done)
                if read:
                    on_step(done, patches.steps, loss)
                whole = True
    except (Stopped, KeyboardInterrupt):
        if whole and writes and checkpoint.step < done < patches.steps:
            with contextlib.suppress(_DivergedError):  # the checkpoint stays as it was
                record.settle()
                record.save(trainer, fabric, done)
        raise
    finally:
        batches.close()
        curves.close()
    if writes:
        with average.in_place():
            save_weights(folder / "weights.safetensors", network)


def _beginning(variant: Variant, recipe: Recipe, pairs: Sequence[Pair], compiled: bool) -> Derainer:
    """The network as its training begins: fresh, from the current random state, or with the recipe's weights."""
    network = variant.build()
    if compiled:
        compile_training(network)
    network.on_training_data(*rainy_statistics(pairs))
    initial = initial_weights(variant, recipe)
    if initial is not None:  # with the statistics of the images that those were trained on
        load_into(network, initial, weights_file(initial))
    return network


@dataclass(frozen=True)
class _Record:
    """What is kept of a training on the way, as long as all its numbers are finite."""

    name: str
    network: torch.nn.Module
    recipe: Recipe
    steps: int
    checkpoint: Checkpoint
    log: Log
    curves: Curves
    losses: Losses = field(default_factory=Losses)

    def take_up(self, step: int, loss: Tensor) -> None:
        """One more step was made."""
        self.losses.add(step, loss)
        self.checkpoint.average.update()

    def settle(self) -> float:
        """Take up what the steps told since the last time; the last loss."""
        log_every, loss = max(1, self.steps // LOG_LINES), math.nan
        for step, loss in self.losses.read():
            if not math.isfinite(loss):
                raise self._diverged(f"the loss or its gradient is {loss}", step)
            if step % log_every == 0 or step == self.steps:
                self.log.add({"step": step, "loss": loss})
                self.curves.learnt(step, loss, learning_rate(self.recipe, step - 1, self.steps))
        return loss

    def save(self, trainer: Training, fabric: Fabric, done: int) -> None:
        """Write the log, and the checkpoint of a step that is not the last."""
        # One step too large leaves weights that are no numbers, and no loss that tells.
        if not all(bool(torch.isfinite(value).all()) for value in self.network.state_dict().values()):
            raise self._diverged("a weight is not finite", done)
        self.log.write()  # whoever goes on from here drops what it has of later steps, and must find all before
        if done < self.steps:
            self.checkpoint.save(trainer, fabric, done)

    def _diverged(self, what: str, step: int) -> _DivergedError:
        at = self.checkpoint
        last = f"the checkpoint after step {at.step}" if at.step else "no checkpoint yet"
        return _DivergedError(
            f"{self.name}: {what} at step {step} of {self.steps}; last good state: {last} ({at.path}); lower lr or set "
            "clip in a recipe file, which starts this training anew"
        )


class _DivergedError(UserError):
    """A loss, a gradient or a weight is not finite."""


def _validate(
    trainer: Training, size_multiple: int, pairs: Sequence[Pair], fabric: Fabric
) -> tuple[float, list[Restored]]:
    """Mean PSNR (``y``) over held-out training images, in evaluation mode, and the first of them."""
    trainer.network.eval()
    psnr, shown = [], list[Restored]()
    for pair in pairs:
        rainy, clean = (to_tensor(image).unsqueeze(0).to(fabric.device) for image in read_pair(pair.rainy, pair.clean))
        restored = restore(trainer.network, rainy, size_multiple)
        psnr.append(float(score(restored, clean, "y").psnr))
        if len(shown) < SHOWN:
            shown.append(Restored(rainy, restored, clean))
    trainer.network.train()
    return finite_mean(psnr)[0], shown
