"""How images and convolutions lie in memory: the channels of a pixel together (channels-last).

Networks with few channels are up to three times as fast so on a CPU, and a GPU's tensor cores want it. Convolutions
pass the layout of their input on to what follows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def channels_last(images: Tensor) -> Tensor:
    """The same (B, C, H, W) images in this layout."""
    return images.contiguous(memory_format=torch.channels_last)


def lay_out(network: nn.Module) -> None:
    """Bring the network's two-dimensional convolutions into this layout, in place."""
    # Not nn.Module.to, which would turn every parameter of four dimensions, and refuse one of five.
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = channels_last(module.weight.data)
