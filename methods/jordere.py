"""JORDER-E: Joint Rain Detection and Removal from a Single Image with Contextualized Deep Networks (TPAMI 2020)."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, Weights, in_repository

#: Channels inside the estimators of mask and rain, and inside their way back into the features.
ESTIMATOR, EMBEDDING = 8, 16

#: How much the two wider paths of a block count beside the first.
WIDER = 0.1

#: Weights of the mask's and the rain's terms. The authors sum the mask's over their batch of eight patches of 64x64; as
#: a mean times its number of pixels it does not depend on how a batch is cut or shared out.
MASK, RAIN = 1e-3 * 8 * 64 * 64, 1e-2


def conv3x3(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


class Block(nn.Module):
    """x and three paths of two convolutions with ReLUs, dilated 1 and 1, 2 and 2, 2 and 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.near, self.middle, self.far = (
            nn.Sequential(
                conv3x3(width, width, first),
                nn.ReLU(inplace=True),
                conv3x3(width, width, second),
                nn.ReLU(inplace=True),
            )
            for first, second in ((1, 1), (2, 2), (2, 4))
        )

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.near(x)
        return total.add_(self.middle(x), alpha=WIDER).add_(self.far(x), alpha=WIDER)


class Embedding(nn.Sequential):
    """Mask or rain as features: conv(ReLU(conv(x)))."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(conv3x3(inputs, EMBEDDING), nn.ReLU(inplace=True), conv3x3(EMBEDDING, width))


class Seen(NamedTuple):
    """What a stage gives: the restored image (B, 3, H, W), the logits of the mask (B, 2, H, W), no rain first, the rain
    (B, 3, H, W), and the features of every block; images and rain in grey levels, 0 to 255."""

    restored: Tensor
    mask: Tensor
    rain: Tensor
    features: list[Tensor]


class Stage(nn.Module):
    """Features, what they say of rain, and an image made of both."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.head = conv3x3(6, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        # Two convolutions in a row, without an activation in between, as released; so are the two of the tail.
        self.mask = nn.Sequential(conv3x3(width, ESTIMATOR), conv3x3(ESTIMATOR, 2))
        self.rain = nn.Sequential(conv3x3(width, ESTIMATOR), conv3x3(ESTIMATOR, 3))
        self.mask_factor, self.mask_term = Embedding(2, width), Embedding(2, width)
        self.rain_factor, self.rain_term = Embedding(3, width), Embedding(3, width)
        for factor in (self.mask_factor, self.rain_factor):  # they begin as a multiplication by 1
            last = factor[-1]
            assert isinstance(last, nn.Conv2d)
            assert last.bias is not None
            nn.init.zeros_(last.weight)
            nn.init.ones_(last.bias)
        self.tail = nn.Sequential(conv3x3(width, width), conv3x3(width, 3))

    def forward(self, rainy: Tensor, estimate: Tensor, before: Seen | None) -> Seen:
        """One stage on the rainy image and the estimate so far; ``before`` is what the stage before it gave."""
        x = self.head(torch.cat([rainy, estimate], dim=1))
        features: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if before is not None:
                x = x.add_(before.features[number])
            features.append(x)
        mask, rain = self.mask(x), self.rain(x)
        if before is not None:
            mask, rain = mask + before.mask, rain + before.rain
        added = self.mask_term(mask).add_(x).add_(self.rain_term(rain))
        multiplied = self.mask_factor(mask) * x * self.rain_factor(rain)
        return Seen(self.tail(added + multiplied) + rainy, mask, rain, features)


