"""Images of whole grey levels resized as Pillow does it, to the last level, on any device.

Pillow computes in whole numbers (Resample.c, 8 bits a channel): weights of 22 binary places, along the rows first, and
whole levels between the two. So it is done here, since a GPU's image need not come back for it. (From 13 on Pillow
begins with the columns where that is less work, as it is for tall images: a level may then differ by one.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_PLACES = 22  # binary, of a weight


def lanczos(image: Tensor, height: int, width: int) -> Tensor:
    """(B, C, H, W) whole levels from 0 to 255, of any floating-point type, as (B, C, height, width) of the same.

    An image with a NaN is NaN everywhere.
    """
    broken = image.isnan().any(dim=3).any(dim=2).any(dim=1)
    levels = image.nan_to_num(0).to(torch.int32)
    if width != levels.shape[-1]:
        levels = _rows(levels.mT.contiguous(), width).mT.contiguous()
    if height != levels.shape[-2]:
        levels = _rows(levels, height)
    return levels.to(image.dtype).masked_fill_(broken.view(-1, 1, 1, 1), math.nan)


def _rows(levels: Tensor, size: int) -> Tensor:
    """``levels``, (B, C, H, W) in int32, with ``size`` rows."""
    out = levels.new_full((*levels.shape[:2], size, levels.shape[-1]), 1 << (_PLACES - 1))  # so that cutting off rounds
    for rows, weights in zip(*_taps(levels.shape[-2], size), strict=True):
        index, weight = (torch.tensor(each, dtype=torch.int32, device=levels.device) for each in (rows, weights))
        out.addcmul_(levels.index_select(-2, index), weight.view(-1, 1))
    return (out >> _PLACES).clamp_(0, 255)


def _taps(old: int, new: int) -> tuple[list[list[int]], list[list[int]]]:
    """Which pixels make each new one, and by which weights: for every tap of the filter, one a new pixel."""
    scale = old / new
    stretch = max(scale, 1.0)
    support = 3.0 * stretch
    columns = []
    for place in range(new):
        centre = (place + 0.5) * scale
        first, end = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), old)
        raw = [_lanczos((n + 0.5 - centre) / stretch) for n in range(first, end)]
        total = sum(raw)
        whole = [int(math.copysign(0.5, w) + w / total * (1 << _PLACES)) for w in raw]
        columns.append([*zip(range(first, end), whole, strict=True)])
    taps = max(map(len, columns))
    filled = [[*column, *[(0, 0)] * (taps - len(column))] for column in columns]
    return ([[c[n][0] for c in filled] for n in range(taps)], [[c[n][1] for c in filled] for n in range(taps)])


def _lanczos(x: float) -> float:
    """Lanczos' window of three lobes: sinc(x) sinc(x / 3)."""
    if not -3.0 <= x < 3.0:
        return 0.0
    return _sinc(x) * _sinc(x / 3)


def _sinc(x: float) -> float:
    return 1.0 if x == 0.0 else math.sin(x * math.pi) / (x * math.pi)
