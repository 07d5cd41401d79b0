"""Mean SSIM of two batches in any separable window: what the metric protocols differ in, as parameters.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004.
It is computed from the sum s = x + y and the difference d = x - y: four filtered maps where the textbook form needs
five, and the numbers that cancel are small (see ``_summed_ssims``). No gradient: buffers are reused; training has
``losses.py``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def _gaussian_11(total: float = 1.0) -> tuple[float, ...]:
    """One axis of Wang's window (sigma 1.5 px), with weights such that the 121 of both axes sum to ``total``."""
    weights = [math.exp(-((i - 5) ** 2) / (2 * 1.5**2)) for i in range(11)]
    return tuple(w / math.fsum(weights) * math.sqrt(total) for w in weights)


GAUSSIAN_11 = _gaussian_11()
UNIFORM_7 = (1 / 7,) * 7
UNIFORM_11 = (1 / 11,) * 11
# The window of the zero-padding codes is rounded to float32 and sums to a little less than 1. That looks like
# nothing, but turns E[s^2] - E[s]^2 into more than the variance, and SSIM comes out higher by up to 5e-6.
GAUSSIAN_11_FLOAT32 = _gaussian_11(1 - 6.944264896446839e-8)
_STRIP_BYTES = 327_680  # of one map


def _windowed(maps: Tensor, window: tuple[float, ...], dim: int) -> Tensor:
    """Weighted sums over a sliding window along ``dim``, valid positions only.

    Shifted additions, not a convolution: on a CPU not slower than torch's depthwise convolutions, and neither TF32 nor
    autocast can lower their precision behind our back on a GPU. Banded matrix products were tried: no faster.
    """
    if len(window) > len(set(window)) == 1:  # all weights equal
        return _sums(maps, len(window), dim).mul_(window[0])
    length = maps.shape[dim] - len(window) + 1
    out = maps.narrow(dim, 0, length) * window[0]
    for i, weight in enumerate(window[1:], start=1):
        out.add_(maps.narrow(dim, i, length), alpha=weight)
    return out


def _sums(maps: Tensor, count: int, dim: int) -> Tensor:
    """Sums of ``count`` neighbours along ``dim``, two or more, each made of two halves: about 2 log2(count) additions.

    A running total would need only two, and lose digits along the way.
    """
    half = count // 2
    halves = maps if half == 1 else _sums(maps, half, dim)
    length = maps.shape[dim] - count + 1
    out = halves.narrow(dim, 0, length) + halves.narrow(dim, half, length)
    if count % 2:
        out.add_(maps.narrow(dim, count - 1, length))
    return out


class Constants(NamedTuple):
    """What makes an SSIM of the windowed means and variances: ``c1`` and ``c2`` stabilise it.

    ``clipped``: the contrast term is at least 0 in every pixel. ``epsilon`` is added to the denominator, which has the
    unit of the fourth power of the images.
    """

    c1: float
    c2: float
    clipped: bool = False
    epsilon: float = 0.0


