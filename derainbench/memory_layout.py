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
    for parameter in network.parameters():
        if parameter.ndim == 4:  # nn.Module.to would refuse a network that has weights of five dimensions as well
            parameter.data = channels_last(parameter.data)
