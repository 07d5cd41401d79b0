"""A training's curves, and some restored validation images, for whoever watches it with TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

import torch
from torch import Tensor

from derainbench.errors import UserError

#: What ``--log`` may ask for; the log that is always kept is ``log.jsonl``.
Logger = Literal["none", "tensorboard"]

#: How many validation images are shown.
SHOWN = 4


class Restored(NamedTuple):
    """A validation image: (1, 3, H, W) in [0, 1] each."""

    rainy: Tensor
    restored: Tensor
    clean: Tensor


class Curves(Protocol):
    """Told what a training measures of itself."""

    def learnt(self, step: int, loss: float, rate: float) -> None:
        """The loss of a step, and the learning rate that it had."""

    def validated(self, step: int, psnr: float, images: Sequence[Restored]) -> None:
        """The mean PSNR (``y``, dB) of the images held out, after so many steps, and some of them."""

    def close(self) -> None:
        """Nothing more is told."""


class NoCurves:
    """Nobody watches."""

    def learnt(self, step: int, loss: float, rate: float) -> None:
        pass

    def validated(self, step: int, psnr: float, images: Sequence[Restored]) -> None:
        pass

    def close(self) -> None:
        pass


class TensorBoard:
    """Event files in a folder; what an interrupted training told of later steps than ``start`` is taken back."""

    def __init__(self, folder: Path, start: int) -> None:
        from lightning_fabric.loggers.tensorboard import TensorBoardLogger

        settings: dict[str, Any] = {"purge_step": start + 1} if start else {}
        self._logger = TensorBoardLogger(folder, name="", version="", **settings)

    def learnt(self, step: int, loss: float, rate: float) -> None:
        self._logger.log_metrics({"loss": loss, "learning rate": rate}, step)

    def validated(self, step: int, psnr: float, images: Sequence[Restored]) -> None:
        self._logger.log_metrics({"validation PSNR (y), dB": psnr}, step)
        for number, image in enumerate(images):
            beside = torch.cat([each[0].float().cpu() for each in image], dim=2)  # rainy, restored, clean
            self._logger.experiment.add_image(f"validation {number}", beside, step)

    def close(self) -> None:
        self._logger.finalize("success")


def check_logger(name: str) -> Logger:
    """The logger of that name. :class:`UserError` where there is none, or what it needs is not installed."""
    known: dict[str, Logger] = {each: each for each in get_args(Logger)}
    if name not in known:
        raise UserError(f"--log {name!r}: known are {', '.join(known)}")
    if name == "tensorboard" and not any(map(find_spec, ("tensorboard", "tensorboardX"))):
        raise UserError("--log tensorboard needs a package: pip install 'derainbench[tensorboard]'")
    return known[name]


def curves_in(folder: Path, logger: Logger, start: int) -> Curves:
    """Where a training that goes on after step ``start`` tells what it measures."""
    return TensorBoard(folder / "tensorboard", start) if logger == "tensorboard" else NoCurves()
