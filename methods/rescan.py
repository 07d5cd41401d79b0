"""RESCAN: Recurrent Squeeze-and-Excitation Context Aggregation Net (Li et al., ECCV 2018)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, PublishedScore, Recipe, Weights, in_repository

from ._activations import tanh

#: Channels inside a squeeze-and-excitation, whatever the width: what the released weights have.
BOTTLENECK = 6
SLOPE = 0.2

#: What a unit remembers of the stage before: its features, and the LSTM's cell.
State = tuple[Tensor, ...]


def conv3x3(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution with bias that keeps the image's size (zero padding)."""
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)


def first_outputs(conv: nn.Conv2d, x: Tensor, outputs: int) -> Tensor:
    """The convolution's first output channels only."""
    assert conv.bias is not None
    return F.conv2d(x, conv.weight[:outputs], conv.bias[:outputs], padding=conv.padding, dilation=conv.dilation)


class Convolution(nn.Module):
    """A unit without memory."""

    def __init__(self, inputs: int, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = conv3x3(inputs, width, dilation)

    def forward(self, x: Tensor, state: State | None) -> State:
        return (self.conv(x),)


class RNN(nn.Module):
    """h = tanh(conv(x) + conv(h))."""

    def __init__(self, inputs: int, width: int, dilation: int) -> None:
        super().__init__()
        self.conv_x = conv3x3(inputs, width, dilation)
        self.conv_h = conv3x3(width, width)

    def forward(self, x: Tensor, state: State | None) -> State:
        if state is None:
            return (tanh(self.conv_x(x)),)
        return (tanh(self.conv_h(state[0]).add_(self.conv_x(x))),)


class GRU(nn.Module):
    """h = (1 - z) h + z n, with n = tanh(conv(x) + conv(r h)); h = z n in the first stage.

    One convolution makes what the input adds to the candidate n, the update z and the reset r, in this order; the first
    stage has nothing to reset and leaves the last third out.
    """

    def __init__(self, inputs: int, width: int, dilation: int) -> None:
        super().__init__()
        self.width = width
        self.conv_xnzr = conv3x3(inputs, 3 * width, dilation)
        self.conv_hzr = conv3x3(width, 2 * width)
        self.conv_hn = conv3x3(width, width)

    def forward(self, x: Tensor, state: State | None) -> State:
        if state is None:
            n, z = first_outputs(self.conv_xnzr, x, 2 * self.width).chunk(2, dim=1)
            return (torch.sigmoid(z) * tanh(n),)
        (hidden,) = state
        from_input = self.conv_xnzr(x)
        z, r = self.conv_hzr(hidden).add_(from_input[:, self.width :]).sigmoid_().chunk(2, dim=1)
        n = tanh(self.conv_hn(r * hidden).add_(from_input[:, : self.width]))
        return (torch.lerp(hidden, n, z),)


class LSTM(nn.Module):
    """c = f c + i j, h = o tanh(c); in the first stage c = i j and h = o c, without the tanh, as in the authors' code.

    One convolution makes what the input adds to the gates i, o, the candidate j and the gate f, in this order; the
    first stage has nothing to forget and leaves the last quarter out.
    """

    def __init__(self, inputs: int, width: int, dilation: int) -> None:
        super().__init__()
        self.width = width
        self.conv_xiojf = conv3x3(inputs, 4 * width, dilation)
        self.conv_hiojf = conv3x3(width, 4 * width)

    def forward(self, x: Tensor, state: State | None) -> State:
        if state is None:
            i, o, j = first_outputs(self.conv_xiojf, x, 3 * self.width).chunk(3, dim=1)
            cell = torch.sigmoid(i) * tanh(j)
            return torch.sigmoid(o) * cell, cell
        hidden, cell = state
        i, o, j, f = self.conv_hiojf(hidden).add_(self.conv_xiojf(x)).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * tanh(j)
        return torch.sigmoid(o) * tanh(cell), cell


_UNITS: dict[str, type[nn.Module]] = {"conv": Convolution, "rnn": RNN, "gru": GRU, "lstm": LSTM}


class SqueezeExcitation(nn.Module):
    """Each channel multiplied by a gate made of all channels' means: (B, C, H, W) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, BOTTLENECK)
        self.excite = nn.Linear(BOTTLENECK, width)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


class Layer(nn.Module):
    """A unit, excitation, LeakyReLU; what comes out is both the next layer's input and the next stage's state."""

    def __init__(self, unit: nn.Module, excitation: nn.Module) -> None:
        super().__init__()
        self.unit, self.excitation = unit, excitation

    def forward(self, x: Tensor, state: State | None) -> State:
        features, *cell = self.unit(x, state)
        return F.leaky_relu(self.excitation(features), SLOPE), *cell


class Rescan(Derainer):
    """Dilated recurrent layers with channel attention; each stage predicts the rain in what the stages before it left.

    Defaults are the paper's best network and the released one: GRU, four stages, 149,823 parameters. The options are
    its ablations: ``unit`` (conv has no memory), ``se=false`` (no squeeze-and-excitation), ``stages``, ``depth`` (a
    decoder of two convolutions and depth - 2 layers, dilated 1, 1, 2, 4, 8, ...) and ``width``. ``frame`` says what a
    stage predicts: ``full`` all the rain, ``add`` what the stage before it missed.

    Where the code differs from the paper, this follows the code, which the released weights need: the excitation's
    bottleneck is 6 whatever the width; the LSTM's first stage lacks a tanh; in ``add``, no gradient flows through the
    sum into earlier stages. The excitation averages over the image, so an output pixel depends on all of it.

    The authors' network reads BGR; the channels are turned here.
    """

    def __init__(
        self,
        unit: Literal["gru", "lstm", "rnn", "conv"] = "gru",
        frame: Literal["full", "add"] = "full",
        se: bool = True,
        stages: Annotated[int, Ge(1), Le(100)] = 4,
        depth: Annotated[int, Ge(3), Le(16)] = 7,
        width: Annotated[int, Ge(1), Le(4096)] = 24,
    ) -> None:
        super().__init__()
        self.frame, self.stages = frame, stages
        dilations = [1, *(2**i for i in range(depth - 3))]
        # Every stage sees further by its layers' dilations and the decoder's 3x3. The way from an input through a GRU's
        # reset to its candidate is a pixel longer, wherever there is a state to reset.
        resets = (stages - 1) * len(dilations) if unit == "gru" else 0
        self._reach = None if se else stages * (sum(dilations) + 1) + resets
        self.layers = nn.ModuleList(
            Layer(_UNITS[unit](width if i else 3, width, dilation), SqueezeExcitation(width) if se else nn.Identity())
            for i, dilation in enumerate(dilations)
        )
        self.decoder = nn.ModuleList(
            [conv3x3(width, width), SqueezeExcitation(width) if se else nn.Identity(), nn.Conv2d(width, 3, 1)]
        )
        if stages == 1:  # there is never a state for them to act on
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(".conv_h" not in name)

    @property
    def reach(self) -> int | None:
        """None with excitation, which averages over the image; 83 without, in four stages."""
        return self._reach

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the last stage's estimate, same shape."""
        return self.estimates(rainy)[-1]

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The sum of the recipe's loss over all stages."""
        return torch.stack([loss(estimate, batch.clean) for estimate in self.estimates(batch.rainy)]).sum()

    def estimates(self, rainy: Tensor) -> list[Tensor]:
        """Every stage's estimate of the clean image, first to last."""
        rainy = rainy.flip(1)
        states: list[State | None] = [None] * len(self.layers)
        rains: list[Tensor] = []
        x = rainy
        for _ in range(self.stages):
            for number, layer in enumerate(self.layers):
                states[number] = state = layer(x, states[number])
                x = state[0]
            conv, excitation, last = self.decoder
            rain = last(F.leaky_relu(excitation(conv(x)), SLOPE))
            if self.frame == "add" and rains:
                rain = rain + rains[-1].detach()
            rains.append(rain)
            x = rainy - rain
        return [(rainy - rain).flip(1) for rain in rains]


_OFFICIAL = {
    "unit.conv": "conv",
    "excitation.squeeze": "se.fc.0",
    "excitation.excite": "se.fc.2",
    "decoder.0": "dec.0",
    "decoder.1.squeeze": "dec.1.fc.0",
    "decoder.1.excite": "dec.1.fc.2",
    "decoder.2": "dec.3",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters.

    It has a convolution for each gate; the letters in the names of ours say which gates it makes, in order.
    """
    layer, _, part = name.rpartition(".")
    where = ""
    if match := re.fullmatch(r"layers\.(\d+)\.(.+)", layer):
        where, layer = f"rnns.{match[1]}.", match[2]
    if match := re.fullmatch(r"unit\.conv_([xh])(\w*)", layer):
        return tuple(f"{where}conv_{match[1]}{gate}.{part}" for gate in match[2] or [""])
    return (f"{where}{_OFFICIAL[layer]}.{part}",)


RESCAN = Method(
    name="rescan",
    title="RESCAN",
    network=Rescan,
    recipe=Recipe(
        optimiser="adam",
        lr=5e-3,
        schedule="multistep",
        milestones=(0.75, 0.875),
        gamma=0.1,
        steps=20_000,
        batch=64,
        patch=64,
        loss="mse",
    ),
    quick={"lr": 2e-3, "batch": 4, "patch": 48, "steps": 200, "augment": ("hflip", "rot90")},
    paper=Paper(
        title="Recurrent Squeeze-and-Excitation Context Aggregation Net for Single Image Deraining",
        authors="Xia Li, Jianlong Wu, Zhouchen Lin, Hong Liu and Hongbin Zha",
        venue="ECCV",
        year=2018,
        url="https://arxiv.org/abs/1807.05698",
        bibtex="""@inproceedings{li2018recurrent,
  title     = {Recurrent Squeeze-and-Excitation Context Aggregation Net for Single Image Deraining},
  author    = {Li, Xia and Wu, Jianlong and Lin, Zhouchen and Liu, Hong and Zha, Hongbin},
  booktitle = {European Conference on Computer Vision (ECCV)},
  pages     = {254--269},
  year      = {2018}
}""",
    ),
    weights=(
        Weights(
            tag="rain200l",
            trained_on="rain200l",
            source="https://github.com/csdwren/RecDerain (logs/RainLight/RESCAN/latest)",
            sha256="49bfd63951fc6fde251de82db9af42ef995db9d00113a585cd171c51fb533017",
            licence="none stated",
            files=(
                in_repository(
                    "csdwren/RecDerain",
                    "34f80fec438d3249ea7221432b40e2d50a52d780",
                    "logs/RainyLight/RESCAN/latest",
                    size=1_842_353,
                ),
            ),
            published=(
                PublishedScore("rain200l", "y", 38.43, 0.982, "RecDerain's README"),
                PublishedScore("spa-real", "y", 34.73, 0.937, "RecDerain's README"),
            ),
        ),
        Weights(
            tag="rain200h",
            trained_on="rain200h",
            source="https://github.com/csdwren/RecDerain (logs/RainHeavy/RESCAN/latest)",
            sha256="237e29616891f599334c236def92ce216ef9662ca1f77437643ac4b1987c58a3",
            licence="none stated",
            published=(PublishedScore("rain200h", "y", 28.02, 0.862, "RecDerain's README"),),
        ),
    ),
    variants={
        "RESCAN (LSTM)": {"unit": "lstm"},
        "RESCAN (RNN)": {"unit": "rnn"},
        "SCAN": {"unit": "conv", "stages": 1},
    },
    official_names=official_names,
)
