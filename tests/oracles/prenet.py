"""PReNet's family as published: one convolution a gate, every stage computed in full, official parameter names.

Ren, Zuo, Hu, Zhu and Meng, "Progressive Image Deraining Networks", CVPR 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size."""
    return nn.Conv2d(inputs, outputs, 3, 1, 1)


def conv_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs), nn.ReLU())


def gate(activation: nn.Module) -> nn.Sequential:
    """What a recurrence computes from 32 features beside 32 of its state."""
    return nn.Sequential(conv(64, 32), activation)


class PReNet(nn.Module):
    """Defaults are PReNet. ``recurrence`` is lstm, gru or none; ``recurrence_at`` the residual units' start or end."""

    res_conv1: nn.Sequential

    def __init__(
        self,
        stages: int = 6,
        recurrence: str = "lstm",
        shared: bool = False,
        sees: str = "both",
        recurrence_at: str = "start",
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.stages, self.recurrence, self.shared = stages, recurrence, shared
        self.sees, self.recurrence_at, self.residual = sees, recurrence_at, residual
        self.conv0 = conv_relu(6 if sees == "both" else 3, 32)
        for number in range(1, 2 if shared else 6):
            setattr(self, f"res_conv{number}", nn.Sequential(conv(32, 32), nn.ReLU(), conv(32, 32), nn.ReLU()))
        if recurrence == "lstm":
            self.conv_i, self.conv_f = gate(nn.Sigmoid()), gate(nn.Sigmoid())
            self.conv_g, self.conv_o = gate(nn.Tanh()), gate(nn.Sigmoid())
        elif recurrence == "gru":
            self.conv_z, self.conv_b, self.conv_g = gate(nn.Sigmoid()), gate(nn.Sigmoid()), gate(nn.Tanh())
        self.conv = nn.Sequential(conv(32, 3))

    def forward(self, rainy: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 1] to the estimate of every stage, first to last."""
        h = c = rainy.new_zeros(rainy.shape[0], 32, *rainy.shape[2:])
        estimate, estimates = rainy, []
        for _ in range(self.stages):
            x = self.conv0(torch.cat((rainy, estimate), 1) if self.sees == "both" else estimate)
            if self.recurrence_at == "start":
                x, h, c = self.recur(x, h, c)
            for number in range(1, 6):
                unit = self.res_conv1 if self.shared else getattr(self, f"res_conv{number}")
                x = torch.relu(unit(x) + x)
            if self.recurrence_at == "end":
                x, h, c = self.recur(x, h, c)
            estimate = self.conv(x)
            if self.residual:
                estimate = estimate + rainy
            estimates.append(estimate)
        return estimates

    def recur(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The features and the state of the next stage."""
        if self.recurrence == "none":
            return x, h, c
        both = torch.cat((x, h), 1)
        if self.recurrence == "gru":
            z, b = self.conv_z(both), self.conv_b(both)
            h = (1 - z) * h + z * self.conv_g(torch.cat((b * h, x), 1))
            return h, h, c
        i, f, g, o = self.conv_i(both), self.conv_f(both), self.conv_g(both), self.conv_o(both)
        c = f * c + i * g
        h = o * torch.tanh(c)
        return h, h, c

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        restored: Tensor = self(rainy)[-1]
        return restored
