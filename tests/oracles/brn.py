"""BRN's family as published: one convolution a gate, every stage computed in full, official parameter names.

Shang, Zhu, Ren and Zuo, "Bilateral Recurrent Network for Single Image Deraining", ICASSP 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.oracles.prenet import conv, conv_relu

#: The activations of the gates.
GATES = {"i": nn.Sigmoid, "f": nn.Sigmoid, "g": nn.Tanh, "o": nn.Sigmoid}


class BRN(nn.Module):
    """``hears`` is both (BRN), none (CRN), image (BRN-RX) or rain (BRN-XR): whose gates see the other's features."""

    def __init__(self, hears: str = "both", stages: int = 4, supervised: str = "image", width: int = 32) -> None:
        super().__init__()
        self.stages, self.width = stages, width
        self.heard_by = {"": hears in ("both", "image"), "_r": hears in ("both", "rain")}
        for suffix, images in (("", 9), ("_r", 6)):
            self.add_module(f"conv0{suffix}", conv_relu(images, width))
            for number in range(1, 6):
                unit = nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width), nn.ReLU())
                self.add_module(f"res_conv{number}{suffix}", unit)
            seen = (3 if self.heard_by[suffix] else 2) * width
            for gate, activation in GATES.items():
                self.add_module(f"conv_{gate}{suffix}", nn.Sequential(conv(seen, width), activation()))
            self.add_module(f"conv{suffix}", nn.Sequential(conv(width, 3)))

    def forward(self, rainy: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(B, 3, H, W) RGB in [0, 1] to every stage's estimate of the image, and of the rain; first to last."""
        zeros = rainy.new_zeros(rainy.shape[0], self.width, *rainy.shape[2:])
        state = {"": (zeros, zeros), "_r": (zeros, zeros)}
        x = r = rainy
        images, rains = [], []
        for _ in range(self.stages):
            r, state["_r"] = self.branch("_r", torch.cat((rainy, r), 1), state["_r"], state[""][0], units=3)
            x, state[""] = self.branch("", torch.cat((rainy, x, r), 1), state[""], state["_r"][0], units=5)
            images.append(x)
            rains.append(r)
        return images, rains

    def branch(
        self, suffix: str, images: Tensor, state: tuple[Tensor, Tensor], other: Tensor, units: int
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """An image and the branch's next features and cell."""
        h, c = state
        seen = [self.get_submodule(f"conv0{suffix}")(images), h]
        if self.heard_by[suffix]:
            seen.append(other)
        i, f, g, o = (self.get_submodule(f"conv_{gate}{suffix}")(torch.cat(seen, 1)) for gate in GATES)
        c = f * c + i * g
        h = o * torch.tanh(c)
        x = h
        for number in range(1, units + 1):
            x = torch.relu(self.get_submodule(f"res_conv{number}{suffix}")(x) + x)
        return self.get_submodule(f"conv{suffix}")(x), (h, c)

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        restored: Tensor = self(rainy)[0][-1]
        return restored
