"""RESCAN as published: one convolution a gate and input, official parameter names, BGR.

Li, Wu, Lin, Liu and Zha, "Recurrent Squeeze-and-Excitation Context Aggregation Net", ECCV 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Letters of the gates, as the convolutions that make them are called (conv_xz sees the features, conv_hz the state).
GATES = {"gru": "zrn", "lstm": "fijo"}


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a factor in (0, 1) made from all channels' means; always six numbers in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(width, 6), nn.ReLU(), nn.Linear(6, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        factors: Tensor = self.fc(x.mean((2, 3)))
        return x * factors[:, :, None, None]


def squeeze_excitation(width: int, se: bool) -> nn.Module:
    return SqueezeExcitation(width) if se else nn.Identity()


class Unit(nn.Module):
    """A recurrent layer: the gates' convolutions, the recurrence, squeeze-and-excitation, LeakyReLU."""

    # made by name below: those of the unit's kind
    conv_x: nn.Conv2d
    conv_h: nn.Conv2d
    conv_xz: nn.Conv2d
    conv_hz: nn.Conv2d
    conv_xr: nn.Conv2d
    conv_hr: nn.Conv2d
    conv_xn: nn.Conv2d
    conv_hn: nn.Conv2d
    conv_xf: nn.Conv2d
    conv_hf: nn.Conv2d
    conv_xi: nn.Conv2d
    conv_hi: nn.Conv2d
    conv_xj: nn.Conv2d
    conv_hj: nn.Conv2d
    conv_xo: nn.Conv2d
    conv_ho: nn.Conv2d

    def __init__(self, kind: str, inputs: int, width: int, dilation: int, se: bool) -> None:
        super().__init__()
        self.kind = kind
        seeing = {"x": (inputs, dilation), "h": (width, 1)}
        if kind == "conv":
            self.conv = nn.Conv2d(inputs, width, 3, padding=dilation, dilation=dilation)
        elif kind == "rnn":
            for name, (channels, d) in seeing.items():
                setattr(self, f"conv_{name}", nn.Conv2d(channels, width, 3, padding=d, dilation=d))
        else:
            for name, (channels, d) in seeing.items():
                for gate in GATES[kind]:
                    setattr(self, f"conv_{name}{gate}", nn.Conv2d(channels, width, 3, padding=d, dilation=d))
        self.se = squeeze_excitation(width, se)

    def forward(self, x: Tensor, h: Tensor | None, c: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The features, which are the next stage's ``h`` too, and the next stage's ``c``."""
        if self.kind == "conv":
            h = self.conv(x)
        elif self.kind == "rnn":
            h = torch.tanh(self.conv_x(x) if h is None else self.conv_x(x) + self.conv_h(h))
        elif self.kind == "gru":
            h = self.gru(x, h)
        else:
            h, c = self.lstm(x, h, c)
        return nn.functional.leaky_relu(self.se(h), 0.2), c

    def gru(self, x: Tensor, h: Tensor | None) -> Tensor:
        if h is None:
            return torch.sigmoid(self.conv_xz(x)) * torch.tanh(self.conv_xn(x))
        z = torch.sigmoid(self.conv_xz(x) + self.conv_hz(h))
        r = torch.sigmoid(self.conv_xr(x) + self.conv_hr(h))
        n = torch.tanh(self.conv_xn(x) + self.conv_hn(r * h))
        return (1 - z) * h + z * n

    def lstm(self, x: Tensor, h: Tensor | None, c: Tensor | None) -> tuple[Tensor, Tensor]:
        if h is None or c is None:
            i, j = torch.sigmoid(self.conv_xi(x)), torch.tanh(self.conv_xj(x))
            o = torch.sigmoid(self.conv_xo(x))
            c = i * j
            return o * c, c  # the first stage alone has no tanh here
        f = torch.sigmoid(self.conv_xf(x) + self.conv_hf(h))
        i = torch.sigmoid(self.conv_xi(x) + self.conv_hi(h))
        j = torch.tanh(self.conv_xj(x) + self.conv_hj(h))
        o = torch.sigmoid(self.conv_xo(x) + self.conv_ho(h))
        c = f * c + i * j
        return o * torch.tanh(c), c


class RESCAN(nn.Module):
    """``unit`` is gru, lstm, rnn or conv; ``frame`` full or add; ``depth`` counts the decoder's two layers as well."""

    def __init__(
        self,
        unit: str = "gru",
        frame: str = "full",
        se: bool = True,
        stages: int = 4,
        depth: int = 7,
        width: int = 24,
    ) -> None:
        super().__init__()
        self.frame, self.stages = frame, stages
        self.rnns = nn.ModuleList([Unit(unit, 3, width, 1, se)])
        self.rnns.extend(Unit(unit, width, width, 2**i, se) for i in range(depth - 3))
        self.dec = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            squeeze_excitation(width, se),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 3, 1),
        )

    def forward(self, rainy: Tensor) -> list[Tensor]:
        """(B, 3, H, W) BGR in [0, 1] to the rain layer that each stage predicts, first to last."""
        x = rainy
        rains: list[Tensor] = []
        states: list[tuple[Tensor | None, Tensor | None]] = [(None, None)] * len(self.rnns)
        for _ in range(self.stages):
            for layer, unit in enumerate(self.rnns):
                x, c = unit(x, *states[layer])
                states[layer] = (x, c)
            rain = self.dec(x)
            if self.frame == "add" and rains:
                rain = rain + rains[-1].detach()
            rains.append(rain)
            x = rainy - rain
        return rains

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        rain: Tensor = self(rainy.flip(1))[-1]
        return rainy - rain.flip(1)
