"""JORDER-E as released; official parameter names, grey levels from 0 to 255.

Yang, Tan, Feng, Guo, Yan and Liu, "Joint Rain Detection and Removal from a Single Image with Contextualized Deep
Networks", TPAMI 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size."""
    return nn.Conv2d(inputs, outputs, 3, 1, dilation, dilation)


class Block(nn.Module):
    """x plus three paths of two convolutions, the wider two a tenth each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(width, width), conv(width, width)
        self.conv3, self.conv4 = conv(width, width, 2), conv(width, width, 2)
        self.conv5, self.conv6 = conv(width, width, 2), conv(width, width, 4)

    def forward(self, x: Tensor) -> Tensor:
        near = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        middle = torch.relu(self.conv4(torch.relu(self.conv3(x))))
        far = torch.relu(self.conv6(torch.relu(self.conv5(x))))
        return x + near + 0.1 * middle + 0.1 * far


class Updater(nn.Module):
    """The blocks one after the other, each with what the same block of the stage before gave."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        for number in range(1, blocks + 1):
            setattr(self, f"res{number}", Block(width))

    def forward(self, x: Tensor, before: list[Tensor] | None) -> list[Tensor]:
        features = []
        for number, block in enumerate(self.children()):
            x = block(x)
            if before is not None:
                x = x + before[number]
            features.append(x)
        return features


class Stage(nn.Module):
    """Features, mask, level of rain, and the image."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.encoder = conv(6, width)
        self.updater = Updater(width, blocks)
        self.mask_estimator1, self.mask_estimator2 = conv(width, 8), conv(8, 2)
        self.level_estimator1, self.level_estimator2 = conv(width, 8), conv(8, 3)
        self.mask_F_w_encoder1, self.mask_F_w_encoder2 = conv(2, 16), conv(16, width)
        self.mask_F_b_encoder1, self.mask_F_b_encoder2 = conv(2, 16), conv(16, width)
        self.level_F_w_encoder1, self.level_F_w_encoder2 = conv(3, 16), conv(16, width)
        self.level_F_b_encoder1, self.level_F_b_encoder2 = conv(3, 16), conv(16, width)
        for layer in (self.mask_F_w_encoder2, self.level_F_w_encoder2):
            assert layer.bias is not None
            nn.init.constant_(layer.weight, 0)
            nn.init.constant_(layer.bias, 1)
        self.decoder = nn.Sequential(conv(width, width), conv(width, 3))

    def forward(
        self, rainy: Tensor, estimate: Tensor, before: tuple[Tensor, Tensor, Tensor, list[Tensor]] | None
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Image, mask's logits, level and the features of every block."""
        features = self.updater(self.encoder(torch.cat((rainy, estimate), 1)), None if before is None else before[3])
        f = features[-1]
        mask = self.mask_estimator2(self.mask_estimator1(f))
        level = self.level_estimator2(self.level_estimator1(f))
        if before is not None:
            mask, level = mask + before[1], level + before[2]
        mask_b = self.mask_F_b_encoder2(torch.relu(self.mask_F_b_encoder1(mask)))
        mask_w = self.mask_F_w_encoder2(torch.relu(self.mask_F_w_encoder1(mask)))
        level_b = self.level_F_b_encoder2(torch.relu(self.level_F_b_encoder1(level)))
        level_w = self.level_F_w_encoder2(torch.relu(self.level_F_w_encoder1(level)))
        image = self.decoder(mask_b + f + level_b + mask_w * f * level_w) + rainy
        return image, mask, level, features


class JORDERE(nn.Module):
    """``mask`` says which pixels its loss takes for rain; the network does not depend on it."""

    def __init__(self, blocks: int = 9, width: int = 64, mask: str = "released") -> None:
        super().__init__()
        self.mask = mask
        self.jorder1, self.jorder2 = Stage(width, blocks), Stage(width, blocks)

    def forward(self, rainy: Tensor) -> list[tuple[Tensor, Tensor, Tensor, list[Tensor]]]:
        """(B, 3, H, W) RGB from 0 to 255 to what both stages give."""
        first = self.jorder1(rainy, rainy, None)
        return [first, self.jorder2(rainy, first[0], first)]

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        restored: Tensor = self(255 * rainy)[-1][0]
        return restored / 255
