"""Training losses by name, and their weighted sums: what a recipe's ``loss`` may say.

SSIM in a loss is that of PReNet's training code: Gaussian 11x11, sigma 1.5, over an image surrounded by zeros, so
that every pixel counts and patches of any size work; not clamped, so that values out of range still have a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType

import pytorch_msssim  # type: ignore[import-untyped]
import torch
import torch.nn.functional as F
from torch import Tensor

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.loss_sum import NAME, read_sum

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(restored, clean)``: two (B, 3, H, W) batches, clean in [0, 1], to a scalar to minimise, at least float32."""


#: Charbonnier's epsilon, as in the code of MPRNet, Restormer and NeRD-Rain.
CHARBONNIER_EPS = 1e-3

#: What is added to the mean squared error of an image, so that two equal ones have a finite PSNR: of 80 dB.
PSNR_FLOOR = 1e-8


def get_loss(text: str, own: Mapping[str, Loss] = MappingProxyType({})) -> Loss:
    """The loss of that name, or a weighted sum such as ``charbonnier + 0.05*edge``.

    ``own`` are those that a method brings beside :data:`LOSSES`, by name: they are called as these are, outside
    autocast and with float32 or better. :class:`UserError` where the text is no sum, or names what is not there.
    """
    try:
        terms = read_sum(text)
    except ValueError as error:
        raise UserError(f"recipe: {error}") from error
    known = {**LOSSES, **{name: _full_precision(loss) for name, loss in own.items()}}
    for _, name in terms:
        if name not in known:
            raise UserError(f"unknown loss {name!r} in the recipe: {did_you_mean(name, list(known))}")
    parts = [(weight, known[name]) for weight, name in terms]
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]

    def weighted_sum(restored: Tensor, clean: Tensor) -> Tensor:
        total = torch.zeros((), device=restored.device)
        for weight, loss in parts:
            total = total + weight * loss(restored, clean)
        return total

    return weighted_sum


def check_own_losses(own: Mapping[str, Loss]) -> None:
    """:class:`UserError` where a method's own losses have names that a recipe cannot say, or that are taken."""
    for name, loss in own.items():
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise UserError(f"a loss of its own is called {name!r}; use letters, digits, - and _, a letter first")
        if name in LOSSES:
            raise UserError(
                f"a loss of its own is called {name!r}, which is one of derainbench's; give it another name"
            )
        if not callable(loss):
            raise UserError(f"its loss {name!r} is no function of (restored, clean) but {type(loss).__name__}")


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


@_full_precision
def _one_minus_ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """1 - SSIM, down to 0."""
    return 1 - _ssim(restored, clean)


def _charbonnier_of(difference: Tensor) -> Tensor:
    return (difference * difference + CHARBONNIER_EPS**2).sqrt().mean()


@_full_precision
def _charbonnier(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + eps^2), eps = 1e-3 and the value of two equal images: MPRNet, Eq. 5."""
    return _charbonnier_of(restored - clean)


def _smoothed(image: Tensor, dim: int) -> Tensor:
    """Weighed by (.05, .25, .4, .25, .05) along rows or columns, the outermost pixel repeated beyond them.

    By sums of shifted images: torch's padding by replication has no deterministic gradient on a GPU, and what cuDNN
    does with five numbers may be TF32.
    """
    size = image.shape[dim]
    first, last = image.narrow(dim, 0, 1), image.narrow(dim, size - 1, 1)
    padded = torch.cat([first, first, image, last, last], dim)
    a, b, c, d, e = (padded.narrow(dim, shift, size) for shift in range(5))
    return 0.4 * c + 0.25 * (b + d) + 0.05 * (a + e)


def _laplacian(image: Tensor) -> Tensor:
    """An image less its smoothed self, of which every second row and column were kept: MPRNet's code, one level."""
    kept = torch.zeros_like(image)
    kept[:, :, ::2, ::2] = 4 * _smoothed(_smoothed(image, 2), 3)[:, :, ::2, ::2]
    return image - _smoothed(_smoothed(kept, 2), 3)


@_full_precision
def _edge(restored: Tensor, clean: Tensor) -> Tensor:
    """Charbonnier of the two Laplacians: MPRNet, Eq. 6. The Laplacian being linear, it is taken of the difference."""
    return _charbonnier_of(_laplacian(restored - clean))


def _minus_psnr(restored: Tensor, clean: Tensor) -> Tensor:
    errors = (restored - clean).square().mean(dim=(1, 2, 3))
    value: Tensor = 10 / math.log(10) * (errors + PSNR_FLOOR).log().mean()
    return value


@_full_precision
def _psnr(restored: Tensor, clean: Tensor) -> Tensor:
    """Minus the mean of the images' PSNR in dB, peak 1, not clamped, down to -80: HINet, NAFNet."""
    return _minus_psnr(restored, clean)


@_full_precision
def _psnr_y(restored: Tensor, clean: Tensor) -> Tensor:
    """The same of luma, as an option of HINet's code that no shipped setting of theirs turns on."""
    return _minus_psnr(_luma(restored), _luma(clean))


def _luma(image: Tensor) -> Tensor:
    """(B, 3, H, W) RGB to (B, 1, H, W): BT.601's Y in [16, 235], over 255. One channel is luma already (JORDER)."""
    if image.shape[1] == 1:
        return image
    red, green, blue = image.unbind(1)
    luma: Tensor = (65.481 * red + 128.553 * green + 24.966 * blue + 16) / 255
    return luma.unsqueeze(1)


@_full_precision
def _fft(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean modulus of the difference of the two spectra, not normalised, so that it grows with the side: NeRD-Rain."""
    spectrum: Tensor = torch.fft.fft2(restored - clean)
    return spectrum.abs().mean()


@_full_precision
def _fft_l1(restored: Tensor, clean: Tensor) -> Tensor:
    """L1 of the two spectra as (real, imaginary) pairs, not normalised either: SFNet, FSNet."""
    spectrum: Tensor = torch.view_as_real(torch.fft.fft2(restored - clean))
    return spectrum.abs().mean()


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "l1": _l1,
        "mse": _mse,
        "l1+ssim": _l1_ssim,
        "-ssim": _negative_ssim,
        "ssim": _one_minus_ssim,
        "charbonnier": _charbonnier,
        "edge": _edge,
        "psnr": _psnr,
        "psnr-y": _psnr_y,
        "fft": _fft,
        "fft-l1": _fft_l1,
    }
)
