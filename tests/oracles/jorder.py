"""JORDER: the released network in its files' layout, and the paper's as docs/methods.md proposes it; official names.

Yang, Tan, Feng, Liu, Guo and Yan, "Deep Joint Rain Detection and Removal from a Single Image", CVPR 2017.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size."""
    return nn.Conv2d(inputs, outputs, 3, 1, dilation, dilation)


class Block(nn.Module):
    """x plus three paths of two convolutions, dilated by 1, 2 and 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.path1 = nn.Sequential(conv(width, width), conv(width, width))
        self.path2 = nn.Sequential(conv(width, width, 2), conv(width, width, 2))
        self.path3 = nn.Sequential(conv(width, width, 3), conv(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        near = self.path1[1](torch.relu(self.path1[0](x)))
        middle = self.path2[1](torch.relu(self.path2[0](x)))
        far = self.path3[1](torch.relu(self.path3[0](x)))
        return torch.relu(x + near + middle + far)


class Paper(nn.Module):
    """One recurrence of the proposal: luma to background, streaks, and the mask's logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = conv(1, width)
        self.context = nn.ModuleList(Block(width) for _ in range(5))
        self.mask = conv(width, 2)
        self.streak = conv(width + 2, 1)
        self.background = conv(width + 4, 1)

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.relu(self.head(luma))
        for block in self.context:
            x = block(x)
        logits = self.mask(x)
        mask = torch.softmax(logits, 1)
        streak = self.streak(torch.cat((x, mask), 1))
        clean = luma - mask[:, 1:2] * streak
        return clean + self.background(torch.cat((x, mask, streak, clean), 1)), streak, logits


class JORDER(nn.Module):
    """``network`` is released or paper; ``recurrences`` are the paper's."""

    def __init__(self, network: str = "released", recurrences: int = 1, width: int = 64) -> None:
        super().__init__()
        self.recurrences = recurrences
        if network == "paper":
            self.paper = Paper(width)
            return
        self.Convolution1 = conv(1, width)
        for number in range(2, 12):
            setattr(self, f"Convolution{number}", conv(width, width))
        self.Convolution12 = conv(width, 1)

    def released(self, luma: Tensor) -> Tensor:
        """(B, 1, W, H), columns for rows as MATLAB has images, to the derained luma, same shape."""
        first = x = torch.relu(self.Convolution1(luma))
        for number in range(2, 12, 2):
            inner = torch.relu(self.layer(number)(x))
            x = torch.relu(0.5 * x + 0.5 * self.layer(number + 1)(inner))
        derained: Tensor = luma + self.Convolution12(0.5 * first + 0.5 * x)
        return derained

    def layer(self, number: int) -> nn.Module:
        layer: nn.Module = getattr(self, f"Convolution{number}")
        return layer

    def forward(self, luma: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Background, streaks and the mask's logits of every recurrence of the paper's network."""
        estimates = []
        for _ in range(self.recurrences):
            estimates.append(self.paper(luma))
            luma = estimates[-1][0]
        return estimates

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image with the input's colour differences, not clamped."""
        luma = to_luma(rainy)
        if hasattr(self, "paper"):
            derained = self(luma)[-1][0]
        else:
            border = 20
            whole = F.pad(luma, (border, border, border, border), mode="replicate").transpose(2, 3)
            derained = self.released(whole).transpose(2, 3)[..., border:-border, border:-border]
        blue, red = (rainy[:, 2:] - luma_without_offset(rainy), rainy[:, :1] - luma_without_offset(rainy))
        grey = (derained - 16 / 255) * 255 / 219
        green = (grey - 0.299 * (red + grey) - 0.114 * (blue + grey)) / 0.587
        return torch.cat((red + grey, green, blue + grey), 1)


class Accumulation(JORDER):
    """The released network for heavy rain and its veil: what rain adds to the luma, and how much light passes."""

    def __init__(self) -> None:
        super().__init__()
        self.zeros_map = nn.Conv2d(1, 1, 1)
        self.Accu_Convolution1 = conv(3, 64)
        for number in range(2, 6):
            setattr(self, f"Accu_Convolution{number}", conv(64, 64))
        self.Accu_Convolution6 = conv(64, 1)

    def veil(self, luma: Tensor, image: Tensor) -> dict[str, Tensor]:
        """(B, 1, W, H) and (B, 3, W, H) RGB, in [0, 1], to the streaks, the transmission, and what leads to it."""
        a1 = torch.relu(self.Accu_Convolution1(image))
        e1 = torch.relu(0.5 * a1 + 0.5 * self.accu(3, torch.relu(self.accu(2, a1))))
        e2 = 0.5 * e1 + 0.5 * self.accu(5, torch.relu(self.accu(4, e1)))
        seen = torch.relu(torch.relu(self.Convolution1(luma)) + e2)
        steps = {"Accu_Convolution1": a1, "Accu_Eltwise1": e1, "Accu_Eltwise2": e2, "Accu_Eltwise2_all": seen}
        return {"streak": luma - self.released(luma), "trans": torch.relu(self.Accu_Convolution6(seen)), **steps}

    def accu(self, number: int, x: Tensor) -> Tensor:
        found: Tensor = getattr(self, f"Accu_Convolution{number}")(x)
        return found


def luma_without_offset(image: Tensor) -> Tensor:
    """Full-range luma by the weights of BT.601."""
    return 0.299 * image[:, :1] + 0.587 * image[:, 1:2] + 0.114 * image[:, 2:]


def to_luma(image: Tensor) -> Tensor:
    """Limited-range luma of BT.601, (B, 1, H, W), from 16/255 to 235/255."""
    return (65.481 * image[:, :1] + 128.553 * image[:, 1:2] + 24.966 * image[:, 2:] + 16) / 255
