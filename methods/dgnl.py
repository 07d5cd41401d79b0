"""DGNL-Net fast: Single-Image Real-Time Rain Removal Based on Depth-Guided Non-Local Features (Hu et al., TIP 2021)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, Weights, in_repository
from derainbench.engine.trainer import Trainer
from derainbench.plugins.layers import Rule, absent

#: Means and deviations of ImageNet's channels, R, G, B: what the authors' images are normalised by.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: Channels of the rain's features, and of what the non-local block compares.
WIDTH, COMPARED = 64, 32

#: Of the nine units of the rain's part.
DILATIONS = (1, 2, 2, 4, 8, 4, 2, 2, 1)

#: Keeps a depth of zero from dividing.
EPSILON = 1e-6

#: The learning rate of biases is so many times that of weights.
BIASES = 2.0


def normalised(conv: nn.Module, width: int) -> nn.Sequential:
    """The convolution, normalisation of each of 32 groups of channels, SELU."""
    return nn.Sequential(conv, nn.GroupNorm(32, width), nn.SELU(inplace=True))


def upsampling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """To twice the size."""
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


def resized(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear, corners on corners."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


class Depth(nn.Module):
    """How far away things are: a normalised image (B, 3, H, W) to (B, 1, H/4, W/4) in (0, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = normalised(nn.Conv2d(3, 32, 8, stride=4, padding=2), 32)
        self.down2 = normalised(nn.Conv2d(32, 64, 4, stride=2, padding=1), 64)
        self.down3 = normalised(nn.Conv2d(64, 128, 4, stride=2, padding=1), 128)
        self.middle = normalised(nn.Conv2d(128, 128, 3, padding=2, dilation=2), 128)
        self.up1 = normalised(upsampling(128, 64), 64)
        self.up2 = normalised(upsampling(64, 32), 32)
        self.last = nn.Sequential(*normalised(nn.Conv2d(32, 32, 3, padding=1), 32), nn.Conv2d(32, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        quarter = self.down1(x)
        eighth = self.down2(quarter)
        x = self.up1(self.middle(self.down3(eighth)))
        x = self.up2(x + eighth)
        return torch.sigmoid(self.last(x + quarter))


class Unit(nn.Module):
    """x and what two dilated convolutions, in groups of two channels and of one, make of it."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(WIDTH, 2 * WIDTH, 1, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(2 * WIDTH, 2 * WIDTH, 3, 1, dilation, dilation, groups=WIDTH, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(2 * WIDTH, WIDTH, 1, bias=False),
            nn.Conv2d(WIDTH, WIDTH, 3, 1, dilation, dilation, groups=WIDTH, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.layers(x)
        return change.add_(x)


class NonLocal(nn.Module):
    """Features gathered from all over the image, from where both the features and the depth are alike.

    (B, 64, h, w) features and (B, 1, h, w) depth to the features, at a quarter of whose sides pixels are compared with
    those at an eighth.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(WIDTH, WIDTH, 4, stride=4, groups=WIDTH, bias=False)
        nn.init.constant_(self.down.weight, 1 / 16)  # begins as a mean
        self.query, self.key, self.value = (nn.Conv2d(WIDTH, COMPARED, 1) for _ in range(3))
        self.back = nn.Conv2d(COMPARED, WIDTH, 1)

    def forward(self, x: Tensor, depth: Tensor) -> Tensor:
        small = self.down(x)
        query = self.query(small).flatten(2).mT
        key, value = (F.max_pool2d(layer(small), 2) for layer in (self.key, self.value))
        here = resized(depth, small.shape[2:]).flatten(2).mT
        there = resized(depth, key.shape[2:]).flatten(2)
        alike = torch.softmax(query @ key.flatten(2), dim=2)
        as_far = torch.softmax(torch.minimum(here / (there + EPSILON), there / (here + EPSILON)), dim=2)
        weights = torch.softmax(alike * as_far, dim=2)
        gathered = (weights @ value.flatten(2).mT).mT.reshape(-1, COMPARED, *small.shape[2:])
        return x + resized(self.back(gathered), x.shape[2:])


class DGNLNet(Derainer):
    """Predicts rain at a quarter of the size, guided by a depth that it predicts as well; 719,975 parameters.

    A small network sees how far things are. Another one, of dilated depth-wise convolutions, sees the rain; at its end
    a non-local block adds to each pixel the features of those that look alike and lie as far, since mist grows with
    distance. Rain is trained by its L1 error and depth by its own; the rain's error does not reach the depth. Where a
    dataset has no depth, that term is left out: the depth stays at its beginnings, and the weights should be reported
    so. Rain's features see the whole image.

    The authors resize every image to 512x1024 and the result back to its size, which rain does not survive unchanged;
    here images are restored at their own size, mirrored up to multiples of 32. The mean and deviation by which images
    are normalised are parameters in the published file; they are constants, and frozen.
    """

    size_multiple = 32

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.std = (
            nn.Parameter(torch.tensor(values).view(1, 3, 1, 1), requires_grad=False) for values in (MEAN, STD)
        )
        self.depth = Depth()
        self.head = nn.Sequential(
            nn.Conv2d(3, 32, 1, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(32, 32, 8, stride=4, padding=2, groups=32, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(32, WIDTH, 1, bias=False),
        )
        self.body = nn.Sequential(*(Unit(dilation) for dilation in DILATIONS))
        self.non_local = NonLocal()
        self.tail = nn.Sequential(
            nn.ConvTranspose2d(WIDTH, 32, 8, stride=4, padding=2, groups=32, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(32, 3, 1, bias=False),
        )

    @property
    def needed_layers(self) -> Mapping[str, Rule]:
        """Depth, where the dataset has it."""
        return {"depth": absent()}

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, clamped as the authors' is."""
        return self.restored_and_depth(rainy)[0]

    def restored_and_depth(self, rainy: Tensor) -> tuple[Tensor, Tensor]:
        """The restored image, and the depth (B, 1, H/4, W/4) in (0, 1)."""
        x = (rainy - self.mean) / self.std
        depth = self.depth(x)
        rain = self.tail(self.non_local(self.body(self.head(x)), depth.detach()))
        return ((x + rain) * self.std + self.mean).clamp(0, 1), depth

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss, and the mean absolute error of the depth where it is known (a number)."""
        restored, depth = self.restored_and_depth(batch.rainy)
        target = batch.layers["depth"]
        known = ~torch.isnan(target)
        error = (resized(depth, target.shape[2:]).float() - torch.where(known, target, 0)).abs()
        return loss(restored, batch.clean) + (error * known).mean()


_OFFICIAL = {
    "depth.down1": "conv1",
    "depth.down2": "conv2",
    "depth.down3": "conv3",
    "depth.middle": "conv5",
    "depth.up1": "conv8",
    "depth.up2": "conv9",
    "depth.last": "depth_pred",
    "non_local.query": "dgnlb.theta",
    "non_local.key": "dgnlb.phi",
    "non_local.value": "dgnlb.g",
    "non_local.down": "dgnlb.down",
    "non_local.back": "dgnlb.z",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters."""
    if match := re.fullmatch(r"body\.(\d)\.layers\.(\d)\.(\w+)", name):
        which, layer = divmod(int(match[2]), 5)
        return (f"body.{match[1]}.conv{which}.{layer}.{match[3]}",)
    for ours, theirs in _OFFICIAL.items():
        if name.startswith(f"{ours}."):
            return (theirs + name.removeprefix(ours),)
    return (name,)


class DGNLTrainer(Trainer):
    """Adam with a learning rate of its own for biases."""

    def make_optimiser(self, network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        """The recipe's optimiser, biases in a group apart."""
        optimiser = super().make_optimiser(network, recipe)
        (group,) = optimiser.param_groups
        biases = {id(p) for name, p in network.named_parameters() if name.endswith("bias")}
        everything = group["params"]
        group["params"] = [p for p in everything if id(p) not in biases]
        optimiser.add_param_group({"params": [p for p in everything if id(p) in biases], "lr_scale": BIASES})
        return optimiser


DGNL = Method(
    name="dgnl",
    title="DGNL-Net fast",
    network=DGNLNet,
    # The authors train on whole images of 512x1024; square patches have the same number of pixels.
    recipe=Recipe(
        optimiser="adam",
        lr=5e-4,
        schedule="poly",
        steps=60_000,
        batch=4,
        patch=736,
        augment=("hflip",),
        loss="l1",
    ),
    quick={"lr": 5e-4, "batch": 4, "patch": 96, "steps": 300},
    paper=Paper(
        title="Single-Image Real-Time Rain Removal Based on Depth-Guided Non-Local Features",
        authors="Xiaowei Hu, Lei Zhu, Tianyu Wang, Chi-Wing Fu and Pheng-Ann Heng",
        venue="TIP",
        year=2021,
        url="https://doi.org/10.1109/TIP.2020.3048625",
        bibtex="""@article{hu2021single,
  title   = {Single-Image Real-Time Rain Removal Based on Depth-Guided Non-Local Features},
  author  = {Hu, Xiaowei and Zhu, Lei and Wang, Tianyu and Fu, Chi-Wing and Heng, Pheng-Ann},
  journal = {IEEE Transactions on Image Processing},
  volume  = {30},
  pages   = {1759--1770},
  year    = {2021}
}""",
    ),
    trainer=DGNLTrainer,
    weights=(
        Weights(
            tag="raincityscapes",
            trained_on="raincityscapes",
            source="https://github.com/ajpfahnl/deraining-models (DGNL/ckpt/DGNLNet_fast/60000.pth)",
            sha256="84e7fc54ffa2405fd8dbd950e6a0398651d9b9029cd74d997a1209bbeaab97bf",
            licence="BSD-style, non-commercial, as the repository states",
            files=(
                in_repository(
                    "ajpfahnl/deraining-models",
                    "90d6d87d5ff9c91cfe0b7862642f28f797b6c709",
                    "DGNL/ckpt/DGNLNet_fast/60000.pth",
                    size=2_899_603,
                ),
            ),
        ),
    ),
    official_names=official_names,
)
