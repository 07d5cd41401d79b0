"""PReNet and its family: PReNet_r, PRN, PRN_r, GRU, x-only and the real-rain generator (Ren et al., CVPR 2019)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from derainbench.method import Derainer, Method, Paper, PublishedScore, Weights
from derainbench.recipe import Recipe

from .activations import tanh

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

    One convolution of cat[x, h] makes the gates f, i, o and the candidate g, in this order. One sigmoid serves them
    all, since tanh(a) = 2 sigmoid(2 a) - 1. The first stage leaves out what would only act on zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gates = conv3x3(2 * WIDTH, 4 * WIDTH)

    def forward(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        weight, bias = (torch.cat([part[:-WIDTH], 2 * part[-WIDTH:]]) for part in self.gates.parameters())
        if state is None:
            gates = F.conv2d(x, weight[WIDTH:, :WIDTH], bias[WIDTH:], padding=1).sigmoid_()
            i, o, g = gates.chunk(3, dim=1)
            cell = i * g.mul(2).sub_(1)
        else:
            hidden, cell = state
            gates = F.conv2d(torch.cat([x, hidden], dim=1), weight, bias, padding=1).sigmoid_()
            f, i, o, g = gates.chunk(4, dim=1)
            cell = torch.addcmul(f * cell, i, g.mul(2).sub_(1))
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
        stages: Annotated[int, Ge(1)] = 6,
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
        for _ in range(self.stages):
            seen = torch.cat([rainy, estimate], dim=1) if self.sees == "both" else estimate
            x = self.head(seen).relu_()
            if self.recurrence is not None and self.recurrence_at == "start":
                x, state = self.recurrence(x, state)
            for unit in self._unrolled_units():
                x = unit(x)
            if self.recurrence is not None and self.recurrence_at == "end":
                x, state = self.recurrence(x, state)
            estimate = self.tail(x) + rainy if self.residual else self.tail(x)
            estimates.append(estimate)
        return estimates

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

#: The files in the authors' repository: tag, training set, file, options, sha256. The repository does not say what the
#: ablations and the real-rain generators were trained on.
# fmt: off
_PUBLISHED: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
    ("rain100h", "rain100h", "Rain100H_PReNet6.pth", {},
     "127c0098787c5272f1f8583f6c5202e7ef674f750cd145a1691912a6d9e96210"),
    ("rain100h", "rain100h", "Rain100H_PReNet6_r.pth", {"shared": True},
     "ece8127c651cf49026d998fa36857cb9d462c92cf535b640a377fc025f765b5f"),
    ("rain100h", "rain100h", "Rain100H_PRN6.pth", {"recurrence": "none"},
     "f1d56a7df0851eb087652663781d3f34c4c37a4c7ddd9a3f0802abbede1a06c2"),
    ("rain100h", "rain100h", "Rain100H_PRN6_r.pth", {"recurrence": "none", "shared": True},
     "99242ce096c9c617bd529a5e189797e8955a4b8611d355974c7c1c64a18b9074"),
    ("rain100l", "rain100l", "Rain100L_PReNet6.pth", {},
     "cb9b743bb33cf6e5c56ba45f8ade93add46266dea9fa582e1934dc5eed942333"),
    ("rain100l", "rain100l", "Rain100L_PReNet6_r.pth", {"shared": True},
     "31dd4419cdb0f4da623d974747113d60e2c22803598c39dcf03d789f86a7f62b"),
    ("rain100l", "rain100l", "Rain100L_PRN6.pth", {"recurrence": "none"},
     "ed4be5b78f76dcec5c781e1655dee48c2a90b56993de555945d72e31848aea99"),
    ("rain100l", "rain100l", "Rain100L_PRN6_r.pth", {"recurrence": "none", "shared": True},
     "87ee3b1c027b33e7e532a4881c3b077d100cf40c65dd2843690600e3023acee0"),
    ("rain1400", "rain1400", "Rain1400_PReNet6.pth", {},
     "d5744dc2e35d73187a3f34936b3413884d293277073ffb78b961a78e65337879"),
    ("rain1400", "rain1400", "Rain1400_PReNet6_r.pth", {"shared": True},
     "c639c19b342d6ae977b7ff8a4b2fbeb24179510a6e57b8bf5ef32d6b071fc8d5"),
    ("rain1400", "rain1400", "Rain1400_PRN6.pth", {"recurrence": "none"},
     "c6620860a51b54afec0c1eebe412f0f1ca00128100f5b23c13758605206a0bf2"),
    ("rain1400", "rain1400", "Rain1400_PRN6_r.pth", {"recurrence": "none", "shared": True},
     "c0f7f18f3d33e26f50af8c693494a03c2776c627140a1d8e0514edd53e9398fb"),
    ("ablation-lstm5", "unstated", "Ablation_PReNet5_LSTM.pth", {"residual": False, "stages": 5},
     "02a0a1c184a87bf816e341a092756666f52277b5d34d9e224ba6ae904d2e991e"),
    ("ablation-lstm6", "unstated", "Ablation_PReNet6_LSTM.pth", {"residual": False},
     "b32541dfad6aa173c537dada8597475227e920fc9c8e1bbb80061363462bc14c"),
    ("ablation-lstm7", "unstated", "Ablation_PReNet7_LSTM.pth", {"residual": False, "stages": 7},
     "c5971708f06fefcbd467588321958160806225bccb4415e9ca56073d68b8f812"),
    ("ablation-recssim", "unstated", "Ablation_PReNet6_RecSSIM.pth", {"residual": False},
     "04ee235b6fed1798d48fbfd8b31f853d782fa6fdcae172f533979264a96ed7a4"),
    ("ablation-gru", "unstated", "Ablation_PReNet6_GRU.pth", {"recurrence": "gru", "residual": False},
     "2c0ed5ec96fe54c83a474c597741843ae4e98f1aac019470ce51235ac3bf66ff"),
    ("ablation-x", "unstated", "Ablation_PReNet6_x.pth", {"sees": "estimate", "residual": False},
     "ae76d3dce017c181f6c541c4884d606315b4a09ca1d29757ca44c8688e845bfe"),
    ("real1", "unstated", "PReNet1.pth", {"stages": 4, "recurrence_at": "end", "residual": False},
     "eba0c0ed941565abce9c61ceb8b36ff5e1532320c20efc11843f5f7fc810f7bb"),
    ("real2", "unstated", "PReNet2.pth", {"stages": 4, "recurrence_at": "end", "residual": False},
     "cbf6068474e64bf81ea8597fe1473cda19e7d0afadb3c81beb41f8dcc3751269"),
)
# fmt: on

#: What the authors print for the final models, under ``y``, on the dataset of the tag: their README's tables.
_SCORES = {
    "rain100h": {
        "PReNet6": (29.46, 0.899),
        "PReNet6_r": (28.98, 0.892),
        "PRN6": (28.07, 0.884),
        "PRN6_r": (27.43, 0.874),
    },
    "rain100l": {
        "PReNet6": (37.48, 0.979),
        "PReNet6_r": (37.10, 0.977),
        "PRN6": (36.99, 0.977),
        "PRN6_r": (36.11, 0.973),
    },
    "rain1400": {
        "PReNet6": (32.60, 0.946),
        "PReNet6_r": (32.44, 0.944),
        "PRN6": (31.69, 0.941),
        "PRN6_r": (31.31, 0.937),
    },
}


def _published_scores(tag: str, file: str) -> tuple[PublishedScore, ...]:
    scores = _SCORES.get(tag, {}).get(file.partition("_")[2].removesuffix(".pth"))
    return (PublishedScore(tag, "y", *scores, "the authors' README"),) if scores else ()


PRENET = Method(
    name="prenet",
    title="PReNet",
    network=PReNet,
    # 100 epochs over 100x100 patches on a grid 80 pixels apart (100 for Rain12600). The authors doubled RainTrainL, and
    # only that, by flips.
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
    weights=tuple(
        Weights(
            tag=tag,
            trained_on=trained_on,
            source=f"https://github.com/csdwren/PReNet (logs/, {file})",
            sha256=sha256,
            licence="none stated",
            options=options,
            quantisation="truncate",  # np.uint8(255 * out)
            published=_published_scores(tag, file),
        )
        for tag, trained_on, file, options, sha256 in _PUBLISHED
    ),
    variants={
        "PReNet_r": {"shared": True},
        "PRN": {"recurrence": "none"},
        "PRN_r": {"recurrence": "none", "shared": True},
        "PReNet (GRU)": {"recurrence": "gru"},
        "PReNet_x": {"sees": "estimate"},
    },
)
