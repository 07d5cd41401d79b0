"""The state of a training after some step, kept in a file, so that it goes on from there after an interruption."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import BaseModel, Field, ValidationError

from derainbench.engine.averaged_weights import Average
from derainbench.errors import UserError, one_line
from derainbench.plugins.method import Training
from derainbench.plugins.weights import refuse_inflating
from derainbench.support.atomic import write_atomic
from derainbench.support.toml import complaints

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class CheckpointHead(BaseModel):
    """What ``checkpoint.pt`` holds: of which cell, after which step, and the states of trainer and random numbers.

    ``average`` is that of the weights, where the recipe has one.
    """

    key: str
    step: Annotated[int, Field(gt=0)]
    trainer: dict[str, Any]
    random: dict[str, Any]
    average: dict[str, Any] = {}


class Checkpoint:
    """The state after some step: network, optimiser and random state (the data's position is the step itself), and an
    average of the weights if there is one."""

    def __init__(self, path: Path, key: str, average: Average) -> None:
        self.path, self.key, self.step, self.average = path, key, 0, average

    def save(self, trainer: Training, fabric: Fabric, step: int) -> None:
        """Replace the checkpoint, atomically; of processes that train together the first does."""
        if fabric.is_global_zero:
            buffer = io.BytesIO()
            state = {"key": self.key, "step": step, "trainer": trainer.state_dict(), "random": _random_state(fabric)}
            if average := self.average.state_dict():
                state["average"] = average
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
            self.average.load_state_dict(head.average)
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


def _random_state(fabric: Fabric) -> dict[str, Any]:
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(fabric.device)
    return state


def _set_random_state(state: dict[str, Any], fabric: Fabric) -> None:
    torch.set_rng_state(state["cpu"])
    if fabric.device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], fabric.device)
