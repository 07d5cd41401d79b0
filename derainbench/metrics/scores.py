"""The metrics under named protocols (:mod:`.protocols`): a score without its protocol is meaningless.

Runs on any torch device in the precision of its inputs: float64 is the reference, float32 the fast path.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from derainbench.errors import UserError
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import grey_levels
from derainbench.metrics.kinds import METRICS
from derainbench.metrics.protocols import Protocol, Window, get_protocol
from derainbench.metrics.ssim import GAUSSIAN_11, GAUSSIAN_11_FLOAT32, UNIFORM_7, downsampled, mean_ssim


class Scores(NamedTuple):
    """One value an image: ``psnr`` (B,) in dB, ``inf`` if identical; ``ssim`` (B,), at most 1, NaN if undefined."""

    psnr: Tensor
    ssim: Tensor


def score(restored: Tensor, clean: Tensor, protocol: str | Protocol, quantisation: Quantisation = "round") -> Scores:
    """Score a batch of restored images against the clean ones under one protocol.

    Both are (B, 3, H, W) floating-point RGB, nominally in [0, 1]; values outside are clamped, NaN stays and makes the
    scores of its image NaN. Computed on their device in their precision (float32 at least); no gradient, no
    synchronisation. Sides too short for the protocol's SSIM window give NaN and a warning. ``quantisation`` is how a
    protocol of 8-bit images makes the restored one; the clean one was 8 bit to begin with, and is always rounded.
    :class:`UserError` if the shapes do not fit.
    """
    name = protocol if isinstance(protocol, str) else protocol.name
    found = score_all(restored, clean, (protocol,), quantisation)[name]
    return Scores(found["psnr"], found["ssim"])


@torch.no_grad()
def score_all(
    restored: Tensor, clean: Tensor, protocols: Iterable[str | Protocol], quantisation: Quantisation = "round"
) -> dict[str, dict[str, Tensor]]:
    """Scores by protocol and metric, (B,): as :func:`score` for each, sharing the work that protocols have in common.

    Metrics stand in the order of :data:`.kinds.METRICS`; only those that the protocol measures are there.
    """
    chosen = [get_protocol(p if isinstance(p, str) else p.name) for p in protocols]
    pair = _Pair(restored, clean, quantisation)
    return {p.name: _measured(pair, p) for p in chosen}


class _Pair:
    """Two batches, checked and clamped, with what several protocols need of them computed at most once."""

    def __init__(self, restored: Tensor, clean: Tensor, quantisation: Quantisation) -> None:
        shapes = f"restored {tuple(restored.shape)}, clean {tuple(clean.shape)}"
        if restored.shape != clean.shape:
            raise UserError(f"a score needs two images of one size, got {shapes}: crop or re-pair them")
        if restored.ndim != 4 or restored.shape[1] != 3 or 0 in restored.shape[2:]:
            raise UserError(f"a score needs batches of RGB images (B, 3, H, W), got {shapes}: reshape them")
        if not (restored.is_floating_point() and clean.is_floating_point()):
            raise UserError(f"a score needs floats in [0, 1], got {restored.dtype} and {clean.dtype}: divide by 255")
        # Half precision cannot hold a metric: 8 bits of mantissa end at 48 dB.
        dtype = torch.promote_types(torch.promote_types(restored.dtype, clean.dtype), torch.float32)
        self.restored, self.clean = restored.to(dtype).clamp(0, 1), clean.to(dtype).clamp(0, 1)
        self._quantisation = quantisation

    @cached_property
    def eight_bit(self) -> tuple[Tensor, Tensor]:
        """Both in whole grey levels, 0 to 255, as saving them to PNG would make them."""
        return grey_levels(self.restored, self._quantisation), grey_levels(self.clean)


def _psnr(x: Tensor, y: Tensor, protocol: Protocol) -> Tensor:
    """(B,) dB: 10 log10(peak^2 / MSE) with the MSE over all of an image's values."""
    mse = (x - y).square_().mean(dim=(1, 2, 3))
    psnr = 20 * math.log10(255 if protocol.eight_bit else 1) - 10 * mse.log10()
    return psnr.masked_fill(psnr == math.inf, protocol.identical)


def _ssim(x: Tensor, y: Tensor, protocol: Protocol) -> Tensor:
    """(B,) as the protocol's :class:`.protocols.Ssim` says."""
    how = protocol.ssim
    if how.downsampled:
        x, y = downsampled(x), downsampled(y)
    window = _WINDOWS[how.window]
    # scikit-image's default is the sample covariance
    scale = len(window) ** 2 / (len(window) ** 2 - 1) if how.sample_covariance else 1.0
    return mean_ssim(x, y, window, how.data_range, covariance_scale=scale, zero_padding=how.zero_padding)


#: How each metric is measured: of restored and clean images as a protocol prepares them, (B, C, H, W), one value an
#: image, (B,). A measure leaves both as they are, for the next.
MEASURES: dict[str, Callable[[Tensor, Tensor, Protocol], Tensor]] = {"psnr": _psnr, "ssim": _ssim}


def _luma(x: Tensor) -> Tensor:
    """(B, 1, H, W) unrounded limited-range luma of BT.601, 16 to 235, from RGB in 0 to 255.

    Every operation apart, none fused: where Y falls on a half, its last bit decides which level ``y-u8`` rounds to.
    """
    red, green, blue = x[:, 0:1], x[:, 1:2], x[:, 2:3]
    return (red * 65.481 + green * 128.553 + blue * 24.966) / 255 + 16


def _measured(pair: _Pair, protocol: Protocol) -> dict[str, Tensor]:
    x, y = pair.eight_bit if protocol.eight_bit else (pair.restored, pair.clean)
    if protocol.from_float32:
        # The authors' code sees such tensors; a float64 reference must start from those to agree with it to 1e-6 dB.
        x, y = (image.float().to(image.dtype) for image in (x, y))
    if protocol.colour != "rgb":
        x, y = _luma(x), _luma(y)
    if protocol.colour == "luma levels":
        x, y = (luma.add_(0.5).floor_() for luma in (x, y))
    chosen = [name for name, metric in METRICS.items() if metric.measured_under(protocol.name)]
    return {name: MEASURES[name](x, y, protocol) for name in chosen}


_WINDOWS: Mapping[Window, tuple[float, ...]] = {
    "gaussian 11": GAUSSIAN_11,
    "gaussian 11 float32": GAUSSIAN_11_FLOAT32,
    "uniform 7": UNIFORM_7,
}
