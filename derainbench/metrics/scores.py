"""The metrics under named protocols (:mod:`.protocols`): a score without its protocol is meaningless.

Runs on any torch device in the precision of its inputs: float64 is the reference, float32 the fast path.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from derainbench.errors import UserError
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import grey_levels
from derainbench.metrics.kinds import of_protocols
from derainbench.metrics.protocol import Colour, Crop, Protocol, Resize, Ssim, Window
from derainbench.metrics.protocols import get_protocol
from derainbench.metrics.resize import lanczos
from derainbench.metrics.ssim import (
    GAUSSIAN_11,
    GAUSSIAN_11_FLOAT32,
    UNIFORM_7,
    UNIFORM_11,
    Constants,
    downsampled,
    mean_ssims,
)


class Scores(NamedTuple):
    """One value an image: ``psnr`` (B,) in dB, ``inf`` if identical; ``ssim`` (B,), at most 1, NaN if undefined."""

    psnr: Tensor
    ssim: Tensor


def score(restored: Tensor, clean: Tensor, protocol: str | Protocol, quantisation: Quantisation = "round") -> Scores:
    """Score a batch of restored images against the clean ones under one protocol.

    Both are (B, 3, H, W) floating-point RGB, nominally in [0, 1]; values outside are clamped unless the protocol takes
    them as they are, NaN stays and makes the scores of its image NaN. Computed on their device in their precision
    (float32 at least); no gradient, no synchronisation. Sides too short for the protocol's SSIM window give NaN and a
    warning, and so does PSNR where cutting leaves nothing. ``quantisation`` is how a protocol of 8-bit images makes
    the restored one; the clean one was 8 bit to begin with, and is always rounded.
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
    chosen = [get_protocol(each) if isinstance(each, str) else each for each in protocols]
    pair = _Pair(restored, clean, quantisation)
    prepared = [pair.prepared(each) for each in chosen]
    found: dict[str, dict[str, Tensor]] = {each.name: {} for each in chosen}
    for name, metric in of_protocols().items():
        measured = [each for each in prepared if metric.measured_under(each.protocol.name)]
        for each, values in zip(measured, MEASURES[name](measured), strict=True):
            found[each.protocol.name][name] = values
    return found


