"""DDN as published: 26 layers, a guided filter by cumulative sums, official parameter names.

Fu, Huang, Zeng, Huang, Ding and Paisley, "Removing Rain from Single Images via a Deep Detail Network", CVPR 2017.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Convolution(nn.Module):
    """3x3, with bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(outputs, inputs, 3, 3)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, self.bias, padding=1)


class Normalisation(nn.Module):
    """Batch normalisation under TensorFlow's names and defaults."""

    moving_mean: Tensor
    moving_variance: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("moving_mean", torch.zeros(width))
        self.register_buffer("moving_variance", torch.ones(width))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        averages = (self.moving_mean, self.moving_variance)
        return F.batch_norm(x, *averages, self.gamma, self.beta, self.training, momentum=0.01, eps=1e-3)


class DDN(nn.Module):
    """Shortcuts around every pair of layers, or one around all of them."""

    def __init__(self, shortcut: str = "pairs") -> None:
        super().__init__()
        self.shortcut = shortcut
        for number in range(1, 27):
            inputs, outputs = 3 if number == 1 else 16, 3 if number == 26 else 16
            layer = nn.Module()
            layer.add_module(f"conv_{number}", Convolution(inputs, outputs))
            layer.add_module(f"bn_{number}", Normalisation(outputs))
            self.add_module(f"layer_{number}", layer)

    def layer(self, number: int, x: Tensor) -> Tensor:
        part = self.get_submodule(f"layer_{number}")
        x = part.get_submodule(f"conv_{number}")(x)
        normalised: Tensor = part.get_submodule(f"bn_{number}")(x)
        return normalised

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image."""
        detail = rainy - guided(rainy)
        x = torch.relu(self.layer(1, detail))
        first = x
        for number in range(2, 26, 2):
            found = torch.relu(self.layer(number, x))
            found = torch.relu(self.layer(number + 1, found))
            x = x + found if self.shortcut == "pairs" else found
        if self.shortcut == "global":
            x = first + x
        return rainy + self.layer(26, x)


def box(x: Tensor, radius: int) -> Tensor:
    """Sums over windows of 2 radius + 1 squared, by differences of cumulative sums."""
    for dim in (2, 3):
        before, length = radius + 1, x.shape[dim]
        sums = F.pad(x, (0, 0, before, radius) if dim == 2 else (before, radius)).cumsum(dim)
        x = sums.narrow(dim, 2 * radius + 1, length) - sums.narrow(dim, 0, length)
    return x


def guided(image: Tensor, radius: int = 15, eps: float = 1.0) -> Tensor:
    """The image filtered with itself as the guide; in float64, for cumulative sums lose digits in float32."""
    x = image.double()
    count = box(torch.ones_like(x[:1, :1]), radius)
    mean = box(x, radius) / count
    variance = box(x * x, radius) / count - mean * mean
    slope = variance / (variance + eps)
    offset = mean - slope * mean
    return (box(slope, radius) / count * x + box(offset, radius) / count).to(image.dtype)
