"""NASNet as its authors' code has it, without the scaling of its input; official parameter names.

Qin and Wang, "NASNet: A Neuron Attention Stage-by-Stage Net for Single Image Deraining", arXiv 1912.03151.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class NeuronAttention(nn.Module):
    """A gate in (0, 1) for every neuron, (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.att = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width), nn.ReLU(), nn.Conv2d(width, width, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.att(x)
        return gate


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(width, width), conv(2 * width, width)
        self.attlayer = NeuronAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(torch.cat((x, torch.relu(self.conv1(x))), 1))
        gated: Tensor = self.attlayer(y) * y
        return gated + x


class Stage(nn.Module):
    def __init__(self, blocks: int, width: int) -> None:
        super().__init__()
        self.s = nn.Sequential(*(Block(width) for _ in range(blocks)), conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.s(x)
        return change + x


class NASNet(nn.Module):
    """Chained stages, their outputs fused and gated, the input added at the end."""

    def __init__(self, stages: int = 3, blocks: int = 18, width: int = 64) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(blocks, width) for _ in range(stages))
        self.fusion_sub = nn.Sequential(conv(stages * width, width), nn.Conv2d(width, width, 1))
        self.fusion_att = NeuronAttention(width)
        self.pre = nn.Sequential(conv(3, width))
        self.post = nn.Sequential(conv(width, width), conv(width, 3))

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB to the restored image, same shape, not clamped."""
        x, outputs = self.pre(rainy), []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        fused = self.fusion_sub(torch.cat(outputs, 1))
        change: Tensor = self.post(self.fusion_att(fused) * fused)
        return change + rainy

    restore = forward