def mean_ssims(
    x: Tensor,
    y: Tensor,
    window: tuple[float, ...],
    constants: Sequence[Constants],
    border: Literal["valid", "replicate", "zero", "reflect"] = "valid",
    across_channels: bool = False,
) -> list[Tensor]:
    """(B,) mean SSIM over positions and channels of two (B, C, H, W) batches, for each of several ``constants``.

    Float32 or float64. ``window``: weights along one axis, used along both; ``across_channels`` along the channels too,
    of which the first and the last are repeated outside. ``border`` is what stands around the images where it is not
    ``valid``, which leaves windows inside: as many pixels as make a window for each of the image's. An image smaller
    than the window, or too small to be mirrored, gives NaN and a warning.
    """
    batch, channels, height, width = x.shape
    around = 0 if border == "valid" else len(window) // 2
    needed = {"valid": len(window), "reflect": around + 1}.get(border, 1)
    if min(height, width) < needed:
        text = f"SSIM is undefined (NaN) for an image of {height}x{width} px: its window is {len(window)} px wide"
        warnings.warn(text, stacklevel=2)
        return [x.new_full((batch,), math.nan) for _ in constants]
    if around:
        mode = "constant" if border == "zero" else border
        x, y = (F.pad(image, (around,) * 4, mode) for image in (x, y))
    height, width = x.shape[-2:]
    rows, columns = height - len(window) + 1, width - len(window) + 1
    together = channels if across_channels else 1
    # In strips on a CPU, whose maps stay in its cache and in memory that the allocator already holds (fresh pages cost
    # as much as the arithmetic); of 64 rows at least, since each computes a window more than it yields. Whole on a GPU,
    # which would only wait for many small launches.
    plane_row = batch * together * width * x.element_size()
    step = max(64, _STRIP_BYTES // plane_row) if x.device.type == "cpu" else rows
    totals = [x.new_zeros(batch) for _ in constants]
    for channel in range(0, channels, together):
        for top in range(0, rows, step):
            part = (
                slice(None),
                slice(channel, channel + together),
                slice(top, min(top + step, rows) + len(window) - 1),
            )
            for n, summed in enumerate(_summed_ssims(x[part], y[part], window, constants)):
                totals[n] += summed
    return [total / (channels * rows * columns) for total in totals]


def _summed_ssims(x: Tensor, y: Tensor, window: tuple[float, ...], constants: Sequence[Constants]) -> list[Tensor]:
    """(B,) sums over the valid positions of two (B, C, H, W) strips, from s = x + y and d = x - y.

    Of one channel, or of all, over which the window then runs too. Since 4xy = s^2 - d^2 and 2(x^2 + y^2) = s^2 + d^2,
    Wang's luminance and contrast-structure terms both become (S - D + 2C) / (S + D + 2C) with S, D the squared means,
    then the variances, of s and d. Equal images give 1.

    E[s^2] - E[s]^2 cancels badly in float32 for bright, flat regions, so the overall mean is taken off s first and
    given back afterwards: to the mean, and to the variance what a window that does not quite sum to 1 makes of it.
    """
    maps = x.new_empty(4, *x.shape)
    s = torch.add(x, y, out=maps[0])
    torch.sub(x, y, out=maps[1])
    shift = s.mean(dim=(-3, -2, -1), keepdim=True)
    s.sub_(shift)
    torch.mul(maps[:2], maps[:2], out=maps[2:])
    maps, total = _windowed(_windowed(maps, window, -2), window, -1), math.fsum(window) ** 2
    if x.shape[1] > 1:
        maps, total = _across_channels(maps, window), total * math.fsum(window)
    mean_s, mean_d, var_s, var_d = maps
    var_s.addcmul_(mean_s, mean_s, value=-1)
    var_d.addcmul_(mean_d, mean_d, value=-1)
    if abs(1 - total) > 1e-12:
        var_s.add_((2 * mean_s + total * shift).mul_(shift), alpha=1 - total)

    square_s, square_d = mean_s.add_(shift, alpha=total).square_(), mean_d.square_()
    luminance, contrast = (square_s - square_d, square_s.add_(square_d)), (var_s - var_d, var_s.add_(var_d))
    sums: list[Tensor] = []
    for n, each in enumerate(constants):
        last = n == len(constants) - 1  # which may overwrite what they share
        above, below = (t.add_(2 * each.c1) if last else t + 2 * each.c1 for t in luminance)
        above_too, below_too = (t.add_(2 * each.c2) if last else t + 2 * each.c2 for t in contrast)
        if each.clipped:
            above_too.clamp_(min=0)
        if each.epsilon:
            value = above.mul_(above_too).div_(below.mul_(below_too).add_(4 * each.epsilon))
        else:
            value = above.div_(below).mul_(above_too).div_(below_too)
        sums.append(value.sum(dim=(-3, -2, -1)))
    return sums


def _across_channels(maps: Tensor, window: tuple[float, ...]) -> Tensor:
    """Weighted sums over the channels, (..., C, H, W), the first and the last repeated as far as the window reaches."""
    channels, half = maps.shape[-3], len(window) // 2
    out = torch.empty_like(maps)
    for channel in range(channels):
        weights = [0.0] * channels
        for i, weight in enumerate(window):
            weights[min(max(channel + i - half, 0), channels - 1)] += weight
        mixed = torch.mul(maps.select(-3, 0), weights[0], out=out.select(-3, channel))
        for other in range(1, channels):
            mixed.add_(maps.select(-3, other), alpha=weights[other])
    return out


def downsampled(x: Tensor) -> Tensor:
    """Wang's automatic downsampling (``ssim.m``, 2009): a box filter of f px, every f-th pixel, f = short side / 256.

    f is rounded half **up** and at least 1; borders are mirrored, edge pixel included; the box's centre is its pixel
    floor((f + 1) / 2), counted from 1.
    """
    f = max(1, (min(x.shape[-2:]) + 128) // 256)
    if f == 1:
        return x
    before = (f + 1) // 2 - 1
    for dim in (-2, -1):
        after = f - 1 - before
        mirrored = (x.narrow(dim, 0, before).flip(dim), x, x.narrow(dim, x.shape[dim] - after, after).flip(dim))
        x = torch.cat(mirrored, dim)
    return F.avg_pool2d(x, f)  # one box for each pixel at 0, f, 2f, ... of the original grid
