"""Training losses by name: what a recipe's ``loss`` may say.

SSIM in a loss is that of PReNet's training code: Gaussian 11x11, sigma 1.5, over an image surrounded by zeros, so
that every pixel counts and patches of any size work; not clamped, so that values out of range still have a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType

import pytorch_msssim  # type: ignore[import-untyped]
import torch
import torch.nn.functional as F
from torch import Tensor

from derainbench.errors import UserError, did_you_mean

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(restored, clean)``: two (B, 3, H, W) batches, clean in [0, 1], to a scalar to minimise, at least float32."""


def get_loss(name: str) -> Loss:
    """The loss of that name; :class:`UserError` if there is none."""
    if name not in LOSSES:
        raise UserError(f"unknown loss {name!r} in the recipe: {did_you_mean(name, list(LOSSES))}")
    return LOSSES[name]


def _full_precision(loss: Loss) -> Loss:
    """Leave autocast and raise half precision to float32: an SSIM in bf16 is noise, its variances being differences."""

    @wraps(loss)
    def in_full_precision(restored: Tensor, clean: Tensor) -> Tensor:
        if restored.shape != clean.shape:  # torch would broadcast, and train on nonsense
            shapes = f"restored {tuple(restored.shape)}, clean {tuple(clean.shape)}"
            raise UserError(
                f"a loss needs two batches of one shape, got {shapes}: the network must keep its input's size"
            )
        dtype = torch.promote_types(torch.promote_types(restored.dtype, clean.dtype), torch.float32)
        with torch.autocast(device_type=restored.device.type, enabled=False):
            return loss(restored.to(dtype), clean.to(dtype))

    return in_full_precision


def _window(channels: int, device: torch.device) -> Tensor:
    """The Gaussian of SSIM, (C, 1, 1, 11). By itself pytorch-msssim copies it to a GPU in a way that waits for it."""
    window: Tensor = pytorch_msssim.SSIM(win_size=11, win_sigma=1.5, channel=channels).win
    if device.type == "cuda" and not torch.compiler.is_compiling():  # which knows no pinned memory
        return window.pin_memory().to(device, non_blocking=True)
    return window.to(device)


def _ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean SSIM (scalar) at every pixel of the zero-padded images, data range 1.

    pytorch-msssim filters valid windows only; those of images padded by 5 zeros are the full-size ones. ``contiguous``
    because cuDNN takes a channels-last depthwise convolution, and would do it in TF32.
    """
    x, y = (F.pad(image, (5, 5, 5, 5)).contiguous() for image in (restored, clean))
    value: Tensor = pytorch_msssim.ssim(x, y, data_range=1.0, win=_window(x.shape[1], x.device))
    return value


@_full_precision
def _l1(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error."""
    return F.l1_loss(restored, clean)


@_full_precision
def _mse(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error."""
    return F.mse_loss(restored, clean)


@_full_precision
def _l1_ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """L1 + (1 - SSIM): NASNet, Eqs. 6 and 7."""
    return F.l1_loss(restored, clean) + (1 - _ssim(restored, clean))


@_full_precision
def _negative_ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """-SSIM, down to -1: PReNet."""
    return -_ssim(restored, clean)


LOSSES: Mapping[str, Loss] = MappingProxyType({"l1": _l1, "mse": _mse, "l1+ssim": _l1_ssim, "-ssim": _negative_ssim})
