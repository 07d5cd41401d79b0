"""A network whose training is compiled by torch: fewer and larger kernels, and numbers that differ in the last bits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch

from derainbench.errors import UserError
from derainbench.plugins.method import Derainer


def compile_training(network: Derainer) -> None:
    """Have ``training_loss`` compiled where it is first called, in place; nothing else of the network changes.

    For one size of patches: what is restored, images of any size, is not compiled. :class:`UserError` where torch
    cannot compile at all.
    """
    if sys.platform == "win32":
        raise UserError("--compile needs Linux or macOS: torch does not compile on Windows here; leave it out")
    whole: Callable[..., Any] = torch.compile(type(network).training_loss, dynamic=False)
    network.training_loss = MethodType(whole, network)  # type: ignore[method-assign]