class Prepared(NamedTuple):
    """Two batches as a protocol measures them, (B, C, H, W), with the value that white has in them, 255 or 1.

    What several protocols have in common is one tensor, so a measure leaves both as they are.
    """

    x: Tensor
    y: Tensor
    white: float
    protocol: Protocol


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
        self._pair = (restored.to(dtype), clean.to(dtype))
        self._quantisation = quantisation
        self._made: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}

    def prepared(self, protocol: Protocol) -> Prepared:
        """Both as the protocol measures them, in the order that :class:`.protocol.Protocol` says."""
        levels = self._quantisation if protocol.levels == "round" else protocol.levels
        whole = protocol.levels != "none"
        white = 255 if whole or protocol.colour != "rgb" or protocol.ssim.rounded else 1
        geometry, resized = protocol.geometry, isinstance(protocol.geometry, Resize)
        # Cutting comes last, as a view, and not where the protocol has it: what is done to single pixels is then done
        # once for all protocols that cut differently.
        values = (protocol.clamped, levels, white, protocol.from_float32)
        self._once(values, lambda: self._levels(*values))
        shape = (*values, geometry if resized else None)
        if isinstance(geometry, Resize):
            self._once(shape, lambda: _resized(self._made[values], geometry))
        else:
            self._made[shape] = self._made[values]
        colour = (*shape, protocol.colour, protocol.luma_rounding)
        self._once(colour, lambda: _coloured(self._made[shape], protocol))
        cut = (*colour, geometry, protocol.border)
        x, y = self._once(cut, lambda: _cut(self._made[colour], protocol))
        return Prepared(x, y, white, protocol)

    def _once(self, key: tuple[object, ...], make: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """What was made under that key before, or is now."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _levels(self, clamped: bool, levels: str, white: float, from_float32: bool) -> tuple[Tensor, Tensor]:
        """Both as floats or in whole grey levels, as saving them would make them."""
        key = ("values", clamped)
        x, y = self._once(key, lambda: _each(self._pair, lambda image: image.clamp(0, 1) if clamped else image))
        if levels == "wrap":
            # In float32, as authors compute; what lies beyond 255 wraps around, as it does on x86.
            x, y = x.float().mul(255).trunc_().remainder_(256).to(x.dtype), grey_levels(y)
        elif levels != "none":
            x, y = grey_levels(x, "round" if levels == "round" else "truncate"), grey_levels(y)
        elif white != 1:
            x, y = x * white, y * white
        if from_float32:
            # Authors' code sees such tensors; a float64 reference must start from those to agree with it to 1e-6 dB.
            x, y = (image.float().to(image.dtype) for image in (x, y))
        return x, y


def _each(pair: tuple[Tensor, Tensor], change: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    return change(pair[0]), change(pair[1])


def _resized(pair: tuple[Tensor, Tensor], how: Resize) -> tuple[Tensor, Tensor]:
    size = how.size(*pair[0].shape[-2:])
    return _each(pair, lambda image: lanczos(image, *size))


def _coloured(pair: tuple[Tensor, Tensor], protocol: Protocol) -> tuple[Tensor, Tensor]:
    colour = protocol.colour
    if colour == "rgb":
        return pair
    if protocol.luma_rounding == "cv2":
        return _each(pair, _opencv_luma)
    pair = _each(pair, lambda image: _luma(image, *_WEIGHTS[colour]))
    return _each(pair, lambda luma: luma.add_(0.5).floor_()) if protocol.luma_rounding == "half-up" else pair


def _cut(pair: tuple[Tensor, Tensor], protocol: Protocol) -> tuple[Tensor, Tensor]:
    """Views of both, without what the protocol's geometry and border leave out."""
    height, width = pair[0].shape[-2:]
    top = left = 0
    if isinstance(protocol.geometry, Crop):
        over = (height % protocol.geometry.multiple, width % protocol.geometry.multiple)
        top, left = (side // 2 for side in over) if protocol.geometry.anchor == "centre" else (0, 0)
        height, width = height - over[0], width - over[1]
    margin = protocol.border
    if not protocol.cuts:
        return pair
    rows, columns = (
        slice(start + margin, max(start + side - margin, start + margin))
        for start, side in ((top, height), (left, width))
    )
    return _each(pair, lambda image: image[..., rows, columns])


def _psnrs(prepared: Sequence[Prepared]) -> list[Tensor]:
    """(B,) dB each, as the protocols' :class:`.protocol.Psnr` say: that of equal images by equal peaks once."""
    made: dict[tuple[object, ...], Tensor] = {}
    found = []
    for x, y, white, protocol in prepared:
        key = (id(x), id(y), protocol.psnr)
        if key not in made:
            made[key] = _psnr(x, y, white, protocol)
        found.append(made[key])
    return found


def _psnr(x: Tensor, y: Tensor, white: float, protocol: Protocol) -> Tensor:
    how = protocol.psnr
    if x.numel() == 0:
        text = f"PSNR is undefined (NaN) for an image of which protocol {protocol.name} leaves {_size(x)} px"
        warnings.warn(text, stacklevel=2)
        return x.new_full(x.shape[:1], math.nan)
    mse, peak = (x - y).square_().mean(dim=(1, 2, 3)), how.peak * white / 255
    psnr = 20 * math.log10(peak) - 10 * mse.log10()
    if how.epsilon:
        psnr = -10 * (mse / peak**2 + how.epsilon).log10()
    psnr = psnr.masked_fill_(mse == math.inf, math.nan)  # of infinite values, where they are not clamped
    return psnr if how.identical is None else psnr.masked_fill_(mse == 0, how.identical)


def _ssims(prepared: Sequence[Prepared]) -> list[Tensor]:
    """(B,) each, as the protocols' :class:`.protocol.Ssim` say; windows over equal images are summed once."""
    images = [_for_ssim(each) for each in prepared]
    groups: dict[tuple[object, ...], dict[Constants, list[int]]] = {}
    for n, ((x, y), each) in enumerate(zip(images, prepared, strict=True)):
        how = each.protocol.ssim
        key = (id(x), id(y), how.window, how.border, how.axes)
        groups.setdefault(key, {}).setdefault(_constants(how, each.white), []).append(n)
    found: dict[int, Tensor] = {}
    for group in groups.values():
        first = min(n for same in group.values() for n in same)
        how = prepared[first].protocol.ssim
        values = mean_ssims(*images[first], _WINDOWS[how.window], [*group], how.border, how.axes == 3)
        for same, value in zip(group.values(), values, strict=True):
            found |= dict.fromkeys(same, value)
    return [found[n] for n in range(len(prepared))]


def _for_ssim(prepared: Prepared) -> tuple[Tensor, Tensor]:
    x, y, _, protocol = prepared
    if protocol.ssim.downsampled:
        x, y = downsampled(x), downsampled(y)
    return (x.round(), y.round()) if protocol.ssim.rounded else (x, y)


def _constants(how: Ssim, white: float) -> Constants:
    data_range, pixels = how.data_range * white / 255, len(_WINDOWS[how.window]) ** how.axes
    # scikit-image's default is the sample covariance
    scale = pixels / (pixels - 1) if how.sample_covariance else 1.0
    return Constants((0.01 * data_range) ** 2, (0.03 * data_range) ** 2 / scale, how.clipped, how.epsilon * white**4)


#: How each metric is measured: of images as protocols prepare them, (B, C, H, W), one value an image, (B,), for each.
MEASURES: dict[str, Callable[[Sequence[Prepared]], list[Tensor]]] = {"psnr": _psnrs, "ssim": _ssims}

#: Weights of red, green and blue, what their sum is divided by, and what is added, by colour.
_WEIGHTS: Mapping[Colour, tuple[tuple[float, float, float], float, float]] = {
    "y": ((65.481, 128.553, 24.966), 255, 16),
    "y-swapped": ((24.966, 128.553, 65.481), 255, 16),
    "y-full": ((0.299, 0.587, 0.114), 1, 0),
}


def _luma(x: Tensor, weights: tuple[float, float, float], divisor: float, offset: float) -> Tensor:
    """(B, 1, H, W) unrounded luma of RGB in 0 to 255.

    Every operation apart, none fused: where Y falls on a half, its last bit decides which level ``y-u8`` rounds to.
    """
    red, green, blue = (x[:, n : n + 1] * weight for n, weight in enumerate(weights))
    return (red + green + blue) / divisor + offset


def _opencv_luma(x: Tensor) -> Tensor:
    """(B, 1, H, W) of whole levels, as OpenCV makes them: weights of 14 binary places, halves up."""
    weights = (4899, 9617, 1868)
    red, green, blue = (x[:, n : n + 1] * weight for n, weight in enumerate(weights))
    return (red + green + blue + 8192).div_(16384).floor_()


def _size(x: Tensor) -> str:
    return f"{x.shape[-2]}x{x.shape[-1]}"


_WINDOWS: Mapping[Window, tuple[float, ...]] = {
    "gaussian 11": GAUSSIAN_11,
    "gaussian 11 float32": GAUSSIAN_11_FLOAT32,
    "uniform 7": UNIFORM_7,
    "uniform 11": UNIFORM_11,
}
