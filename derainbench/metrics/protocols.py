"""The named ways of measuring PSNR and SSIM, as data: what each is and who measures so (:mod:`.scores` measures).

Published tables differ in colour space, rounding, window and border, which moves PSNR by 1 to 5 dB between them.
Every way of measuring therefore has a name here, and :data:`PROTOCOLS` holds them all. Needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from derainbench.errors import UserError, did_you_mean

#: What is measured: the channels of RGB; luma of BT.601, 16 to 235; that rounded to whole levels.
Colour = Literal["rgb", "luma", "luma levels"]
#: SSIM's window: Wang's of 11x11 (sigma 1.5 px), the same with weights rounded to float32, or the mean of 7x7.
Window = Literal["gaussian 11", "gaussian 11 float32", "uniform 7"]


@dataclass(frozen=True)
class Ssim:
    """How SSIM is measured: the window, and the data range that its constants are made of.

    ``downsampled`` is the automatic downsampling of Wang's ssim.m; ``sample_covariance`` divides by one less than the
    window has pixels; ``zero_padding`` pixels around the image make windows at its border.
    """

    window: Window
    data_range: float
    downsampled: bool = False
    sample_covariance: bool = False
    zero_padding: int = 0


@dataclass(frozen=True)
class Protocol:
    """A way of measuring. ``revision`` goes up whenever its numbers change: older stored scores are then stale.

    ``eight_bit`` says whether it measures 8-bit images, with a PSNR of peak 255 instead of 1, so that it matters how a
    float output becomes one. ``identical`` is the PSNR of identical images, in dB; ``from_float32`` measures what the
    images are once rounded to float32, whatever they are computed in.
    """

    name: str
    title: str
    description: str
    used_by: str
    revision: int
    ssim: Ssim
    colour: Colour = "rgb"
    eight_bit: bool = False
    identical: float = math.inf
    from_float32: bool = False


_ALL = (
    Protocol(
        name="y",
        title="Y of BT.601, SSIM Gaussian 11x11 with automatic downsampling",
        description="8-bit RGB to unrounded luma; PSNR with peak 1; SSIM of Wang's ssim.m, valid windows.",
        used_by="PReNet's MATLAB scripts, JORDER, RCDNet and most later papers on rain streaks",
        revision=1,
        colour="luma",
        ssim=Ssim("gaussian 11", 255, downsampled=True),
        eight_bit=True,
    ),
    Protocol(
        name="y-u8",
        title="Y of BT.601 in whole levels, SSIM Gaussian 11x11",
        description="8-bit RGB to luma rounded to 8 bit; PSNR with peak 255; SSIM of Wang's version 1.0.",
        used_by="JORDER's release, MPRNet, Restormer, DRSformer",
        revision=1,
        colour="luma levels",
        ssim=Ssim("gaussian 11", 255),
        eight_bit=True,
    ),
    Protocol(
        name="rgb",
        title="RGB in 8 bit, SSIM Gaussian 11x11",
        description="Rounded to 8 bit; PSNR with peak 255; SSIM a channel, valid windows, mean of the channels.",
        used_by="derain-toolbox and most Python code",
        revision=1,
        ssim=Ssim("gaussian 11", 255),
        eight_bit=True,
    ),
    Protocol(
        name="rgb-float-u7",
        title="RGB in float, SSIM uniform 7x7",
        description="Clamped, not rounded; PSNR with peak 1; scikit-image's default SSIM with data range 1.",
        used_by="NASNet's authors",
        revision=1,
        ssim=Ssim("uniform 7", 1, sample_covariance=True),
    ),
    Protocol(
        name="rgb-float-u7-range2",
        title="RGB in float, SSIM uniform 7x7 with data range 2",
        description="As rgb-float-u7, with old scikit-image's range for floats: SSIM .02 to .19 too high.",
        used_by="SPANet's code",
        revision=1,
        ssim=Ssim("uniform 7", 2, sample_covariance=True),
    ),
    Protocol(
        name="rgb-zeropad",
        title="RGB in float, SSIM Gaussian 11x11 over zero padding",
        description="Clamped, not rounded; PSNR with peak 1, 100 if identical; SSIM at every pixel, zeros outside.",
        used_by="FFA-Net, RESCAN's and SPANet's cal_ssim, PReNet's training loss",
        revision=1,
        ssim=Ssim("gaussian 11 float32", 1, zero_padding=5),
        identical=100,
        from_float32=True,
    ),
)
#: All ways of measuring by name.
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({p.name: p for p in _ALL})
#: Those that a run scores where it is not asked for others.
DEFAULT_PROTOCOLS = ("y", "rgb", "rgb-float-u7")


def get_protocol(name: str) -> Protocol:
    """The protocol of that name; :class:`UserError` listing all of them if there is none."""
    if name not in PROTOCOLS:
        hint, known = did_you_mean(name, list(PROTOCOLS)), "known: " + ", ".join(sorted(PROTOCOLS))
        raise UserError(f"unknown metric protocol {name!r}: " + (hint if hint == known else f"{hint} ({known})"))
    return PROTOCOLS[name]
