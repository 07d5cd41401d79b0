"""DRN: Dual Recursive Network for Fast Image Deraining (Cai, Li, Ren and Wang, ICIP 2019)."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, Weights

from ._residual import ResidualUnit, conv3x3

WIDTH = 16

#: Of stage k counted from 1, k times this is its weight in the loss, beside 1 for the last stage.
LOSS_GROWTH = 0.1


class DualRecursive(Derainer):
    """Two residual units, applied again and again within a stage, and the stage again and again; 10,595 parameters.

    Each of ``stages`` sees the rainy image beside the estimate before it, goes ``recursions`` times through the pair of
    units, and adds the rainy image to what it predicts. Nothing but the estimate is handed on.
    """

    def __init__(
        self, stages: Annotated[int, Ge(1), Le(100)] = 7, recursions: Annotated[int, Ge(1), Le(100)] = 7
    ) -> None:
        super().__init__()
        self.stages, self.recursions = stages, recursions
        self.head = conv3x3(6, WIDTH)
        self.units = nn.Sequential(ResidualUnit(WIDTH), ResidualUnit(WIDTH))
        self.tail = conv3x3(WIDTH, 3)

    @property
    def reach(self) -> int:
        """A pixel for each 3x3 convolution in a row: 210."""
        return self.stages * (1 + 4 * self.recursions + 1)

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the last stage's estimate, same shape."""
        return self.estimates(rainy)[-1]

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss of the last stage, and .1, .2, ... times that of the first, second, ..."""
        losses = [loss(estimate, batch.clean) for estimate in self.estimates(batch.rainy)]
        total = losses[-1]
        for number, value in enumerate(losses, 1):
            total = total + number * LOSS_GROWTH * value
        return total

    def estimates(self, rainy: Tensor) -> list[Tensor]:
        """Every stage's estimate of the clean image, first to last."""
        weight = self.head.weight
        from_rainy = F.conv2d(rainy, weight[:, :3], self.head.bias, padding=1)  # the same in every stage
        estimate, estimates = rainy, []
        for _ in range(self.stages):
            x = F.conv2d(estimate, weight[:, 3:], padding=1).add_(from_rainy).relu_()
            for _ in range(self.recursions):
                x = self.units(x)
            estimate = self.tail(x) + rainy
            estimates.append(estimate)
        return estimates


_OFFICIAL = {
    "head": "conv0.0",
    "units.0.first": "res_conv1.0",
    "units.0.second": "res_conv1.2",
    "units.1.first": "res_conv2.0",
    "units.1.second": "res_conv2.2",
    "tail": "conv.0",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters."""
    module, _, part = name.rpartition(".")
    return (f"{_OFFICIAL[module]}.{part}",)


DRN = Method(
    name="drn",
    title="DRN",
    network=DualRecursive,
    # 100 epochs over 100x100 patches on a grid 80 pixels apart. The authors doubled RainTrainL, and only that, by
    # flips.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-3,
        schedule="multistep",
        milestones=(0.3, 0.5, 0.8),
        gamma=0.5,
        epochs=100,
        batch=16,
        patch=100,
        stride=80,
        loss="-ssim",
    ),
    quick={"lr": 3e-3, "batch": 4, "patch": 48, "steps": 200, "augment": ("hflip", "rot90")},
    paper=Paper(
        title="Dual Recursive Network for Fast Image Deraining",
        authors="Lei Cai, Si-Yuan Li, Dongwei Ren and Ping Wang",
        venue="ICIP",
        year=2019,
        url="https://doi.org/10.1109/ICIP.2019.8803308",
        bibtex="""@inproceedings{cai2019dual,
  title     = {Dual Recursive Network for Fast Image Deraining},
  author    = {Cai, Lei and Li, Si-Yuan and Ren, Dongwei and Wang, Ping},
  booktitle = {IEEE International Conference on Image Processing (ICIP)},
  pages     = {2756--2760},
  year      = {2019}
}""",
    ),
    weights=tuple(
        Weights(
            tag=tag,
            trained_on=tag,
            source=f"https://github.com/csdwren/DRN (logs/{folder}_inter7_intra7/pretrained/net_latest.pth)",
            sha256=sha256,
            licence="none stated",
            quantisation="truncate",  # np.uint8(255 * out)
        )
        for tag, folder, sha256 in (
            ("rain100h", "Rain100H", "23dd9371378e688656161a918e54f464adfc14a426d7057f48b61d5ad20d559a"),
            ("rain100l", "Rain100L", "aca158a1729dd5d454fe4f6e94b7bb5e82b36240c34f72e558aefd3f1696e6cb"),
        )
    ),
    official_names=official_names,
)
