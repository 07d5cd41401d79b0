"""SPANet as published, its recurrences as loops over an image's rows and columns; official parameter names, BGR.

Wang, Yang, Xu, Chen, Zhang and Lau, "Spatial Attentive Single-Image Deraining with a High Quality Real Rain Dataset",
CVPR 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def scan(x: Tensor, weight: Tensor, bias: Tensor | None, dim: int, backwards: bool) -> Tensor:
    """y[0] = ReLU(x[0]), y[t] = ReLU(weight y[t-1] + bias + x[t]) along one axis of (B, C, H, W), a line at a time.

    ``weight`` is (C, 1, 1, 1) as the convolution's that the authors keep it in, ``bias`` (C,).
    """
    assert bias is not None
    lines = list(x.unbind(dim))
    if backwards:
        lines.reverse()
    weight, bias = weight.view(-1, 1), bias.view(-1, 1)
    states = [torch.relu(lines[0])]
    for line in lines[1:]:
        states.append(torch.relu(weight * states[-1] + bias + line))
    if backwards:
        states.reverse()
    return torch.stack(states, dim)


class SpacialIRNN(nn.Module):
    """Four recurrences with ReLU, one from each side of the image (the spelling is the authors')."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.left_weight = nn.Conv2d(width, width, 1, groups=width)
        self.right_weight = nn.Conv2d(width, width, 1, groups=width)
        self.up_weight = nn.Conv2d(width, width, 1, groups=width)
        self.down_weight = nn.Conv2d(width, width, 1, groups=width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What has gathered going up, right, down and left; each has the shape of ``x``, (B, C, H, W)."""
        return (
            scan(x, self.up_weight.weight, self.up_weight.bias, dim=2, backwards=True),
            scan(x, self.right_weight.weight, self.right_weight.bias, dim=3, backwards=False),
            scan(x, self.down_weight.weight, self.down_weight.bias, dim=2, backwards=False),
            scan(x, self.left_weight.weight, self.left_weight.bias, dim=3, backwards=True),
        )


class Attention(nn.Module):
    """Weights for the four directions, (B, 4, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // 2, 3, padding=1)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1)
        self.conv3 = nn.Conv2d(width // 2, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x))))))


class SAM(nn.Module):
    """Spatial attentive module: where the rain is, (B, 1, H, W) in (0, 1).

    ``directional`` multiplies the four directions of each recurrence by the attention's weights, as the paper says. The
    authors' code computes the products and drops them, so that its attention has parameters and no effect.
    """

    def __init__(self, width: int, directional: bool) -> None:
        super().__init__()
        self.directional = directional
        self.irnn1, self.irnn2 = SpacialIRNN(width), SpacialIRNN(width)
        self.conv_in = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(4 * width, width, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(4 * width, width, 3, padding=1, bias=False)
        self.attention_layer = Attention(width)
        self.conv_out = nn.Conv2d(width, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.attention_layer(x) if self.directional else None
        x = self.conv2(self.gather(self.irnn1, self.conv_in(x), weights))
        x = torch.relu(self.conv3(self.gather(self.irnn2, x, weights)))
        return torch.sigmoid(self.conv_out(x))

    @staticmethod
    def gather(irnn: SpacialIRNN, x: Tensor, weights: Tensor | None) -> Tensor:
        directions = irnn(x)
        if weights is not None:
            directions = tuple(d * weights[:, k : k + 1] for k, d in enumerate(directions))
        return torch.cat(directions, 1)


class Bottleneck(nn.Module):
    """1x1, dilated 3x3, 1x1; a ReLU after the first two."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=2, dilation=2, bias=False)
        self.conv3 = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
        return change


class Block(nn.Module):
    """ReLU(bottleneck(x) + x), the bottleneck's part multiplied by the mask where there is one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.group1 = Bottleneck(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        change = self.group1(x)
        return torch.relu((change if mask is None else change * mask) + x)


class SPANet(nn.Module):
    """Three blocks; four times the one attentive module and three blocks under its mask; two blocks; no input skip."""

    def __init__(self, directional: bool = False) -> None:
        super().__init__()
        self.conv_in = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.ReLU())
        self.SAM1 = SAM(32, directional)
        for number in range(1, 18):
            setattr(self, f"res_block{number}", Block(32))
        self.conv_out = nn.Sequential(nn.Conv2d(32, 3, 3, padding=1, bias=False))

    def forward(self, rainy: Tensor) -> tuple[list[Tensor], Tensor]:
        """(B, 3, H, W) BGR in [0, 1] to the four masks (B, 1, H, W) and the restored image, BGR, not clamped."""
        x = self.conv_in(rainy)
        for number in (1, 2, 3):
            x = self.block(number)(x)
        masks = []
        for first in (4, 7, 10, 13):
            mask = self.SAM1(x)
            masks.append(mask)
            for number in range(first, first + 3):
                x = self.block(number)(x, mask)
        for number in (16, 17):
            x = self.block(number)(x)
        return masks, self.conv_out(x)

    def block(self, number: int) -> nn.Module:
        block: nn.Module = getattr(self, f"res_block{number}")
        return block

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        restored: Tensor = self(rainy.flip(1))[1]
        return restored.flip(1)
