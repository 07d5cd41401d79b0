"""A network on an image of any size: padded to what the network accepts, tiled where asked, clamped, cropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from derainbench.method import Derainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Overlap of neighbouring tiles in pixels, on each side.
TILE_OVERLAP = 64


def prepare(fabric: Fabric, network: Derainer) -> torch.nn.Module:
    """The network on Fabric's device and precision, ready for :func:`restore`."""
    return fabric.setup_module(network.eval())


@torch.inference_mode()
def restore(network: torch.nn.Module, rainy: Tensor, size_multiple: int = 1) -> Tensor:
    """(B, 3, H, W) RGB in [0, 1], any size from 1x1, to the restored image: same shape, float32, clamped to [0, 1]."""
    height, width = rainy.shape[-2:]
    padded = _pad(rainy, -height % size_multiple, -width % size_multiple)
    restored: Tensor = network(padded)
    return restored[..., :height, :width].float().clamp(0, 1)


def restore_tiled(network: torch.nn.Module, rainy: Tensor, tile: int, size_multiple: int = 1) -> Tensor:
    """:func:`restore` on tiles of ``tile`` pixels a side, each seen with a margin that is cut away again.

    For images too large for memory. The result equals the whole image's where the margin (:data:`TILE_OVERLAP`)
    covers the network's receptive field, and differs slightly near tile borders otherwise.
    """
    height, width = rainy.shape[-2:]
    # Multiples of what the network wants: only the image's own border is ever padded, and a strided network samples
    # every tile where it would sample the whole image.
    tile, margin = tile + -tile % size_multiple, TILE_OVERLAP + -TILE_OVERLAP % size_multiple
    if max(height, width) <= tile:
        return restore(network, rainy, size_multiple)
    whole = torch.empty_like(rainy, dtype=torch.float32)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            above, before = min(top, margin), min(left, margin)
            seen = rainy[..., top - above : top + tile + margin, left - before : left + tile + margin]
            restored = restore(network, seen, size_multiple)
            whole[..., top : top + tile, left : left + tile] = restored[
                ..., above : above + tile, before : before + tile
            ]
    return whole


def _pad(image: Tensor, below: int, right: int) -> Tensor:
    """Mirror the lower and right border; repeat it where the image is too small to be mirrored."""
    if not below and not right:
        return image
    mirrors = below < image.shape[-2] and right < image.shape[-1]
    return F.pad(image, (0, right, 0, below), mode="reflect" if mirrors else "replicate")