class JorderE(Derainer):
    """Two stages of blocks with dilated paths; each predicts where rain is and how much, and feeds both back.

    4,169,024 parameters; ``blocks=3,width=32`` is the network of the authors' weights for real rain, 406,784. Inside it
    computes with grey levels from 0 to 255, as the authors' code does.

    Where that code differs from the paper, the default is the code, which the published weights were trained by:

    * Its mask is 1 where the *clean* image is brighter in red: for rain that only adds light, nowhere at all (none of
      Rain100L's pixels), so that the mask's head learns "never". ``mask=rain`` trains it on the pixels where the rainy
      image is brighter, which is meant.
    * What it calls the level of rain is clean minus rainy.
    * It sums the mask's cross-entropy over a batch's pixels, 32,768 in the published recipe. That is its weight here,
      whatever the patches.
    * Its option that skips batches of a suddenly large loss is off by default, and left out.
    """

    def __init__(
        self,
        blocks: Annotated[int, Ge(1), Le(100)] = 9,
        width: Annotated[int, Ge(1), Le(4096)] = 64,
        mask: Literal["released", "rain"] = "released",
    ) -> None:
        super().__init__()
        self.mask = mask
        self.stages = nn.ModuleList(Stage(width, blocks) for _ in range(2))

    @property
    def reach(self) -> int:
        """122 pixels: in each of two stages the head, a block's paths dilated by 2 and 4, and three times two
        convolutions in a row."""
        return sum(1 + 6 * len(stage.blocks) + 2 + 2 + 2 for stage in self.stages if isinstance(stage, Stage))

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the second stage's image, same shape."""
        return self.seen(rainy)[-1].restored / 255

    def seen(self, rainy: Tensor) -> list[Seen]:
        """What both stages give for an image in [0, 1], in grey levels."""
        rainy = estimate = 255 * rainy
        seen: list[Seen] = []
        for stage in self.stages:
            seen.append(stage(rainy, estimate, seen[-1] if seen else None))
            estimate = seen[-1].restored
        return seen

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss of both stages' images in grey levels, the mask's cross-entropy, and the rain's L1."""
        images, mask, rain = self.losses(batch, loss)
        return images + MASK * mask + RAIN * rain

    def losses(self, batch: Batch, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        """The three terms before they are weighted; the mask's as a mean over pixels."""
        first, second = self.seen(batch.rainy)
        change = batch.clean - batch.rainy
        red = change[:, :1]
        wet = (red > 0 if self.mask == "released" else red < 0).to(change.dtype)
        return (
            255 * (loss(second.restored / 255, batch.clean) + loss(first.restored / 255, batch.clean)),
            F.cross_entropy(second.mask.float(), torch.cat([1 - wet, wet], dim=1)),
            F.l1_loss(second.rain.float(), 255 * change),
        )


_OFFICIAL = {
    "head": "encoder",
    "mask": "mask_estimator",
    "rain": "level_estimator",
    "mask_factor": "mask_F_w_encoder",
    "mask_term": "mask_F_b_encoder",
    "rain_factor": "level_F_w_encoder",
    "rain_term": "level_F_b_encoder",
    "tail": "decoder",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters."""
    _, stage, layer, *inner, part = name.split(".")
    where = f"jorder{int(stage) + 1}"
    if layer == "blocks":
        block, path, which = inner
        number = {"near": 1, "middle": 3, "far": 5}[path] + int(which) // 2
        return (f"{where}.updater.res{int(block) + 1}.conv{number}.{part}",)
    theirs = _OFFICIAL[layer]
    if layer == "tail":
        theirs += f".{inner[0]}"
    elif inner:  # numbered from 1, and the ReLU between them not counted
        theirs += "1" if inner[0] == "0" else "2"
    return (f"{where}.{theirs}.{part}",)


JORDERE = Method(
    name="jordere",
    title="JORDER-E",
    network=JorderE,
    # 200 epochs of what the code's defaults make of 1,800 images: 900 batches. The rate would halve after the last.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-4,
        steps=180_000,
        batch=8,
        patch=64,
        augment=("hflip", "vflip", "rot90"),
        loss="l1",
    ),
    quick={
        "lr": 3e-4,
        "betas": (0.9, 0.98),
        "schedule": "cosine",
        "batch": 1,
        "patch": 32,
        "steps": 350,
        "loss": "l1+ssim",
    },
    paper=Paper(
        title="Joint Rain Detection and Removal from a Single Image with Contextualized Deep Networks",
        authors="Wenhan Yang, Robby T. Tan, Jiashi Feng, Zongming Guo, Shuicheng Yan and Jiaying Liu",
        venue="TPAMI",
        year=2020,
        url="https://doi.org/10.1109/TPAMI.2019.2895793",
        bibtex="""@article{yang2020joint,
  title   = {Joint Rain Detection and Removal from a Single Image with Contextualized Deep Networks},
  author  = {Yang, Wenhan and Tan, Robby T. and Feng, Jiashi and Guo, Zongming and Yan, Shuicheng and Liu, Jiaying},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume  = {42},
  number  = {6},
  pages   = {1377--1393},
  year    = {2020}
}""",
    ),
    weights=(
        Weights(
            tag="practical",
            trained_on="unstated",
            source="https://github.com/flyywh/JORDER-E-Deep-Image-Deraining-TPAMI-2019-Journal"
            " (testing_practical/src/pretrained_model/model_practical.pt)",
            sha256="f97df015f95c76806b0deb6c9cf8929be9bde9d1fab2afafb2f6f8bbe9f7655d",
            licence="none stated",
            options={"blocks": 3, "width": 32},
            files=(
                in_repository(
                    "flyywh/JORDER-E-Deep-Image-Deraining-TPAMI-2019-Journal",
                    "340131060003737404e18ae963dbef2580934e5d",
                    "testing_practical/src/pretrained_model/model_practical.pt",
                    size=1_652_875,
                ),
            ),
        ),
    ),
    variants={"JORDER-E (practical)": {"blocks": 3, "width": 32}},
    official_names=official_names,
)
