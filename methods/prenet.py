"""PReNet and its family: PReNet_r, PRN, PRN_r, GRU, x-only and the real-rain generator (Ren et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Derainer, Method, Paper, PublishedScore, Recipe, Weights, in_repository
from derainbench.methods._prenet_weights import RECDERAIN  # hashed as no code of the network's: results stay valid

from ._activations import gates_and_candidate, tanh
from ._prenet_weights import ALSO_TESTED_ON, FILES, SCORES

WIDTH = 32
RESIDUAL_UNITS = 5

#: What a recurrence remembers of the stage before: (B, 32, H, W) features, and the LSTM's cell.
State = tuple[Tensor, ...]


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


class ResidualUnit(nn.Module):
    """ReLU(ReLU(conv(ReLU(conv(x)))) + x): a ReLU before the sum as well as after it, as published."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv3x3(WIDTH, WIDTH)
        self.second = conv3x3(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.second(self.first(x).relu_()).relu_()
        return (features + x).relu_()


class ConvLSTM(nn.Module):
    """Convolutional LSTM across stages: c = f c + i g, h = o tanh(c); h = c = 0 before the first stage.

    One convolution of cat[x, h] makes the gates f, i, o and the candidate g, in this order. The first stage leaves out
    what would only act on zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gates = conv3x3(2 * WIDTH, 4 * WIDTH)

    def forward(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        if state is None:
            weight, bias = self.gates.parameters()
            gates = F.conv2d(x, weight[WIDTH:, :WIDTH], bias[WIDTH:], padding=1)
            i, o, g = gates_and_candidate(gates, WIDTH)
            cell = i * g
        else:
            hidden, cell = state
            f, i, o, g = gates_and_candidate(self.gates(torch.cat([x, hidden], dim=1)), WIDTH)
            cell = torch.addcmul(f * cell, i, g)
        hidden = o * tanh(cell)
        return hidden, (hidden, cell)


class ConvGRU(nn.Module):
    """Convolutional GRU across stages: h = (1 - z) h + z n, the candidate n sees cat[r h, x]; h = 0 at first.

    One convolution of cat[x, h] makes the update z and the reset r.
    """

    def __init__(self) -> None:
        super().__init__()
        self.update_reset = conv3x3(2 * WIDTH, 2 * WIDTH)
        self.candidate = conv3x3(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        if state is None:
            (z_weight, z_bias), (n_weight, n_bias) = self.update_reset.parameters(), self.candidate.parameters()
            z = F.conv2d(x, z_weight[:WIDTH, :WIDTH], z_bias[:WIDTH], padding=1).sigmoid_()
            hidden = z * tanh(F.conv2d(x, n_weight[:, WIDTH:], n_bias, padding=1))
        else:
            (hidden,) = state
            z, r = self.update_reset(torch.cat([x, hidden], dim=1)).sigmoid_().chunk(2, dim=1)
            hidden = torch.lerp(hidden, tanh(self.candidate(torch.cat([r * hidden, x], dim=1))), z)
        return hidden, (hidden,)


class PReNet(Derainer):
    """Progressive recurrent network: the same small residual network applied ``stages`` times to its own output.

    Each stage sees the rainy image beside the previous estimate, carries a recurrent state, and adds the rainy image to
    what it predicts. Defaults are PReNet, 168,963 parameters. The family, as options:

    * ``recurrence=none`` is PRN (95,107), ``recurrence=gru`` the paper's GRU ablation (150,499);
    * ``shared=true`` uses one residual unit five times: PReNet_r (94,979) and, without recurrence, PRN_r (21,123);
    * ``sees=estimate`` feeds the previous estimate alone (PReNet_x, 168,099);
    * ``residual=false`` predicts the clean image itself instead of adding the rainy one: all of the authors' ablation
      weights (LSTM of 5, 6, 7 stages, GRU, PReNet_x) were trained like that, the final models with the addition;
    * ``stages=4,recurrence_at=end,residual=false`` is the generator of the authors' real-rain weights: its recurrence
      comes after the residual units.

    Where the code differs from the paper's text, this follows the code, which is what the published weights need.
    """

    def __init__(
        self,
        stages: Annotated[int, Ge(1), Le(100)] = 6,
        recurrence: Literal["lstm", "gru", "none"] = "lstm",
        shared: bool = False,
        sees: Literal["both", "estimate"] = "both",
        recurrence_at: Literal["start", "end"] = "start",
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.stages = stages
        self.residual = residual
        self.sees = sees
        self.recurrence_at = recurrence_at
        self.head = conv3x3(6 if sees == "both" else 3, WIDTH)
        self.recurrence = ConvLSTM() if recurrence == "lstm" else ConvGRU() if recurrence == "gru" else None
        self.units = nn.ModuleList(ResidualUnit() for _ in range(1 if shared else RESIDUAL_UNITS))
        self.tail = conv3x3(WIDTH, 3)

    @property
    def reach(self) -> int:
        """A pixel for each 3x3 convolution in a row: 78 for the six stages of PReNet."""
        gates = 0 if self.recurrence is None else 2 if isinstance(self.recurrence, ConvGRU) else 1
        return self.stages * (1 + gates + 2 * RESIDUAL_UNITS + 1)

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the last stage's estimate, same shape."""
        return self.estimates(rainy)[-1]

    def estimates(self, rainy: Tensor) -> list[Tensor]:
        """Every stage's estimate, first to last."""
        state: State | None = None
        estimate, estimates = rainy, []
        head = self._head(rainy)
        for _ in range(self.stages):
            x = head(estimate).relu_()
            if self.recurrence is not None and self.recurrence_at == "start":
                x, state = self.recurrence(x, state)
            for unit in self._unrolled_units():
                x = unit(x)
            if self.recurrence is not None and self.recurrence_at == "end":
                x, state = self.recurrence(x, state)
            estimate = self.tail(x) + rainy if self.residual else self.tail(x)
            estimates.append(estimate)
        return estimates

    def _head(self, rainy: Tensor) -> Callable[[Tensor], Tensor]:
        """The first convolution as a function of the estimate; what it makes of the rainy image is made once."""
        if self.sees == "estimate":
            return self.head
        weight = self.head.weight
        from_rainy = F.conv2d(rainy, weight[:, :3], self.head.bias, padding=1)
        return lambda estimate: F.conv2d(estimate, weight[:, 3:], padding=1).add_(from_rainy)

    def _unrolled_units(self) -> list[nn.Module]:
        return list(self.units) * (RESIDUAL_UNITS // len(self.units))


def official_names(name: str) -> tuple[str, ...]:
    """The authors' names of a parameter of :class:`PReNet`; their gates are a convolution each."""
    module, _, part = name.rpartition(".")
    if module.startswith("units."):
        _, unit, which = module.split(".")
        return (f"res_conv{int(unit) + 1}.{0 if which == 'first' else 2}.{part}",)
    return tuple(f"{theirs}.{part}" for theirs in _OFFICIAL[module])


_OFFICIAL = {
    "head": ("conv0.0",),
    "tail": ("conv.0",),
    "recurrence.gates": ("conv_f.0", "conv_i.0", "conv_o.0", "conv_g.0"),
    "recurrence.update_reset": ("conv_z.0", "conv_b.0"),
    "recurrence.candidate": ("conv_g.0",),
}


def _published_scores(tag: str, file: str) -> tuple[PublishedScore, ...]:
    model = file.partition("_")[2].removesuffix(".pth")
    printed = {name: SCORES.get(name, {}).get(model) for name in (tag, *ALSO_TESTED_ON.get(tag, ()))}
    return tuple(
        PublishedScore(name, "y", *scores, "the authors' README") for name, scores in printed.items() if scores
    )


PRENET = Method(
    name="prenet",
    title="PReNet",
    network=PReNet,
    # 100 epochs over 100x100 patches on a grid 80 pixels apart. The authors doubled RainTrainL, and only that, by
    # flips.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-3,
        schedule="multistep",
        milestones=(0.3, 0.5, 0.8),
        gamma=0.2,
        epochs=100,
        batch=18,
        patch=100,
        stride=80,
        loss="-ssim",
    ),
    recipe_on={"rain1400": {"stride": 100}},  # their Rain12600
    quick={"lr": 1e-3, "batch": 4, "patch": 48, "steps": 200, "augment": ("hflip", "rot90")},
    paper=Paper(
        title="Progressive Image Deraining Networks: A Better and Simpler Baseline",
        authors="Dongwei Ren, Wangmeng Zuo, Qinghua Hu, Pengfei Zhu and Deyu Meng",
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1901.09221",
        bibtex="""@inproceedings{ren2019progressive,
  title     = {Progressive Image Deraining Networks: A Better and Simpler Baseline},
  author    = {Ren, Dongwei and Zuo, Wangmeng and Hu, Qinghua and Zhu, Pengfei and Meng, Deyu},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {3937--3946},
  year      = {2019}
}""",
    ),
    official_names=official_names,
    weights=(
        *(
            Weights(
                tag=tag,
                trained_on=trained_on,
                source=f"https://github.com/csdwren/PReNet (logs/, {file})",
                sha256=sha256,
                licence="none stated",
                options=options,
                quantisation="truncate",  # np.uint8(255 * out)
                published=_published_scores(tag, file),
                files=(in_repository("csdwren/PReNet", commit, path, sha256, size, name=file),),
            )
            for tag, trained_on, file, options, sha256, (commit, path, size) in FILES
        ),
        *RECDERAIN,
    ),
    variants={
        "PReNet_r": {"shared": True},
        "PRN": {"recurrence": "none"},
        "PRN_r": {"recurrence": "none", "shared": True},
        "PReNet (GRU)": {"recurrence": "gru"},
        "PReNet_x": {"sees": "estimate"},
    },
)
