"""DDN: Removing Rain from Single Images via a Deep Detail Network (Fu et al., CVPR 2017)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainbench import Derainer, Method, Paper, Recipe, Weights, in_repository

Shortcut = Literal["pairs", "global"]
Statistics = Literal["running", "image"]

WIDTH, UNITS = 16, 26
#: Of the guided filter that takes the base out of an image: window of 31x31, and what its variance is compared with.
RADIUS, EPS = 15, 1.0
#: Pixels of a channel, or of several, that a processor keeps at hand.
CACHED = 2**17


class ImageStatistics(nn.BatchNorm2d):
    """Batch normalisation that keeps no averages: in evaluation each image is normalised by itself."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-5, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        variance, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
        scale = self.weight.view(-1, 1, 1) * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias.view(-1, 1, 1), x - mean, scale)


class Unit(nn.Module):
    """3x3 convolution and batch normalisation; eps and momentum are TensorFlow's."""

    def __init__(self, inputs: int, outputs: int, statistics: Statistics) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.xavier_uniform_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # it has one
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01) if statistics == "running" else _image(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normalised: Tensor = self.norm(self.conv(x))
        return normalised


def _image(width: int) -> nn.BatchNorm2d:
    return ImageStatistics(width)


class DeepDetailNetwork(Derainer):
    """Learns the rain from an image's detail, what a guided filter leaves of it; 57,369 parameters.

    26 units of convolution and batch normalisation; the first makes 16 channels, twelve pairs each add to them what
    they find, the last makes what is added to the image. Trained and measured on the whole image, not on the detail.

    * ``shortcut=global`` adds the pairs' input once, around all of them, as in a third party's PyTorch code.
    * ``statistics=image`` normalises by the batch in training and by the image itself in evaluation, with eps 1e-5, as
      in another third party's code; the authors keep running averages.

    The authors' filter needs sides over 31 pixels; here its window is clipped at the edges of any image, as theirs is.
    """

    def __init__(self, shortcut: Shortcut = "pairs", statistics: Statistics = "running") -> None:
        super().__init__()
        self.shortcut, self.statistics = shortcut, statistics
        widths = [3, *[WIDTH] * (UNITS - 1), 3]
        self.units = nn.ModuleList(Unit(inputs, outputs, statistics) for inputs, outputs in pairwise(widths))

    @property
    def reach(self) -> int | None:
        return 2 * RADIUS + UNITS if self.statistics == "running" else None

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape."""
        first, *pairs, last = self.units
        x = first(rainy - base(rainy)).relu_()
        start = x
        for one, two in zip(pairs[::2], pairs[1::2], strict=True):
            found = two(one(x).relu_()).relu_()
            x = found if self.shortcut == "global" else x + found
        residual: Tensor = last(start + x if self.shortcut == "global" else x)
        return rainy + residual


def base(image: Tensor) -> Tensor:
    """The image (B, C, H, W) smoothed by a guided filter whose guide it is itself, each channel on its own.

    Means are over windows of 31x31 pixels, as much of them as the image has. In float32 or better, whatever the network
    runs in.
    """
    x = image.to(torch.promote_types(image.dtype, torch.float32)).flatten(0, 1).unsqueeze(1)
    share = 1 / (_pixels(x, 2) * _pixels(x, 3))
    # few channels at a time, whose sums then stay in a processor's cache
    at_once = max(1, CACHED // (x.shape[2] * x.shape[3])) if x.device.type == "cpu" else len(x)
    smoothed = []
    for part in torch.split(x, at_once):
        mean = _window_sums(part) * share
        variance = torch.addcmul(_window_sums(part * part) * share, mean, mean, value=-1)
        slope = variance / (variance + EPS)
        offset = torch.addcmul(mean, slope, mean, value=-1)
        smoothed.append(torch.addcmul(_window_sums(offset) * share, _window_sums(slope) * share, part))
    return torch.cat(smoothed).view(image.shape)


def _pixels(x: Tensor, dim: int) -> Tensor:
    """How many rows (dim 2) or columns (dim 3) of the image a window has, for each place of its middle."""
    places = torch.arange(x.shape[dim], device=x.device)
    count = (places + RADIUS).clamp(max=x.shape[dim] - 1) - (places - RADIUS).clamp(min=0) + 1
    return count.to(x.dtype).view(-1, *[1] * (3 - dim))


def _window_sums(x: Tensor) -> Tensor:
    """Sums over windows of 31x31 pixels, zeros beyond the edges.

    Of 32 neighbours by doubling, without the last: cumulative sums, whose differences are usual, grow with the image.
    """
    for dim in (2, 3):
        padded = F.pad(x, (0, 0, RADIUS, RADIUS + 1) if dim == 2 else (RADIUS, RADIUS + 1))
        sums, length = padded, x.shape[dim]
        for power in (1, 2, 4, 8, 16):
            rest = sums.shape[dim] - power
            sums = sums.narrow(dim, 0, rest) + sums.narrow(dim, power, rest)
        x = sums - padded.narrow(dim, 2 * RADIUS + 1, length)
    return x


_TENSORFLOW = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' TensorFlow code calls one of our parameters, its scopes parted by dots."""
    match = re.fullmatch(r"units\.(\d+)\.(conv|norm)\.(\w+)", name)
    assert match is not None
    number, layer, part = int(match[1]) + 1, match[2], match[3]
    if layer == "conv":
        return (f"layer_{number}.conv_{number}.{'kernel' if part == 'weight' else part}",)
    return (f"layer_{number}.bn_{number}.{_TENSORFLOW.get(part, part)}",)


def names_in_pytorch(name: str) -> tuple[str, ...]:
    """What HanshuYAN's PyTorch code calls one of our parameters: sequences of convolution, normalisation, ReLU."""
    match = re.fullmatch(r"units\.(\d+)\.(conv|norm)\.(\w+)", name)
    assert match is not None
    number, place = int(match[1]), int(match[2] == "norm")
    if number in (0, UNITS - 1):
        return (f"{'b3' if number else 'b1'}.{place}.{match[3]}",)
    return (f"b2.{3 * (number - 1) + place}.{match[3]}",)


_RECDERAIN = {"conv.weight": "weights", "conv.bias": "biases", "norm.weight": "scale", "norm.bias": "beta"}


def names_in_recderain(name: str) -> tuple[str, ...]:
    """What RecDerain's TensorFlow code calls one of our parameters."""
    _, number, part = name.split(".", 2)
    layer = int(number) + 1
    return (f"conv_{layer}.{_RECDERAIN.get(part, part)}_{layer}",)


_RECDERAIN_SOURCE = "https://github.com/csdwren/RecDerain (logs/{}/DDN/model-epoch-15), as .npz: docs/weights.md"
_HANSHUYAN_SOURCE = (
    "https://github.com/HanshuYAN/Deep_Detailed_Network-PyTorch (model/{}), which pickles whole modules, as .npz of "
    "its state dict: docs/weights.md"
)

DDN = Method(
    name="ddn",
    title="DDN",
    network=DeepDetailNetwork,
    recipe=Recipe(
        optimiser="sgd",
        lr=0.1,
        schedule="multistep",
        milestones=(10 / 21, 20 / 21),
        gamma=0.1,
        steps=210_000,
        batch=20,
        patch=64,
        loss="mse",
    ),
    quick={"batch": 8, "steps": 300, "augment": ("hflip", "rot90")},
    paper=Paper(
        title="Removing Rain from Single Images via a Deep Detail Network",
        authors="Xueyang Fu, Jiabin Huang, Delu Zeng, Yue Huang, Xinghao Ding and John Paisley",
        venue="CVPR",
        year=2017,
        url="https://openaccess.thecvf.com/content_cvpr_2017/html/Fu_Removing_Rain_From_CVPR_2017_paper.html",
        bibtex="""@inproceedings{fu2017removing,
  title     = {Removing Rain from Single Images via a Deep Detail Network},
  author    = {Fu, Xueyang and Huang, Jiabin and Zeng, Delu and Huang, Yue and Ding, Xinghao and Paisley, John},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {3855--3863},
  year      = {2017}
}""",
    ),
    weights=(
        Weights(
            tag="rain1400",
            trained_on="rain1400",
            source="https://github.com/MyNameIsPHP/Deep-Detail-Network-Installation (model/trained/model.index)",
            sha256="fb2f3189dd84095fe16a86d6455a9817122b45ff68b732d6a4722fc91b87bfb4",
            licence="none stated",
            quantisation="truncate",
            files=tuple(
                in_repository(
                    "MyNameIsPHP/Deep-Detail-Network-Installation",
                    "c72acb521e13f3f1fc29fc02382480c2751a5fee",
                    f"model/trained/{name}",
                    sha256,
                    size,
                )
                for name, sha256, size in (
                    ("model.index", "fb2f3189dd84095fe16a86d6455a9817122b45ff68b732d6a4722fc91b87bfb4", 5437),
                    (
                        "model.data-00000-of-00001",
                        "0a1b3fab590369026ff857cd9450e381d37e1beecc4a1457c275ce1355cec3df",
                        232_700,
                    ),
                )
            ),
        ),
        Weights(
            tag="rain200l",
            trained_on="rain200l",
            source=_HANSHUYAN_SOURCE.format("rain100L"),
            sha256="3d5b60f407bf098a35496220aeafc215d924c24e55a5bc8ef22d7765b708aa68",
            licence="none stated",
            options={"shortcut": "global"},
        ),
        Weights(
            tag="rain200h",
            trained_on="rain200h",
            source=_HANSHUYAN_SOURCE.format("rain100H"),
            sha256="c826c77c419c3634a8ed17c62c61bcb600f676703630cfc588d7fa024e21215c",
            licence="none stated",
            options={"shortcut": "global"},
        ),
        Weights(
            tag="rain200l",
            trained_on="rain200l",
            source=_RECDERAIN_SOURCE.format("RainLight"),
            sha256="3478f4931b47ca1933efd57c76f0690f4ac5cd5f9276798389fd329e1ae5b3cd",
            licence="none stated",
            options={"statistics": "image"},
        ),
        Weights(
            tag="rain200h",
            trained_on="rain200h",
            source=_RECDERAIN_SOURCE.format("RainHeavy"),
            sha256="7671aa0822dce98fb04ec481776d33cedc91edcf45f2c4b7ee2d78dd7d3520d4",
            licence="none stated",
            options={"statistics": "image"},
        ),
    ),
    official_names=official_names,
    other_names=(names_in_pytorch, names_in_recderain),
)
