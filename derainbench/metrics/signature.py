"""A protocol in one line that can be pasted into a paper, all that decides a number in it, as sacrebleu's signatures.

Post, "A call for clarity in reporting BLEU scores", 2018.
"""

from __future__ import annotations

from derainbench import __version__
from derainbench.metrics.protocol import Crop, Protocol, Psnr, Resize, Ssim
from derainbench.metrics.protocols import is_own


def signature(protocol: Protocol) -> str:
    """``y|rev:1|levels:round|size:whole|colour:y|border:0|psnr:peak255|ssim:gaussian11-valid-...|derainbench:0.9``.

    A user's own protocol has the hash of its definition in place of a revision.
    """
    levels = protocol.levels if protocol.clamped else f"{protocol.levels}-unclamped"
    colour = protocol.colour if protocol.luma_rounding == "none" else f"{protocol.colour}-{protocol.luma_rounding}"
    parts = [
        protocol.name,
        f"hash:{protocol.digest}" if is_own(protocol.name) else f"rev:{protocol.revision}",
        f"levels:{levels}{'-float32' if protocol.from_float32 else ''}",
        f"size:{_size(protocol.geometry)}",
        f"colour:{colour}",
        f"border:{protocol.border}",
        f"psnr:{_psnr(protocol.psnr)}",
        f"ssim:{_ssim(protocol.ssim)}",
        f"derainbench:{__version__}",
    ]
    return "|".join(parts)


def _size(geometry: Crop | Resize | None) -> str:
    if isinstance(geometry, Crop):
        return f"crop{geometry.multiple}-{geometry.anchor}"
    if isinstance(geometry, Resize):
        longest = "" if geometry.longest is None else f"-longest{geometry.longest}"
        return f"lanczos{geometry.multiple}{longest}"
    return "whole"


def _psnr(how: Psnr) -> str:
    parts = [f"peak{how.peak:g}"]
    parts += [f"eps{how.epsilon:g}"] if how.epsilon else []
    parts += [f"identical{how.identical:g}"] if how.identical is not None else []
    return "-".join(parts)


def _ssim(how: Ssim) -> str:
    parts = [how.window.replace(" ", ""), how.border, f"range{how.data_range:g}"]
    said = {"3d": how.axes == 3, "downsampled": how.downsampled, "sample": how.sample_covariance}
    said |= {"rounded": how.rounded, "clipped": how.clipped, f"eps{how.epsilon:g}": how.epsilon > 0}
    return "-".join([*parts, *(word for word, holds in said.items() if holds)])
