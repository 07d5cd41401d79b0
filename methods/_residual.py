"""Layers of PReNet (Ren et al., CVPR 2019) that later networks of its group keep."""

from __future__ import annotations

from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualUnit(nn.Module):
    """ReLU(ReLU(conv(ReLU(conv(x)))) + x): a ReLU before the sum as well as after it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv3x3(width, width), conv3x3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.second(self.first(x).relu_()).relu_()
        return (features + x).relu_()
