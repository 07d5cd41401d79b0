"""NeRD-Rain: Bidirectional Multi-Scale Implicit Neural Representations for Image Deraining (Chen et al., CVPR 2024)."""

from __future__ import annotations

import re
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le, MultipleOf
from pydantic import Field
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, UserError

from ._restormer import Block, ChannelAttention, conv, depthwise, down, official_layer, up

#: Sides are multiples of this, so that all three scales can be halved twice.
MULTIPLE = 16

#: Attention heads of the three levels, and by how much the feed-forward part has more channels than its input.
HEADS, EXPANSION = (1, 2, 4), 2.66

#: Columns of an implicit representation's first matrix for where, within a feature's cell, a query lies, and for the
#: cell's height and width.
PLACES, CELL = 18, 2

#: What a coarse image counts for in the loss: the L1 error of those that the implicit representations make.
OF_COARSE = 0.1

#: What goes straight from a pass's way down to its way up: features at the whole and at half the sides.
Skips = tuple[Tensor, Tensor]


class GatedFeedForward(nn.Module):
    """A depthwise convolution of twice the channels, one half of which gates the other: Restormer's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = int(width * EXPANSION)
        self.project_in = conv(width, 2 * hidden)
        self.dwconv = depthwise(2 * hidden, 3)
        self.project_out = conv(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, values = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        projected: Tensor = self.project_out(F.gelu(gate) * values)
        return projected


class ImplicitRepresentation(nn.Module):
    """Features to the image that a coordinate network sees in them: (B, C, H, W) to (B, 3, H, W).

    As the authors' code asks, at the features' own places, all that the network is told of the place is the same
    everywhere: it is a perceptron of each pixel's 3x3 neighbourhood and a constant, and so it is computed. The columns
    of its first matrix for places meet zeros only.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.seen = 9 * width
        self.layers = nn.ModuleList(
            [
                nn.Linear(self.seen + PLACES + CELL, hidden),
                *(nn.Linear(hidden, hidden) for _ in range(2)),
                nn.Linear(hidden, 3),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        first, *later = self.layers
        weight, bias = first.parameters()
        kernel = weight[:, : self.seen].reshape(-1, x.shape[1], 3, 3)
        x = F.conv2d(x, kernel, bias + 2 * weight[:, -CELL:].sum(dim=1), padding=1)  # cells of 2 by 2
        x = x.permute(0, 2, 3, 1)
        for layer in later:
            x = layer(x.relu())
        return x.permute(0, 3, 1, 2)


class Fusion(nn.Module):
    """Two scales' features, weighed by where they agree: both (B, C, H, W), as the result."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query_conv, self.key_conv = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.gamma1, self.gamma2 = (nn.Conv2d(2 * width, 2, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        agreement = torch.sigmoid(self.query_conv(x) * self.key_conv(y))
        fused = torch.zeros_like(x)
        for features, gamma in ((x, self.gamma1), (y, self.gamma2)):
            agreed = features * agreement
            of_all, of_agreed = gamma(torch.cat([features, agreed], dim=1)).chunk(2, dim=1)
            fused = fused + features * of_all + agreed * of_agreed
        return fused


class UNet(nn.Module):
    """A pass over one scale: three levels down, and two up again, where the fused features of other passes come in."""

    def __init__(self, width: int, depths: tuple[int, ...]) -> None:
        super().__init__()

        def level(number: int) -> nn.Sequential:
            channels, heads = 2**number * width, HEADS[number]
            return nn.Sequential(
                *(
                    Block(channels, ChannelAttention(channels, heads), GatedFeedForward(channels))
                    for _ in range(depths[number])
                )
            )

        self.encoder_level1, self.down1_2 = level(0), down(width)
        self.encoder_level2, self.down2_3 = level(1), down(2 * width)
        self.latent = level(2)
        self.up3_2, self.reduce_chan_level2, self.decoder_level2 = up(4 * width), conv(4 * width, 2 * width), level(1)
        self.up2_1, self.reduce_chan_level1, self.decoder_level1 = up(2 * width), conv(2 * width, width), level(0)

    def encode(self, x: Tensor) -> tuple[Skips, Tensor]:
        """(B, C, H, W) to features of C and 2C channels, and of 4C at a quarter of the sides."""
        first = self.encoder_level1(x)
        second = self.encoder_level2(self.down1_2(first))
        return (first, second), self.latent(self.down2_3(second))

    def decode(self, skips: Skips, latent: Tensor, reduce: nn.Module | None = None) -> Tensor:
        """Back to (B, C, H, W); ``reduce`` is another pass's reduction of the first level, None its own."""
        first, second = skips
        x = self.decoder_level2(self.reduce_chan_level2(torch.cat([self.up3_2(latent), second], dim=1)))
        joined = torch.cat([self.up2_1(x), first], dim=1)
        decoded: Tensor = self.decoder_level1((reduce or self.reduce_chan_level1)(joined))
        return decoded


def halved(x: Tensor) -> Tensor:
    """Every second pixel, the nearest ones."""
    return x[..., ::2, ::2]


def doubled(x: Tensor) -> Tensor:
    """Every pixel four times."""
    return F.interpolate(x, scale_factor=2.0)


def pyramid(clean: Tensor) -> list[Tensor]:
    """The image, and at half and a quarter of its sides, which are multiples of 4: smoothed by a binomial, averaged."""
    levels = [clean]
    for _ in range(2):
        x = F.pad(levels[-1], (2, 2, 2, 2), mode="reflect")
        for dim in (2, 3):
            size = x.shape[dim] - 4
            a, b, c, d, e = (x.narrow(dim, shift, size) for shift in range(5))
            x = (6 * c + 4 * (b + d) + (a + e)) / 16
        levels.append(F.avg_pool2d(x, 2))
    return levels


class NeRDRain(Derainer):
    """Coarse images restored first, help the finer ones, and are helped by them; 22,893,146 parameters.

    Six passes of a small U of transformer blocks: one over a quarter of the sides, two over half, three over the whole.
    From coarse to fine, an implicit representation makes an image that is added to the next scale's input; from fine to
    coarse and back, features are fused. ``width=32`` is NeRD-Rain-S (10,530,314). As in the authors' code, which their
    weights need, the last pass's first level is reduced by the layer of the pass before, and its own is frozen.

    Attention is over all that a pass sees, so it matters how much that is: the authors restore windows of 256 pixels
    side by side, and at the right and the lower end one flush with the border of which what is missing is taken. So it
    is here (``window``; 0 shows whole images). What is smaller than a window is mirrored up to multiples of 16.
    """

    def __init__(
        self,
        width: Annotated[int, Ge(2), Le(1024), MultipleOf(2)] = 48,
        blocks: Annotated[str, Field(pattern=r"^[1-9]\d?(-[1-9]\d?){2}$")] = "2-3-3",
        hidden: Annotated[int, Ge(1), Le(4096)] = 256,
        window: Annotated[int, Ge(0), Le(2**14), MultipleOf(MULTIPLE)] = 256,
    ) -> None:
        super().__init__()
        self.window = window
        depths = tuple(int(depth) for depth in blocks.split("-"))
        self.patch_embed_small, self.patch_embed_mid, self.patch_embed_max = (conv(3, width, 3) for _ in range(3))
        self.small, self.mid1, self.mid2 = (UNet(width, depths) for _ in range(3))
        self.max1, self.max2, self.max3 = (UNet(width, depths) for _ in range(3))
        self.max3.reduce_chan_level1.requires_grad_(False)
        self.small_to_mid, self.mid_to_max = (nn.ModuleList([up(4 * width), up(2 * width)]) for _ in range(2))
        self.inr, self.inr2 = (ImplicitRepresentation(width, hidden) for _ in range(2))
        self.fusion1, self.fusion2, self.fusion3 = (Fusion(4 * width) for _ in range(3))
        self.output_mid_context, self.output_max_context1, self.output_max_context2 = (
            conv(width, width, 3) for _ in range(3)
        )
        self.output_small, self.output_mid, self.output_max = (conv(width, 3, 3) for _ in range(3))

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1], any size, to the restored image, same shape."""
        # As numbers: an exported program is for one size.
        rows, columns = (_windows(int(length), self.window) for length in rainy.shape[-2:])
        lines = []
        for top, first_row, bottom in rows:
            line = []
            for left, first_column, right in columns:
                restored = self._of_window(rainy[..., top:bottom, left:right])
                line.append(restored[..., first_row - top :, first_column - left :])
            lines.append(torch.cat(line, dim=-1))
        return torch.cat(lines, dim=-2)

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss at three scales, and the L1 error of the two coarse images that were made on the way."""
        if any(side % MULTIPLE for side in batch.rainy.shape[-2:]):
            raise UserError(
                f"NeRD-Rain trains on patches whose side is a multiple of {MULTIPLE}: change the recipe's patch"
            )
        *restored, coarse_mid, coarse_small = self.estimates(batch.rainy)
        clean = pyramid(batch.clean)
        total = loss(restored[0], clean[0])
        for estimate, target in zip(restored[1:], clean[1:], strict=True):
            total = total + loss(estimate, target)
        for estimate, target in ((coarse_mid, clean[1]), (coarse_small, clean[2])):
            total = total + OF_COARSE * F.l1_loss(estimate.float(), target)
        return total

    def estimates(self, rainy: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The restored image at the whole, half and a quarter of the sides, which are multiples of 16; and what the
        implicit representations made of it at half and a quarter of them."""
        rainy_mid = halved(rainy)
        rainy_small = halved(rainy_mid)
        small_skips, small = self.small.encode(self.patch_embed_small(rainy_small))
        coarse_small = rainy_small + self.inr(_sampled_up(self.small_to_mid, small))
        seen_mid = rainy_mid + doubled(coarse_small)  # sums, not means: of about twice the range, and thrice below
        mid_skips, mid1 = self.mid1.encode(self.patch_embed_mid(seen_mid))
        coarse_mid = seen_mid + self.inr2(_sampled_up(self.mid_to_max, mid1))
        skips, max1 = self.max1.encode(self.patch_embed_max(rainy + doubled(coarse_mid)))
        skips2, max2 = self.max2.encode(self.output_max_context1(self.max1.decode(skips, max1)))
        skips3, max3 = self.max3.encode(self.output_max_context2(self.max2.decode(skips2, max2)))
        x = self.mid1.decode(mid_skips, mid1 + halved(self.fusion1(max1, max2)))
        mid_skips2, mid2 = self.mid2.encode(self.output_mid_context(x))
        small_x = self.small.decode(small_skips, small + halved(self.fusion3(mid1, mid2)))
        mid_x = self.mid2.decode(mid_skips2, mid2 + halved(self.fusion2(max2, max3))) + doubled(small_x)
        max_x = self.max3.decode(skips3, max3, reduce=self.max2.reduce_chan_level1) + doubled(mid_x)
        restored_small = self.output_small(small_x) + rainy_small
        restored_mid = self.output_mid(mid_x) + rainy_mid
        return self.output_max(max_x) + rainy, restored_mid, restored_small, coarse_mid, coarse_small

    def _of_window(self, rainy: Tensor) -> Tensor:
        """The restored image of any size, seen as a whole."""
        height, width = rainy.shape[-2:]
        below, right = -height % MULTIPLE, -width % MULTIPLE
        if below or right:
            mirrors = below < height and right < width
            rainy = F.pad(rainy, (0, right, 0, below), mode="reflect" if mirrors else "replicate")
        return self.estimates(rainy)[0][..., :height, :width]


def _sampled_up(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _windows(length: int, window: int) -> list[tuple[int, int, int]]:
    """How a side is covered: (first pixel seen, first taken, the one after the last) of each window."""
    if not window or length <= window:
        return [(0, 0, length)]
    spans = [(start, start, start + window) for start in range(0, length - window + 1, window)]
    covered = spans[-1][2]
    return spans if covered == length else [*spans, (length - window, covered, length)]


_OFFICIAL = {
    "inr.": "INR.imnet.",
    "inr2.": "INR2.imnet.",
    "fusion1.": "BF1.",
    "fusion2.": "BF2.",
    "fusion3.": "BF3.",
    "small_to_mid.0.": "upsmall2mid1.",
    "small_to_mid.1.": "upsmall2mid2.",
    "mid_to_max.0.": "upmid2max1.",
    "mid_to_max.1.": "upmid2max2.",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters: a pass is a suffix there, not of first ones' samplings."""
    for ours, theirs in _OFFICIAL.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
    name = re.sub(r"imnet\.layers\.(\d)", lambda match: f"imnet.layers.{2 * int(match[1])}", name)
    if match := re.fullmatch(r"(small|mid[12]|max[123])\.(\w+)\.(.+)", name):
        scale, module, rest = match.groups()
        if module.startswith(("down", "up")):
            scale = scale.removesuffix("1")
        name = f"{module}_{scale}.{rest}"
    name = re.sub(r"^(patch_embed_\w+)\.", r"\1.proj.", name)
    name = re.sub(r"\.(qkv_dwconv|dwconv)\.", r".\1.main.0.", name)
    return (official_layer(name),)


NERDRAIN = Method(
    name="nerdrain",
    title="NeRD-Rain",
    network=NeRDRain,
    # The rate of the first epoch was 0. The authors also change the saturation of a third of the patches, by up to a
    # fifth; here they keep it.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-4,
        schedule="cosine",
        lr_min=1e-6,
        warmup=0.001,  # 3 epochs
        rate_by="epoch",
        rate_lag=1,
        epochs=3000,
        batch=1,
        patch=256,
        augment=("mprnet",),
        loss="charbonnier + 0.01*fft + 0.05*edge",
    ),
    quick={
        "lr": 2e-4,
        "schedule": "cosine",
        "lr_min": 0.0,
        "warmup": 0.0,
        "rate_by": "step",
        "rate_lag": 0,
        "patch": 64,
        "steps": 60,
        "loss": "mse",
    },
    paper=Paper(
        title="Bidirectional Multi-Scale Implicit Neural Representations for Image Deraining",
        authors="Xiang Chen, Jinshan Pan and Jiangxin Dong",
        venue="CVPR",
        year=2024,
        url="https://arxiv.org/abs/2404.01547",
        bibtex="""@inproceedings{chen2024bidirectional,
  title     = {Bidirectional Multi-Scale Implicit Neural Representations for Image Deraining},
  author    = {Chen, Xiang and Pan, Jinshan and Dong, Jiangxin},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {25627--25636},
  year      = {2024}
}""",
    ),
    variants={"NeRD-Rain-S": {"width": 32}},
    official_names=official_names,
)
