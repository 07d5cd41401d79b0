"""JORDER: Deep Joint Rain Detection and Removal from a Single Image (Yang et al., CVPR 2017)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, PublishedScore, Recipe, Weights, in_repository
from derainbench.plugins.layers import Rule, luma_difference, luma_mask

#: Residual units of the released network, and blocks of the paper's.
UNITS = 5

#: Luma of BT.601, limited range: what MATLAB's rgb2ycbcr gives for R, G, B in [0, 1] is their sum and 16, of 255.
LUMA, BLACK = (65.481 / 255, 128.553 / 255, 24.966 / 255), 16 / 255
RANGE = 219 / 255

#: Weights of the streaks' and the mask's terms. The paper's are unknown; these are those of JORDER-E's code.
STREAK, MASK = 1e-2, 1e-3

#: A pixel of rain is one whose luma is larger by more than so many of 255 levels.
RAIN_ABOVE = 10


def conv3x3(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


def luma_of(image: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in [0, 1] to its luma, (B, 1, H, W), from 16/255 to 235/255."""
    red, green, blue = torch.split(image, 1, dim=1)
    luma: Tensor = LUMA[0] * red
    return luma.add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).add_(BLACK)


class Unit(nn.Module):
    """ReLU of the mean of x and conv(ReLU(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv3x3(width, width)
        self.second = conv3x3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(self.first(x).relu_())
        return change.add_(x).mul_(0.5).relu_()


class Released(nn.Module):
    """The released network: luma (B, 1, H, W) to what is to be added to it, same shape."""

    #: A pixel for each convolution in a row.
    reach = 2 * UNITS + 2

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = conv3x3(1, width)
        self.units = nn.Sequential(*(Unit(width) for _ in range(UNITS)))
        self.tail = conv3x3(width, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:  # Caffe's msra, as the released files say
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, luma: Tensor) -> Tensor:
        first = self.head(luma).relu_()
        change: Tensor = self.tail((first + self.units(first)).mul_(0.5))
        return change


class ContextBlock(nn.Module):
    """ReLU(x + three paths), each of two convolutions dilated by 1, 2 or 3: pixels see 5x5, 9x9 and 13x13."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.path1, self.path2, self.path3 = (
            nn.ModuleList([conv3x3(width, width, dilation), conv3x3(width, width, dilation)]) for dilation in (1, 2, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        total = x
        for first, second in (self.path1, self.path2, self.path3):
            total = second(first(x).relu_()).add_(total)
        return total.relu_()


class Estimate(NamedTuple):
    """What a recurrence predicts: the derained luma and the streaks' (B, 1, H, W), and the mask's logits (B, 2, H, W),
    no rain first."""

    background: Tensor
    streak: Tensor
    mask: Tensor


class Contextual(nn.Module):
    """One recurrence of the paper's network: features of a contextualised dilated network, then mask, streaks and
    background, each seeing what was predicted before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = conv3x3(1, width)
        self.context = nn.ModuleList(ContextBlock(width) for _ in range(UNITS))
        self.mask = conv3x3(width, 2)
        self.streak = conv3x3(width + 2, 1)
        self.background = conv3x3(width + 4, 1)

    @property
    def reach(self) -> int:
        """Two convolutions dilated by 3 in each block; the head, and three predictions one after the other."""
        return 1 + 6 * len(self.context) + 3

    def forward(self, luma: Tensor) -> Estimate:
        x = self.features(luma)
        logits = self.mask(x)
        rain = logits.softmax(dim=1)
        streak = self.streak(torch.cat([x, rain], dim=1))
        clean = luma - rain[:, 1:] * streak
        return Estimate(clean + self.background(torch.cat([x, rain, streak, clean], dim=1)), streak, logits)

    def features(self, luma: Tensor) -> Tensor:
        """What all three predictions are made of, (B, width, H, W)."""
        x: Tensor = self.head(luma).relu_()
        for block in self.context:
            x = block(x)
        return x


class Jorder(Derainer):
    """Predicts what rain changed in the luma, on which alone it works; the colour differences stay as they are.

    ``network=released``, the default, is what the authors released and what later papers' "JORDER" was measured with:
    370,497 parameters, a chain of five residual units whose sums are means, trained on the luma's error alone. It has
    neither the dilated convolutions nor the mask and streaks of the paper. As in the authors' scripts an image that is
    restored has its borders repeated outwards, and patches in training have not.

    ``network=paper`` is a PROPOSAL, not the authors': what the paper describes, of which no code was published.
    Features from blocks of three dilated paths, and from them a mask of the rain, its streaks and the background, all
    three supervised: 1,110,842 parameters. ``recurrences`` applies it so many times, with the same weights, each time
    to the background of the time before: 3 for JORDER-R, a number that the paper's public material does not tell.
    Kernel sizes, the number of blocks, the loss's weights and the mask's threshold are choices made here, too;
    docs/methods.md lists them.

    ``width`` is the number of feature maps. The authors write files whose Cb and Cr are those of the *clean* image;
    here they are the input's, which rain that is as bright in R, G and B leaves alone.
    """

    def __init__(
        self,
        network: Literal["released", "paper"] = "released",
        recurrences: Annotated[int, Ge(1), Le(100)] = 1,
        width: Annotated[int, Ge(1), Le(4096)] = 64,
    ) -> None:
        super().__init__()
        if network == "released" and recurrences > 1:
            raise ValueError("only network=paper has recurrences")
        self.recurrences = recurrences
        self.released = Released(width) if network == "released" else None
        self.paper = Contextual(width) if network == "paper" else None

    @property
    def reach(self) -> int:
        """12 pixels in the released network, 34 in each of the paper's recurrences."""
        return Released.reach if self.paper is None else self.recurrences * self.paper.reach

    @property
    def proposal(self) -> str:
        """The paper's network is."""
        if self.paper is None:
            return ""
        return "a proposal of derainbench's after what the paper says, for its authors published another network"

    @property
    def needed_layers(self) -> Mapping[str, Rule]:
        """The paper's network is trained with streaks and their mask."""
        return {} if self.paper is None else {"mask": luma_mask(RAIN_ABOVE), "streak": luma_difference()}

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape."""
        luma = luma_of(rainy)
        # A change of luma alone is the same in R, G and B, and the larger by so much as luma's range is smaller.
        return rainy + (self.derained(luma) - luma) / RANGE

    def derained(self, luma: Tensor) -> Tensor:
        """The luma without rain, (B, 1, H, W), from 16/255 to 235/255 as that of the image."""
        if self.released is None:
            return self.estimates(luma)[-1].background
        side, height, width = Released.reach, *luma.shape[2:]
        seen = luma if self.training else F.pad(luma, 4 * (side,), mode="replicate")
        change: Tensor = self.released(seen)
        return luma + (change if self.training else change[..., side : side + height, side : side + width])

    def estimates(self, luma: Tensor) -> list[Estimate]:
        """What each of the paper's recurrences predicts, first to last."""
        assert self.paper is not None
        estimates: list[Estimate] = []
        for _ in range(self.recurrences):
            estimates.append(self.paper(luma))
            luma = estimates[-1].background
        return estimates

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss of the luma; in the paper's network in every recurrence, and with it the streaks' squared
        error and the mask's cross-entropy. What later recurrences shall see of streaks is what is left of them."""
        luma, clean = luma_of(batch.rainy), luma_of(batch.clean)
        if self.paper is None:
            return loss(self.derained(luma), clean)
        mask, streak = batch.layers["mask"], RANGE * batch.layers["streak"]
        classes = torch.cat([1 - mask, mask], dim=1)
        terms = []
        for estimate in self.estimates(luma):
            terms += [
                loss(estimate.background, clean),
                STREAK * F.mse_loss(estimate.streak.float(), streak),
                MASK * F.cross_entropy(estimate.mask.float(), classes),
            ]
            streak = (estimate.background - clean).detach()
        return torch.stack(terms).sum()


def official_names(name: str) -> tuple[str, ...]:
    """The authors' names of the released network's parameters; its convolutions are numbered from 1."""
    layer, _, part = name.rpartition(".")
    if match := re.fullmatch(r"released\.units\.(\d)\.(first|second)", layer):
        return (f"Convolution{2 * int(match[1]) + (2 if match[2] == 'first' else 3)}.{part}",)
    number = {"released.head": 1, "released.tail": 2 * UNITS + 2}.get(layer)
    return (name if number is None else f"Convolution{number}.{part}",)


def official_transposed(name: str) -> bool:
    """The released kernels: MATLAB handed Caffe images column by column."""
    return name.startswith("released.") and name.endswith(".weight")


_RELEASE = "https://github.com/ZhangXinNan/RainDetectionAndRemoval (demo_JORDER_release/SRCNN_model/{})"

JORDER = Method(
    name="jorder",
    title="JORDER",
    network=Jorder,
    # Batch, loss and initialisation are those that the released files state (their sum over 64x64 patches is 2,048
    # times the mean). Optimiser, learning rate, patches and length are not public: these are choices made here.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-4,
        schedule="multistep",
        milestones=(0.5,),
        gamma=0.5,
        steps=100_000,
        batch=64,
        patch=64,
        augment=("hflip", "vflip", "rot90"),
        loss="mse",
    ),
    # as long as three recurrences of the paper's network may take
    quick={"lr": 1e-3, "schedule": "cosine", "batch": 1, "patch": 48, "steps": 250},
    paper=Paper(
        title="Deep Joint Rain Detection and Removal from a Single Image",
        authors="Wenhan Yang, Robby T. Tan, Jiashi Feng, Jiaying Liu, Zongming Guo and Shuicheng Yan",
        venue="CVPR",
        year=2017,
        url="https://arxiv.org/abs/1609.07769",
        bibtex="""@inproceedings{yang2017deep,
  title     = {Deep Joint Rain Detection and Removal from a Single Image},
  author    = {Yang, Wenhan and Tan, Robby T. and Feng, Jiashi and Liu, Jiaying and Guo, Zongming and Yan, Shuicheng},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {1357--1366},
  year      = {2017}
}""",
    ),
    weights=(
        Weights(
            tag="rain100l",
            trained_on="rain100l",
            source=_RELEASE.format("rain_removal_single_light.caffemodel"),
            sha256="a96eebec2929a54801d75385c24c2bb7834625180d46a3114c291d228969ec1a",
            licence="none stated",
            published=(PublishedScore("rain100l", "y-u8", 36.61, 0.974, "PReNet's authors' table"),),
            files=(
                in_repository(
                    "ZhangXinNan/RainDetectionAndRemoval",
                    "b66b3fe84646d66a4d943c1d0442afccfdc8eb0b",
                    "demo_JORDER_release/SRCNN_model/rain_removal_single_light.caffemodel",
                    size=1_485_449,
                ),
            ),
        ),
        Weights(
            tag="rain100h",
            trained_on="rain100h",
            source=_RELEASE.format("rain_removal_single_heavy.caffemodel"),
            sha256="c0fab37839c31de884799fa5d48eb4de1e384b8427ccac11bcfc85131046811a",
            licence="none stated",
            files=(
                in_repository(
                    "ZhangXinNan/RainDetectionAndRemoval",
                    "b66b3fe84646d66a4d943c1d0442afccfdc8eb0b",
                    "demo_JORDER_release/SRCNN_model/rain_removal_single_heavy.caffemodel",
                    size=1_485_459,
                ),
            ),
        ),
        Weights(
            tag="practical-heavy",
            trained_on="unstated",
            source=_RELEASE.format("rain_removal_single_practical_heavy.caffemodel"),
            sha256="c9d33dc2cfcc12633776633b83cb103d484374f40f09714c971e5cb1b1b64de0",
            licence="none stated",
            files=(
                in_repository(
                    "ZhangXinNan/RainDetectionAndRemoval",
                    "b66b3fe84646d66a4d943c1d0442afccfdc8eb0b",
                    "demo_JORDER_release/SRCNN_model/rain_removal_single_practical_heavy.caffemodel",
                    size=1_485_459,
                ),
            ),
        ),
    ),
    variants={
        "JORDER (paper)": {"network": "paper"},
        "JORDER-R": {"network": "paper", "recurrences": 3},
    },
    official_names=official_names,
    official_transposed=official_transposed,
)
