"""BRN and its family: Bilateral Recurrent Network for Single Image Deraining (Shang, Zhu, Ren and Zuo, ICASSP 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe
from derainbench.plugins.layers import Rule, luma_difference

from ._activations import gates_and_candidate, tanh
from ._brn_weights import WEIGHTS
from ._residual import ResidualUnit, conv3x3

#: Residual units of either branch. The rain's has two more in every file, which nothing uses.
UNITS, USED_OF_RAIN = 5, 3

#: What the image's loss and the rain's count for where both are supervised, and a stage's beside the last one's.
OF_IMAGE, OF_RAIN, OF_STAGE = 0.55, 0.45, 0.5


class State(NamedTuple):
    """What a branch remembers of the stage before: (B, C, H, W) each."""

    hidden: Tensor
    cell: Tensor


class Branch(nn.Module):
    """One of the two recurrent networks: images to an image, by an LSTM across stages and residual units.

    ``inputs`` is how many channels it sees beside the rainy image's three. A branch that ``hears`` the other one has
    its features beside its own. One convolution of all of them makes the gates i, f, o and the candidate g, in this
    order.
    """

    def __init__(self, inputs: int, width: int, hears: bool, used: int) -> None:
        super().__init__()
        self.width, self.hears, self.used = width, hears, used
        self.head = conv3x3(3 + inputs, width)
        self.gates = conv3x3((3 if hears else 2) * width, 4 * width)
        self.units = nn.ModuleList(ResidualUnit(width) for _ in range(UNITS))
        for unit in self.units[used:]:
            unit.requires_grad_(False)
        self.tail = conv3x3(width, 3)

    def of_rainy(self, rainy: Tensor) -> Tensor:
        """What the first convolution makes of the rainy image: the same in every stage."""
        return F.conv2d(rainy, self.head.weight[:, :3], self.head.bias, padding=1)

    def forward(
        self, of_rainy: Tensor, images: Tensor, state: State | None, heard: Tensor | None
    ) -> tuple[Tensor, State]:
        """The image of this stage and the state; ``heard`` are the other branch's features, None before there are any.

        Of features that would be zero nothing is computed.
        """
        x = F.conv2d(images, self.head.weight[:, 3:], padding=1).add_(of_rainy).relu_()
        state = self._recurrence(x, state, heard if self.hears else None)
        x = state.hidden
        for unit in self.units[: self.used]:
            x = unit(x)
        image: Tensor = self.tail(x)
        return image, state

    def _recurrence(self, x: Tensor, state: State | None, heard: Tensor | None) -> State:
        """c = f c + i g, h = o tanh(c)."""
        width, features = self.width, [x]
        weight: Tensor = self.gates.weight
        columns = [weight[:, :width]]
        for place, more in enumerate((None if state is None else state.hidden, heard), 1):
            if more is not None:
                features.append(more)
                columns.append(weight[:, place * width : (place + 1) * width])
        if len(features) * width < weight.shape[1]:
            weight = torch.cat(columns, dim=1)
        i, f, o, g = gates_and_candidate(
            F.conv2d(torch.cat(features, dim=1), weight, self.gates.bias, padding=1), width
        )
        cell = i * g if state is None else torch.addcmul(f * state.cell, i, g)
        return State(o * tanh(cell), cell)


class BilateralRecurrent(Derainer):
    """Two recurrent branches, one for the rain and one for the image behind it, that hear each other across stages.

    In each stage the rain's branch sees the rainy image and the rain before, then the other one the rainy image, the
    estimate before and the new rain. Neither adds the rainy image to what it predicts; both begin from it. Defaults are
    BRN in four stages, 412,518 parameters, of which 36,992 are in the authors' files and used by nobody. ``hears`` says
    who hears whom:

    * ``both`` is BRN, ``none`` CRN (338,790): branches that share images only;
    * ``image`` is BRN-RX (375,654): the image's branch hears the rain's; ``rain`` is BRN-XR (375,654).

    The weights do not depend on ``stages``: 4 at ICASSP, 8 in TIP. ``supervised=both`` trains as the authors did for
    heavy rain: every stage counts, and so does the rain, for which training needs the streaks.
    """

    def __init__(
        self,
        hears: Literal["both", "none", "image", "rain"] = "both",
        stages: Annotated[int, Ge(1), Le(100)] = 4,
        supervised: Literal["image", "both"] = "image",
        width: Annotated[int, Ge(1), Le(4096)] = 32,
    ) -> None:
        super().__init__()
        self.stages, self.supervised = stages, supervised
        self.rain = Branch(3, width, hears in ("both", "rain"), USED_OF_RAIN)
        self.image = Branch(6, width, hears in ("both", "image"), UNITS)

    @property
    def reach(self) -> int:
        """A pixel for each 3x3 convolution in a row, through both branches: 88 in four stages."""
        return self.stages * (2 * (1 + 1 + 1) + 2 * (USED_OF_RAIN + UNITS))

    @property
    def needed_layers(self) -> Mapping[str, Rule]:
        """The rain's light, where the rain is supervised."""
        return {"streak": luma_difference()} if self.supervised == "both" else {}

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the last stage's estimate, same shape."""
        return self.estimates(rainy)[0][-1]

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss of the last estimate; or, of both image and rain, that and half of every stage's."""
        images, rains = self.estimates(batch.rainy)
        if self.supervised == "image":
            return loss(images[-1], batch.clean)
        streaks = batch.layers["streak"].expand_as(batch.clean)
        return OF_IMAGE * _of_all(images, batch.clean, loss) + OF_RAIN * _of_all(rains, streaks, loss)

    def estimates(self, rainy: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Every stage's estimate of the clean image, and of the rain; first to last."""
        for_rain, for_image = self.rain.of_rainy(rainy), self.image.of_rainy(rainy)
        rain_state: State | None = None
        image_state: State | None = None
        rain = image = rainy
        images, rains = [], []
        for _ in range(self.stages):
            heard = None if image_state is None else image_state.hidden
            rain, rain_state = self.rain(for_rain, rain, rain_state, heard)
            seen = torch.cat([image, rain], dim=1)
            image, image_state = self.image(for_image, seen, image_state, rain_state.hidden)
            images.append(image)
            rains.append(rain)
        return images, rains


def _of_all(estimates: list[Tensor], target: Tensor, loss: Loss) -> Tensor:
    """The loss of the last one, and half that of each, the last again."""
    losses = torch.stack([loss(estimate, target) for estimate in estimates])
    return losses[-1] + OF_STAGE * losses.sum()


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters; its gates are a convolution each."""
    branch, module, *inside = name.split(".")
    suffix = "_r" if branch == "rain" else ""
    part = inside[-1]
    if module == "gates":
        return tuple(f"conv_{gate}{suffix}.0.{part}" for gate in "ifog")
    if module == "units":
        return (f"res_conv{int(inside[0]) + 1}{suffix}.{0 if inside[1] == 'first' else 2}.{part}",)
    return (f"{'conv0' if module == 'head' else 'conv'}{suffix}.0.{part}",)


BRN = Method(
    name="brn",
    title="BRN",
    network=BilateralRecurrent,
    # 100 epochs over 100x100 patches on a grid 100 pixels apart. The authors tripled RainTrainL, and only that, by
    # flips and by enlarging.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-3,
        schedule="multistep",
        milestones=(0.3, 0.5, 0.8),
        gamma=0.2,
        epochs=100,
        batch=12,
        patch=100,
        stride=100,
        loss="-ssim",
    ),
    # SSIM alone hardly minds the colour of what is made anew
    quick={"lr": 1e-3, "batch": 4, "patch": 48, "steps": 300, "augment": ("hflip", "rot90"), "loss": "l1+ssim"},
    paper=Paper(
        title="Bilateral Recurrent Network for Single Image Deraining",
        authors="Wei Shang, Pengfei Zhu, Dongwei Ren and Wangmeng Zuo",
        venue="ICASSP",
        year=2020,
        url="https://doi.org/10.1109/ICASSP40776.2020.9054250",
        bibtex="""@inproceedings{shang2020bilateral,
  title     = {Bilateral Recurrent Network for Single Image Deraining},
  author    = {Shang, Wei and Zhu, Pengfei and Ren, Dongwei and Zuo, Wangmeng},
  booktitle = {IEEE International Conference on Acoustics, Speech and Signal Processing (ICASSP)},
  year      = {2020}
}""",
    ),
    weights=WEIGHTS,
    variants={"CRN": {"hears": "none"}, "BRN-RX": {"hears": "image"}, "BRN-XR": {"hears": "rain"}},
    official_names=official_names,
)
