"""SPANet: Spatial Attentive Single-Image Deraining with a High Quality Real Rain Dataset (Wang et al., CVPR 2019)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, PublishedScore, Recipe, Weights, in_repository

from ._irnn import DIRECTIONS, irnn

WIDTH = 32
#: Residual blocks before the attention, in each of its four rounds, and after it.
BEFORE, ROUNDS, PER_ROUND, AFTER = 3, 4, 3, 2


def conv(inputs: int, outputs: int, size: int, dilation: int = 1) -> nn.Conv2d:
    """Convolution without bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, size, padding=dilation * (size // 2), dilation=dilation, bias=False)


class Bottleneck(nn.Sequential):
    """1x1, 3x3 dilated by 2, 1x1, with ReLUs between: the branch of every residual block."""

    def __init__(self) -> None:
        super().__init__(
            conv(WIDTH, WIDTH, 1),
            nn.ReLU(inplace=True),
            conv(WIDTH, WIDTH, 3, dilation=2),
            nn.ReLU(inplace=True),
            conv(WIDTH, WIDTH, 1),
        )


class Recurrence(nn.Module):
    """Recurrences in four directions, :func:`._irnn.irnn`: (B, C, H, W) to four of these. Weights begin at 0.2."""

    def __init__(self) -> None:
        super().__init__()
        # The shapes of the authors' four depthwise 1x1 convolutions, one after the other.
        self.weight = nn.Parameter(torch.full((len(DIRECTIONS) * WIDTH, 1, 1, 1), 0.2))
        self.bias = nn.Parameter(torch.zeros(len(DIRECTIONS) * WIDTH))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return irnn(x, self.weight.view(len(DIRECTIONS), WIDTH), self.bias.view(len(DIRECTIONS), WIDTH))


class Merge(nn.Module):
    """3x3 convolution of the four directions' features as if they were concatenated: four of (B, C, H, W) to one.

    The horizontal ones lie in memory column by column; they are convolved as they lie, with the kernel transposed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = conv(len(DIRECTIONS) * WIDTH, WIDTH, 3).weight

    def forward(self, gathered: Sequence[Tensor]) -> Tensor:
        up, right, down, left = gathered
        for_up, for_right, for_down, for_left = torch.split(self.weight, WIDTH, dim=1)
        vertical = F.conv2d(up, for_up, padding=1).add_(F.conv2d(down, for_down, padding=1))
        horizontal = F.conv2d(right.mT, for_right.mT, padding=1).add_(F.conv2d(left.mT, for_left.mT, padding=1))
        return vertical.add_(horizontal.mT)


class SpatialAttention(nn.Module):
    """Where the rain is, from two rounds of recurrences: (B, C, H, W) to a mask (B, 1, H, W) in (0, 1).

    ``directional`` weighs the four directions at each pixel by a second small network, as in Fig. 4 of the paper.
    """

    def __init__(self, directional: bool) -> None:
        super().__init__()
        self.directional = directional
        self.first = conv(WIDTH, WIDTH, 3)
        self.recurrences = nn.ModuleList([Recurrence(), Recurrence()])
        self.merges = nn.ModuleList([Merge(), Merge()])
        self.directions = nn.Sequential(
            nn.Conv2d(WIDTH, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, len(DIRECTIONS), 1),
            nn.Sigmoid(),
        ).requires_grad_(directional)
        self.last = conv(WIDTH, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.directions(x).split(1, dim=1) if self.directional else None
        features = self.first(x)
        for recurrence, merge in zip(self.recurrences, self.merges, strict=True):
            gathered = recurrence(features)
            if weights is not None:
                gathered = [direction * weight for direction, weight in zip(gathered, weights, strict=True)]
            features = merge(gathered)
        return torch.sigmoid(self.last(torch.relu(features)))


class SPANet(Derainer):
    """Residual blocks whose branches are multiplied by a mask of the rain; 283,716 parameters.

    Three blocks, four rounds of (mask, three blocks), two blocks; one attention module makes all four masks. The output
    is the image itself, without a skip from the input. Its recurrences span the image, which is tiled only when asked;
    on a GPU they take 2.3 GiB a megapixel.

    Where the code differs from the paper, the default is what the published weights need:

    * The paper weighs the four directions of a recurrence by a learnt attention. The authors' code multiplies by it and
      throws the product away, so its 7,012 parameters are inert; they stay, frozen, for the published weights' sake.
      ``directional=true`` does what the paper describes.
    * The mask that supervises the attention is meant to be a difference, clipped; computed on bytes that wrap around,
      it is 1 wherever a rainy pixel differs from the clean one at all. So it is here.

    The authors' network reads BGR; the channels are turned here.
    """

    def __init__(self, directional: bool = False) -> None:
        super().__init__()
        self.head = conv(3, WIDTH, 3)
        self.before = nn.ModuleList(Bottleneck() for _ in range(BEFORE))
        self.attention = SpatialAttention(directional)
        self.rounds = nn.ModuleList(Bottleneck() for _ in range(ROUNDS * PER_ROUND))
        self.after = nn.ModuleList(Bottleneck() for _ in range(AFTER))
        self.tail = conv(WIDTH, 3, 3)

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape."""
        return self.restored_and_mask(rainy)[0]

    def restored_and_mask(self, rainy: Tensor) -> tuple[Tensor, Tensor]:
        """The restored image, and the first round's mask (B, 1, H, W) in (0, 1)."""
        x = self.head(rainy.flip(1)).relu_()
        for block in self.before:
            x = (block(x) + x).relu_()
        masks = []
        for number, block in enumerate(self.rounds):
            if number % PER_ROUND == 0:
                masks.append(self.attention(x))
            x = torch.addcmul(x, block(x), masks[-1]).relu_()
        for block in self.after:
            x = (block(x) + x).relu_()
        return self.tail(x).flip(1), masks[0]

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss, L1 + (1 - SSIM), and the squared error of the first mask."""
        restored, mask = self.restored_and_mask(batch.rainy)
        rain = (batch.rainy != batch.clean).any(dim=1, keepdim=True)
        return loss(restored, batch.clean) + F.mse_loss(mask.float(), rain.float())


#: Numbers of the authors' first residual block in each of our lists; they count all seventeen from 1.
_FIRST_BLOCK = {"before": 1, "rounds": 1 + BEFORE, "after": 1 + BEFORE + ROUNDS * PER_ROUND}
_OFFICIAL = {
    "head": "conv_in.0",
    "tail": "conv_out.0",
    "attention.first": "SAM1.conv_in",
    "attention.merges.0": "SAM1.conv2",
    "attention.merges.1": "SAM1.conv3",
    "attention.last": "SAM1.conv_out",
    "attention.directions.0": "SAM1.attention_layer.conv1",
    "attention.directions.2": "SAM1.attention_layer.conv2",
    "attention.directions.4": "SAM1.attention_layer.conv3",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters; it has each direction's recurrence on its own."""
    layer, _, part = name.rpartition(".")
    if match := re.fullmatch(r"(before|rounds|after)\.(\d+)\.(\d)", layer):
        block = _FIRST_BLOCK[match[1]] + int(match[2])
        return (f"res_block{block}.group1.conv{int(match[3]) // 2 + 1}.{part}",)
    if match := re.fullmatch(r"attention\.recurrences\.(\d)", layer):
        return tuple(f"SAM1.irnn{int(match[1]) + 1}.{direction}_weight.{part}" for direction in DIRECTIONS)
    return (f"{_OFFICIAL[layer]}.{part}",)


SPANET = Method(
    name="spanet",
    title="SPANet",
    network=SPANet,
    # The authors crop and resize at random (RandomResizedCrop to 256); a crop alone keeps the rain's scale.
    recipe=Recipe(
        optimiser="adam",
        lr=5e-3,
        schedule="multistep",
        milestones=(0.75,),
        gamma=0.1,
        steps=40_000,
        batch=16,
        patch=256,
        loss="l1+ssim",
    ),
    quick={"lr": 1e-3, "batch": 4, "patch": 48, "steps": 200, "augment": ("hflip", "rot90")},
    paper=Paper(
        title="Spatial Attentive Single-Image Deraining with a High Quality Real Rain Dataset",
        authors="Tianyu Wang, Xin Yang, Ke Xu, Shaozhe Chen, Qiang Zhang and Rynson W. H. Lau",
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1904.01538",
        bibtex="""@inproceedings{wang2019spatial,
  title     = {Spatial Attentive Single-Image Deraining with a High Quality Real Rain Dataset},
  author    = {Wang, Tianyu and Yang, Xin and Xu, Ke and Chen, Shaozhe and Zhang, Qiang and Lau, Rynson W. H.},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {12270--12279},
  year      = {2019}
}""",
    ),
    weights=(
        Weights(
            tag="spa",
            trained_on="spa-real",
            source="https://github.com/stevewongv/SPANet (model/latest)",
            sha256="3b5d58d0f4569004a0d2dc6f4373463bd60991fc8a04c061361357cf012e5eb0",
            licence="BSD-style, as the repository states",
            files=(
                in_repository(
                    "stevewongv/SPANet",
                    "f0d982d05e1c74a886d5c12c0e81293f57861cd2",
                    "model/latest",
                    size=3_450_077,
                ),
            ),
        ),
        Weights(
            tag="rain200l",
            trained_on="rain200l",
            source="https://github.com/csdwren/RecDerain (logs/RainLight/SPANet/latest)",
            sha256="c6c6c10c1371fd31fd620143e79cb786fb02d984c538355372cbeeca00730192",
            licence="none stated",
            published=(
                PublishedScore("rain200l", "y", 36.13, 0.975, "RecDerain's README"),
                PublishedScore("spa-real", "y", 35.26, 0.945, "RecDerain's README"),
            ),
        ),
    ),
    variants={"SPANet (directional)": {"directional": True}},
    official_names=official_names,
)
