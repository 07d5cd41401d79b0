"""Whether measured scores of the unprocessed input are those that a card gives."""

from __future__ import annotations

from derainbench.catalogue.cards import InputScore

#: How far the scores may be from the card's, whose last digit is rounded: in dB, and of SSIM.
TOLERANCES = {"psnr": 0.005, "ssim": 0.0002}


def agrees(expected: InputScore, psnr: float, ssim: float) -> bool:
    """Whether mean scores of the input are the card's, but for its rounding; NaN agrees with nothing."""
    return abs(psnr - expected.psnr) <= TOLERANCES["psnr"] and abs(ssim - expected.ssim) <= TOLERANCES["ssim"]


def disagreement(expected: InputScore, psnr: float, ssim: float) -> str:
    """What to say where they are not."""
    doubt = ", or its score is wrong, which nobody has confirmed" if expected.unconfirmed else ""
    return (
        f"the input scores {psnr:.3f} dB / {ssim:.4f}, the card says {expected.psnr} dB / {expected.ssim} under "
        f"{expected.protocol}: the files are not the ones the card describes{doubt}"
    )
