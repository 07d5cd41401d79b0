"""Layers of Restormer (Zamir et al., CVPR 2022) that its successors keep."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, side: int = 1) -> nn.Conv2d:
    """Convolution without bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)


def depthwise(width: int, side: int, dilation: int = 1) -> nn.Conv2d:
    """Each channel by a kernel of its own, without bias; the image keeps its size."""
    return nn.Conv2d(width, width, side, 1, dilation * (side // 2), dilation, groups=width, bias=False)


class ChannelNorm(nn.Module):
    """Normalises the channels of every pixel: (B, C, H, W) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias).permute(0, 3, 1, 2)


class ChannelAttention(nn.Module):
    """Attention of channels to channels, over all pixels: (B, C, H, W) to the same shape. C is a multiple of heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = conv(width, 3 * width)
        self.qkv_dwconv = depthwise(3 * width, 3)
        self.project_out = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, height, breadth = x.shape
        qkv = self.qkv_dwconv(self.qkv(x)).reshape(batch, 3, self.heads, width // self.heads, height * breadth)
        query, key, value = qkv.unbind(1)
        scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT * self.temperature
        attended = self.weights(scores).to(value.dtype) @ value
        gathered: Tensor = self.project_out(attended.reshape(batch, width, height, breadth))
        return gathered

    def weights(self, scores: Tensor) -> Tensor:
        """What a channel (row) takes of each (column): (B, heads, C / heads, C / heads) to the same shape."""
        return scores.softmax(dim=-1)


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, width: int, attention: nn.Module, feed_forward: nn.Module) -> None:
        super().__init__()
        self.norm1, self.attn = ChannelNorm(width), attention
        self.norm2, self.ffn = ChannelNorm(width), feed_forward

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        transformed: Tensor = x + self.ffn(self.norm2(x))
        return transformed


def down(width: int) -> nn.Sequential:
    """To half the size and twice the channels; both sides even."""
    return nn.Sequential(conv(width, width // 2, 3), nn.PixelUnshuffle(2))


def up(width: int) -> nn.Sequential:
    """To twice the size and half the channels."""
    return nn.Sequential(conv(width, 2 * width, 3), nn.PixelShuffle(2))


def official_layer(name: str) -> str:
    """What Restormer's code calls one of these layers' parameters: it has another module around norms and samplings."""
    name = re.sub(r"\b(norm[12])\.", r"\1.body.", name)
    return re.sub(r"\b((?:down|up)\w*)\.0\.", r"\1.body.0.", name)
