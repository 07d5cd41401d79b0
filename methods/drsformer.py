"""DRSformer: Learning A Sparse Transformer Network for Effective Image Deraining (Chen, Li, Li and Pan, CVPR 2023)."""

from __future__ import annotations

import re
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le, MultipleOf
from pydantic import Field
from torch import Tensor, nn

from derainbench import Derainer, Method, Paper, Recipe

from ._restormer import Block, ChannelAttention, conv, depthwise, down, official_layer, up

#: Attention heads of the four levels; each has twice the channels of the one above.
HEADS = (1, 2, 4, 8)

#: The feed-forward part's channels are so many times its input's.
EXPANSION = 2.66

#: Of a level of mixed experts: steps, and operations in each.
STEPS, OPERATIONS = 4, 8


class SparseAttention(ChannelAttention):
    """Top-k sparse attention (Sec. 3.2): each channel attends to those of its head that are most alike, and only those.

    The sum, under learnt weights, of four attentions, to the best half, two thirds, three quarters and four fifths.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.attn1, self.attn2, self.attn3, self.attn4 = (nn.Parameter(torch.tensor([0.2])) for _ in range(4))
        channels = width // heads
        self.kept = tuple(int(share) for share in (channels / 2, channels * 2 / 3, channels * 3 / 4, channels * 4 / 5))

    def weights(self, scores: Tensor) -> Tensor:
        """The four of them added up, since all weigh the same values; zero where none attends to."""
        best, where = scores.topk(self.kept[-1], dim=-1)
        total = torch.zeros_like(best)
        for share, kept in zip((self.attn1, self.attn2, self.attn3, self.attn4), self.kept, strict=True):
            total = total + F.pad(share * best[..., :kept].softmax(dim=-1), (0, self.kept[-1] - kept))
        return torch.zeros_like(scores, dtype=total.dtype).scatter(-1, where, total)


class MixedScales(nn.Module):
    """The feed-forward network of two scales (Sec. 3.3): kernels of 3 and 5, twice, halves exchanged in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = int(width * EXPANSION)
        self.project_in = conv(width, 2 * hidden)
        self.dwconv3x3, self.dwconv5x5 = depthwise(2 * hidden, 3), depthwise(2 * hidden, 5)
        # Of two channels that lie beside each other, one.
        self.dwconv3x3_1, self.dwconv5x5_1 = (
            nn.Conv2d(2 * hidden, hidden, side, padding=side // 2, groups=hidden, bias=False) for side in (3, 5)
        )
        self.project_out = conv(2 * hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.project_in(x)
        fine, coarse = (F.relu(layer(x)).chunk(2, dim=1) for layer in (self.dwconv3x3, self.dwconv5x5))
        mixed = (torch.cat(halves, dim=1) for halves in zip(fine, coarse, strict=True))
        layers = (self.dwconv3x3_1, self.dwconv5x5_1)
        both = [F.relu(layer(half)) for layer, half in zip(layers, mixed, strict=True)]
        projected: Tensor = self.project_out(torch.cat(both, dim=1))
        return projected


def separable(width: int, side: int) -> nn.Sequential:
    """Two depthwise convolutions, each followed by one of 1x1."""
    first, second = ((depthwise(width, side), conv(width, width)) for _ in range(2))
    return nn.Sequential(*first, nn.ReLU(), *second)


class Step(nn.Module):
    """Eight operations side by side, weighed, joined, and added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(
            [
                *(separable(width, side) for side in (1, 3, 5, 7)),
                *(nn.Sequential(depthwise(width, side, dilation=2), conv(width, width)) for side in (3, 5, 7)),
                nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
            ]
        )
        self.last = conv(OPERATIONS * width, width)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(B, C, H, W) and (B, 8) to (B, C, H, W)."""
        parts = [w[:, None, None, None] * op(x) for w, op in zip(weights.unbind(1), self.operations, strict=True)]
        return F.relu(F.relu(self.last(torch.cat(parts, dim=1))) + x)


class MixedExperts(nn.Module):
    """Mixture of experts feature compensator (Sec. 3.4): four steps, whose weights the input's channel means decide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        count = STEPS * OPERATIONS
        self.weigh = nn.Sequential(nn.Linear(width, 2 * count), nn.ReLU(), nn.Linear(2 * count, count))
        self.first = conv(width, width)
        self.steps = nn.ModuleList(Step(width) for _ in range(STEPS))

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weigh(x.mean(dim=(2, 3))).unflatten(1, (STEPS, OPERATIONS)).softmax(dim=2)
        x = F.relu(self.first(x))
        for step, of_step in zip(self.steps, weights.unbind(1), strict=True):
            x = step(x, of_step)
        return x


class DRSformer(Derainer):
    """A U of transformer blocks over four scales, whose attention is sparse; 33,655,424 parameters.

    With ``mefc``, the default and the network of Rain200H, DID-Data and DDN-Data, mixed experts stand before and behind
    it; without them (32,610,304) it is the network of Rain200L and SPA-Data. ``width`` is the channels of the first
    level, ``blocks`` how many there are at each. Attention sees the whole image.

    Images are mirrored up to multiples of 8, as the authors do.
    """

    size_multiple = 8

    def __init__(
        self,
        mefc: bool = True,
        width: Annotated[int, Ge(2), Le(1024), MultipleOf(2)] = 48,
        blocks: Annotated[str, Field(pattern=r"^[1-9]\d?(-[1-9]\d?){3}$")] = "4-6-6-8",
    ) -> None:
        super().__init__()
        depths = [int(depth) for depth in blocks.split("-")]

        def level(number: int, channels: int) -> nn.Sequential:
            heads = HEADS[number - 1]
            return nn.Sequential(
                *(
                    Block(channels, SparseAttention(channels, heads), MixedScales(channels))
                    for _ in range(depths[number - 1])
                )
            )

        first, second, third, fourth = (2**n * width for n in range(4))
        self.patch_embed = conv(3, first, 3)
        self.encoder_level0 = MixedExperts(first) if mefc else nn.Identity()
        self.encoder_level1, self.down1_2 = level(1, first), down(first)
        self.encoder_level2, self.down2_3 = level(2, second), down(second)
        self.encoder_level3, self.down3_4 = level(3, third), down(third)
        self.latent, self.up4_3 = level(4, fourth), up(fourth)
        self.reduce_chan_level3, self.decoder_level3 = conv(fourth, third), level(3, third)
        self.up3_2, self.reduce_chan_level2, self.decoder_level2 = up(third), conv(third, second), level(2, second)
        self.up2_1, self.decoder_level1 = up(second), level(1, second)
        self.refinement = MixedExperts(second) if mefc else nn.Identity()
        self.output = conv(second, 3, 3)

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1], sides multiples of 8, to the restored image, same shape."""
        first = self.encoder_level1(self.encoder_level0(self.patch_embed(rainy)))
        second = self.encoder_level2(self.down1_2(first))
        third = self.encoder_level3(self.down2_3(second))
        x = self.up4_3(self.latent(self.down3_4(third)))
        x = self.decoder_level3(self.reduce_chan_level3(torch.cat([x, third], dim=1)))
        x = self.decoder_level2(self.reduce_chan_level2(torch.cat([self.up3_2(x), second], dim=1)))
        x = self.refinement(self.decoder_level1(torch.cat([self.up2_1(x), first], dim=1)))
        restored: Tensor = self.output(x) + rainy
        return restored


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters."""
    name = re.sub(r"^(encoder_level0|refinement)\.weigh\.", r"\1.layers.0.ca_fc.", name)
    name = re.sub(r"^(encoder_level0|refinement)\.first\.", r"\1.layers.1.preprocess.op.0.", name)
    name = re.sub(r"\.steps\.(\d)\.operations\.(\d)\.", r".layers.1._ops.\1._ops.\2.op.", name)
    name = re.sub(r"\.steps\.(\d)\.last\.", r".layers.1._ops.\1._out.0.", name)
    return (official_layer(name.replace("patch_embed.", "patch_embed.proj.")),)


DRSFORMER = Method(
    name="drsformer",
    title="DRSformer",
    network=DRSformer,
    # 3e-4 for 92,000 steps, then a cosine from there.
    recipe=Recipe(
        optimiser="adamw",
        lr=3e-4,
        weight_decay=1e-4,
        schedule="cosine",
        periods=(92_000, 208_000),
        period_minima=(3e-4, 1e-6),
        steps=300_000,
        batch=16,
        patch=128,
        augment=("hflip", "rot90"),
        loss="l1",
        clip=0.01,
    ),
    quick={
        "lr": 3e-4,
        "batch": 1,
        "patch": 48,
        "steps": 60,
        "loss": "mse",  # in so few steps absolute errors of sparse rain teach nothing
        "periods": (),
        "period_minima": (),
        "clip": None,
    },
    paper=Paper(
        title="Learning A Sparse Transformer Network for Effective Image Deraining",
        authors="Xiang Chen, Hao Li, Mingqiang Li and Jinshan Pan",
        venue="CVPR",
        year=2023,
        url="https://arxiv.org/abs/2303.11950",
        bibtex="""@inproceedings{chen2023learning,
  title     = {Learning A Sparse Transformer Network for Effective Image Deraining},
  author    = {Chen, Xiang and Li, Hao and Li, Mingqiang and Pan, Jinshan},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {5896--5905},
  year      = {2023}
}""",
    ),
    variants={"DRSformer without MEFC": {"mefc": False}},
    official_names=official_names,
)
