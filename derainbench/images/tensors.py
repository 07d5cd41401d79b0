"""Images between arrays, as files hold them, and tensors, as networks take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from derainbench.errors import UserError
from derainbench.images.decode import Array
from derainbench.images.quantisation import Quantisation


def to_tensor(image: Array) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) float32 in [0, 1]."""
    # Always a copy: torch warns of Pillow's read-only memory, which a single row or column would otherwise share.
    return torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C")).float().div_(255)


def check_image(image: NDArray[Any], name: str) -> None:
    """:class:`UserError` for an array that is no image: (H, W, 3), uint8 or floats in [0, 1]."""
    if image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"{name} has the shape {image.shape}: an array of an image is (H, W, 3), RGB")
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"{name} is of {image.dtype}: an array of an image is uint8, or floats in [0, 1]")


def to_array(image: Tensor, quantisation: Quantisation = "round") -> Array:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8. Of float64 as that: near half a level float32 may round the other way."""
    values = image.detach() if image.dtype == torch.float64 else image.detach().float()
    scaled = grey_levels(values.clamp(0, 1), quantisation).to(torch.uint8)
    return scaled.permute(1, 2, 0).cpu().numpy()


def grey_levels(image: Tensor, quantisation: Quantisation = "round") -> Tensor:
    """Values in [0, 1] as whole grey levels, 0 to 255, in a new tensor of the same type."""
    if quantisation == "round":
        return image.mul(255).round_()
    # In float32, as networks and their authors compute: there 255 * (k / 255) is k again, in float64 it may fall below.
    return image.float().mul(255).floor_().to(image.dtype)
