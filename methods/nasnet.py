"""NASNet: Neuron Attention Stage-by-Stage Net (Qin and Wang, 2019, arXiv 1912.03151)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Derainer, Method, Paper, Recipe

Attention = Literal["na", "se", "none"]


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


class NeuronAttention(nn.Sequential):
    """A gate in (0, 1) for every neuron: depthwise 3x3, ReLU (Eq. 4), pointwise 1x1, sigmoid (Eq. 5).

    (B, C, H, W) to the gate, same shape; the caller multiplies. C = 64: 4,800 parameters. Fig. 5 varies the depthwise
    ``kernel_size``, which is odd; the network's is 3.
    """

    def __init__(self, width: int, kernel_size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(width, width, kernel_size, padding=kernel_size // 2, groups=width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1),
            nn.Sigmoid(),
        )


class SqueezeExcitation(nn.Sequential):
    """A gate for every channel from the channel means (Hu et al., CVPR 2018): (B, C, H, W) to (B, C, 1, 1)."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        squeezed = max(1, width // reduction)
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, width, 1),
            nn.Sigmoid(),
        )


class Gated(nn.Module):
    """Multiply the features by what an attention module makes of them."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = self.attention(x) * x
        return gated


def gate(attention: Attention, width: int) -> nn.Module:
    """The recalibration of Table 7: NA (NASNet), SE (SENet), or none at all (PlainNet)."""
    if attention == "na":
        return Gated(NeuronAttention(width))
    if attention == "se":
        return Gated(SqueezeExcitation(width))
    return nn.Identity()


class Block(nn.Module):
    """y = conv(cat[x, ReLU(conv(x))]); out = gate(y) * y + x (Fig. 2)."""

    def __init__(self, width: int, attention: Attention) -> None:
        super().__init__()
        self.first = conv3x3(width, width)
        self.second = conv3x3(2 * width, width)
        self.gate = gate(attention, width)

    def forward(self, x: Tensor) -> Tensor:
        local = self.first(x).relu_()
        recalibrated: Tensor = self.gate(self.second(torch.cat([x, local], dim=1)))
        return recalibrated + x


class Stage(nn.Sequential):
    """Blocks and a closing convolution under a long skip connection."""

    def __init__(self, blocks: int, width: int, attention: Attention) -> None:
        super().__init__(*(Block(width, attention) for _ in range(blocks)), conv3x3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for layer in self:
            features = layer(features)
        return features + x


class NASNet(Derainer):
    """Stages of gated blocks, chained; their outputs are concatenated, fused and gated; the input is added at the end.

    Defaults are the paper's network, 6,508,931 parameters (Table 6). The options are its ablations:
    ``attention`` (Table 7: na, se, none), ``stages`` (Table 8), ``fusion=none`` (Table 9, DirectNet: the last stage
    goes straight to the tail); ``blocks`` a stage and feature maps (``width``) scale it.

    ``normalise=dataset`` does what the authors' code does: the network sees (rainy - mean) / std with the statistics of
    the rainy training images, and *that normalised image* is what the global skip adds. The default, ``none``, feeds
    and adds the image itself, so that the global skip is a true residual and the output does not depend on which
    dataset's constants are baked in. docs/methods.md measures one against the other.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        stages: Annotated[int, Ge(1), Le(100)] = 3,
        blocks: Annotated[int, Ge(1), Le(1000)] = 18,
        width: Annotated[int, Ge(1), Le(4096)] = 64,
        attention: Attention = "na",
        fusion: Literal["na", "none"] = "na",
        normalise: Literal["none", "dataset"] = "none",
    ) -> None:
        super().__init__()
        self.blocks, self.attention = blocks, attention
        self.normalise = normalise == "dataset"
        if self.normalise:
            self.register_buffer("mean", torch.zeros(3, 1, 1))
            self.register_buffer("std", torch.ones(3, 1, 1))
        self.head = conv3x3(3, width)
        self.stages = nn.ModuleList(Stage(blocks, width, attention) for _ in range(stages))
        self.fusion = (
            nn.Sequential(conv3x3(stages * width, width), nn.Conv2d(width, width, 1), gate(attention, width))
            if fusion == "na"
            else None
        )
        self.tail = nn.Sequential(conv3x3(width, width), conv3x3(width, 3))

    @property
    def reach(self) -> int | None:
        """A pixel for each 3x3 convolution in a row, 170 in the paper's network. None with SE, which pools globally."""
        if self.attention == "se":
            return None
        gate = 1 if self.attention == "na" else 0
        stages = len(self.stages) * (self.blocks * (2 + gate) + 1)
        fusion = 0 if self.fusion is None else 1 + gate
        return 1 + stages + fusion + 2  # head before, tail after

    def on_training_data(self, mean: Tensor, std: Tensor) -> None:
        """Keep the statistics of the rainy training images in the weights, for ``normalise=dataset``."""
        if self.normalise:
            self.mean.copy_(mean.view(3, 1, 1))
            self.std.copy_(std.view(3, 1, 1))

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape."""
        image = (rainy - self.mean) / self.std if self.normalise else rainy
        features = self.head(image)
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        if self.fusion is not None:
            features = self.fusion(torch.cat(outputs, dim=1))
        restored: Tensor = self.tail(features)
        return restored + image


_OFFICIAL_NAMES = (
    (r"^head\.", "pre.0."),
    (r"^tail\.", "post."),
    (r"^fusion\.2\.attention\.", "fusion_att.att."),
    (r"^fusion\.", "fusion_sub."),
    (r"^stages\.(\d+)\.(\d+)\.first\.", r"stages.\1.s.\2.conv1."),
    (r"^stages\.(\d+)\.(\d+)\.second\.", r"stages.\1.s.\2.conv2."),
    (r"^stages\.(\d+)\.(\d+)\.gate\.attention\.", r"stages.\1.s.\2.attlayer.att."),
    (r"^stages\.(\d+)\.", r"stages.\1.s."),
)


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters (it keeps its normalisation constants elsewhere)."""
    for pattern, replacement in _OFFICIAL_NAMES:
        renamed, found = re.subn(pattern, replacement, name)
        if found:
            return (renamed,)
    return (name,)


NASNET = Method(
    name="nasnet",
    title="NASNet",
    network=NASNet,
    recipe=Recipe(
        optimiser="radam",
        lr=2e-4,
        schedule="cosine",
        steps=300_000,
        batch=2,
        patch=240,
        augment=("hflip", "rot90"),
        loss="l1+ssim",
    ),
    quick={"lr": 1e-3, "batch": 4, "patch": 32, "steps": 100},
    variants={
        "PlainNet": {"attention": "none"},
        "SENet": {"attention": "se"},
        "DirectNet": {"fusion": "none"},
        "NASNet, 1 stage": {"stages": 1},
        "NASNet, 2 stages": {"stages": 2},
        "NASNet, 4 stages": {"stages": 4},
    },
    official_names=official_names,
    paper=Paper(
        title="NASNet: A Neuron Attention Stage-by-Stage Net for Single Image Deraining",
        authors="Xu Qin and Zhilin Wang",
        venue="arXiv:1912.03151",
        year=2019,
        url="https://arxiv.org/abs/1912.03151",
        bibtex="""@article{qin2019nasnet,
  title   = {{NASNet}: A Neuron Attention Stage-by-Stage Net for Single Image Deraining},
  author  = {Qin, Xu and Wang, Zhilin},
  journal = {arXiv preprint arXiv:1912.03151},
  year    = {2019}
}""",
    ),
)
