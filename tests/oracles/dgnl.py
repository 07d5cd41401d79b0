"""DGNL-Net fast as released; official parameter names, sides that are multiples of 32.

Hu, Zhu, Wang, Fu and Heng, "Single-Image Real-Time Rain Removal Based on Depth-Guided Non-Local Features", TIP 2021.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gn_selu(conv: nn.Module, width: int) -> nn.Sequential:
    return nn.Sequential(conv, nn.GroupNorm(32, width), nn.SELU())


class Body(nn.Module):
    """A unit of the rain's part."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(
            nn.Conv2d(64, 128, 1, bias=False),
            nn.ReLU6(),
            nn.Conv2d(128, 128, 3, 1, d, d, groups=64, bias=False),
            nn.ReLU6(),
            nn.Conv2d(128, 64, 1, bias=False),
        )
        self.conv1 = nn.Sequential(
            nn.Conv2d(64, 64, 3, 1, d, d, groups=64, bias=False), nn.ReLU6(), nn.Conv2d(64, 64, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv1(self.conv0(x))
        return y


class NonLocal(nn.Module):
    """Every position of x, at a quarter of the sides, with every one at an eighth."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(64, 64, 4, 4, groups=64, bias=False)
        nn.init.constant_(self.down.weight, 1 / 16)
        self.theta, self.phi, self.g = nn.Conv2d(64, 32, 1), nn.Conv2d(64, 32, 1), nn.Conv2d(64, 32, 1)
        self.z = nn.Conv2d(32, 64, 1)

    def forward(self, x: Tensor, depth: Tensor) -> Tensor:
        n, _, h, w = x.shape
        x_d = self.down(x)
        theta = self.theta(x_d).reshape(n, 32, -1).permute(0, 2, 1)
        phi = F.max_pool2d(self.phi(x_d), 2).reshape(n, 32, -1)
        g = F.max_pool2d(self.g(x_d), 2).reshape(n, 32, -1).permute(0, 2, 1)
        r_a = torch.softmax(torch.bmm(theta, phi), 2)
        d1 = F.interpolate(depth, size=(h // 4, w // 4), mode="bilinear", align_corners=True).reshape(n, -1, 1)
        d2 = F.interpolate(depth, size=(h // 8, w // 8), mode="bilinear", align_corners=True).reshape(n, 1, -1)
        r_d = torch.softmax(torch.min(d1 / (d2 + 1e-6), d2 / (d1 + 1e-6)), 2)
        s = torch.softmax(r_a * r_d, 2)
        y = torch.bmm(s, g).permute(0, 2, 1).reshape(n, 32, h // 4, w // 4)
        return x + F.interpolate(self.z(y), size=(h, w), mode="bilinear", align_corners=True)


class DGNLNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), requires_grad=False)
        self.std = nn.Parameter(torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), requires_grad=False)
        self.conv1 = gn_selu(nn.Conv2d(3, 32, 8, 4, 2), 32)
        self.conv2 = gn_selu(nn.Conv2d(32, 64, 4, 2, 1), 64)
        self.conv3 = gn_selu(nn.Conv2d(64, 128, 4, 2, 1), 128)
        self.conv5 = gn_selu(nn.Conv2d(128, 128, 3, 1, 2, 2), 128)
        self.conv8 = gn_selu(nn.ConvTranspose2d(128, 64, 4, 2, 1), 64)
        self.conv9 = gn_selu(nn.ConvTranspose2d(64, 32, 4, 2, 1), 32)
        self.depth_pred = nn.Sequential(
            nn.Conv2d(32, 32, 3, 1, 1), nn.GroupNorm(32, 32), nn.SELU(), nn.Conv2d(32, 1, 1), nn.Sigmoid()
        )
        self.head = nn.Sequential(
            nn.Conv2d(3, 32, 1, bias=False),
            nn.ReLU6(),
            nn.Conv2d(32, 32, 8, 4, 2, groups=32, bias=False),
            nn.ReLU6(),
            nn.Conv2d(32, 64, 1, bias=False),
        )
        self.body = nn.Sequential(*(Body(d) for d in (1, 2, 2, 4, 8, 4, 2, 2, 1)))
        self.dgnlb = NonLocal()
        self.tail = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 8, 4, 2, groups=32, bias=False), nn.ReLU6(), nn.Conv2d(32, 3, 1, bias=False)
        )

    def forward(self, rainy: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) RGB in [0, 1] to the restored image and the depth at full size, (B, 1, H, W)."""
        x = (rainy - self.mean) / self.std
        f1 = self.conv1(x)
        f2 = self.conv2(f1)
        f8 = self.conv8(self.conv5(self.conv3(f2)))
        f9 = self.conv9(f8 + f2)
        depth = self.depth_pred(f9 + f1)
        rain = self.tail(self.dgnlb(self.body(self.head(x)), depth.detach()))
        restored = torch.clamp((x + rain) * self.std + self.mean, 0, 1)
        return restored, F.interpolate(depth, size=rainy.shape[2:], mode="bilinear", align_corners=True)

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape."""
        restored: Tensor = self(rainy)[0]
        return restored
