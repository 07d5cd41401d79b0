"""PSNR and SSIM of two images as a script has them: arrays or tensors, one image or a batch."""

from __future__ import annotations

from typing import Any, NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from derainbench.errors import UserError
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import check_image
from derainbench.metrics.scores import Scores
from derainbench.metrics.scores import score as score_batch

ImageArray = NDArray[Any]


class ImageScore(NamedTuple):
    """``psnr`` in dB, ``inf`` if the images are identical; ``ssim``, at most 1, NaN where it is undefined."""

    psnr: float
    ssim: float


@overload
def score(
    restored: ImageArray, clean: ImageArray, protocol: str = ..., quantisation: Quantisation = ...
) -> ImageScore: ...
@overload
def score(
    restored: Tensor, clean: Tensor, protocol: str = ..., quantisation: Quantisation = ...
) -> ImageScore | Scores: ...
def score(
    restored: ImageArray | Tensor, clean: ImageArray | Tensor, protocol: str = "y", quantisation: Quantisation = "round"
) -> ImageScore | Scores:
    """PSNR and SSIM of a restored image under a named protocol (:data:`derainbench.PROTOCOLS`).

    :param restored: an array of shape (H, W, 3), uint8 or floats in [0, 1]; or a tensor of floats in [0, 1] of shape
        (3, H, W), or (B, 3, H, W) for a batch. RGB.
    :param clean: the image it should be, of the same shape.
    :param protocol: how it is measured; a score without its protocol is meaningless.
    :param quantisation: how protocols of 8-bit images make whole grey levels of a restored image in floats.
    :returns: one score, and for a batch of tensors a tensor of B of each.
    :raises derainbench.errors.UserError: for other shapes or types, or a protocol that does not exist.

    Arrays are measured in float64, tensors in their own precision, float32 at least, on their device.

    >>> import numpy as np
    >>> clean = np.full((16, 16, 3), 100, dtype=np.uint8)
    >>> score(clean + 5, clean, "rgb").psnr
    34.15140352195873
    >>> psnr(clean, clean)
    inf
    """
    if isinstance(restored, Tensor) and restored.ndim == 4:
        return score_batch(restored, _tensor(clean), protocol, quantisation)
    return _single(restored, clean, protocol, quantisation)


def psnr(restored: ImageArray | Tensor, clean: ImageArray | Tensor, protocol: str = "y") -> float:
    """The PSNR of one image in dB, as :func:`score` measures it."""
    return _single(restored, clean, protocol).psnr


def ssim(restored: ImageArray | Tensor, clean: ImageArray | Tensor, protocol: str = "y") -> float:
    """The SSIM of one image, as :func:`score` measures it."""
    return _single(restored, clean, protocol).ssim


def _single(
    restored: ImageArray | Tensor, clean: ImageArray | Tensor, protocol: str, quantisation: Quantisation = "round"
) -> ImageScore:
    found = score_batch(_batch(restored, "restored"), _batch(clean, "clean"), protocol, quantisation)
    return ImageScore(float(found.psnr), float(found.ssim))


def _tensor(image: ImageArray | Tensor) -> Tensor:
    return image if isinstance(image, Tensor) else torch.from_numpy(np.asarray(image))


def _batch(image: ImageArray | Tensor, name: str) -> Tensor:
    """(1, 3, H, W) floats in [0, 1]."""
    if isinstance(image, Tensor):
        if image.ndim != 3:
            raise UserError(f"{name} has the shape {tuple(image.shape)}: a tensor of one image is (3, H, W)")
        return image.unsqueeze(0)
    array = np.asarray(image)
    check_image(array, name)
    levels = torch.from_numpy(array.astype(np.float64))
    return (levels / 255 if array.dtype == np.uint8 else levels).permute(2, 0, 1).unsqueeze(0)
