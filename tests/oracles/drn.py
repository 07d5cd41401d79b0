"""DRN as published: every stage computed in full, official parameter names.

Cai, Li, Ren and Wang, "Dual Recursive Network for Fast Image Deraining", ICIP 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.oracles.prenet import conv, conv_relu


def residual(width: int) -> nn.Sequential:
    return nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width), nn.ReLU())


class DRN(nn.Module):
    """Two residual units, again and again in a stage, and the stage again and again."""

    def __init__(self, stages: int = 7, recursions: int = 7) -> None:
        super().__init__()
        self.stages, self.recursions = stages, recursions
        self.conv0 = conv_relu(6, 16)
        self.res_conv1, self.res_conv2 = residual(16), residual(16)
        self.conv = nn.Sequential(conv(16, 3))

    def forward(self, rainy: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 1] to the estimate of every stage, first to last."""
        estimate, estimates = rainy, []
        for _ in range(self.stages):
            x = self.conv0(torch.cat((rainy, estimate), 1))
            for _ in range(self.recursions):
                x = torch.relu(self.res_conv1(x) + x)
                x = torch.relu(self.res_conv2(x) + x)
            estimate = self.conv(x) + rainy
            estimates.append(estimate)
        return estimates

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        restored: Tensor = self(rainy)[-1]
        return restored
