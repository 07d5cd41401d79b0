"""DerainDropGAN: attentive generative adversarial network for raindrop removal (Qian et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, UserError
from derainbench.engine.device import fastest_layout, laid_out, lay_out
from derainbench.engine.trainer import Trainer, make_optimiser
from derainbench.plugins.layers import Rule, channel_mask

from ._activations import gates_and_candidate, tanh

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Rounds of the attention, residual units in each, and what a round's error counts less than the next one's.
ROUNDS, UNITS, DECAY = 4, 5, 0.8
#: What the errors of the image at a quarter and at half its size count, beside the whole one's 1.
QUARTER, HALF = 0.6, 0.8
DILATIONS = (2, 4, 8, 16)
#: What the discriminator's verdict counts in the generator's loss, and its map's error in its own.
ADVERSARIAL, MAP = 0.01, 0.05
#: The least side in pixels of patches: two strides of four leave something of them.
LEAST_PATCH = 16


def conv3x3(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution with bias and zero padding."""
    return nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation)


class Unit(nn.Module):
    """ReLU(ReLU(conv(ReLU(conv(x)))) + x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv3x3(width, width)
        self.second = conv3x3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.second(self.first(x).relu_()).relu_()
        return (features + x).relu_()


class Attention(nn.Module):
    """Where drops are: four maps from four rounds with the same weights, each seeing the one before.

    The maps are not bounded. One convolution makes the gates i, f, o and the candidate g of the recurrence, in this
    order; the first round has no state and leaves out what would act on it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.head = conv3x3(3 + 1, width)
        self.units = nn.ModuleList(Unit(width) for _ in range(UNITS))
        self.gates = conv3x3(2 * width, 4 * width)
        self.mask = conv3x3(width, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) BGR in [0, 1] to the maps, (B, 1, H, W) each, first to last."""
        weight = self.head.weight
        from_image = F.conv2d(image, weight[:, :3], self.head.bias, padding=1)  # is the same in all rounds
        mask = torch.full_like(image[:, :1], 0.5)
        state: tuple[Tensor, Tensor] | None = None
        masks = []
        for _ in range(ROUNDS):
            x = F.conv2d(mask, weight[:, 3:], padding=1).add_(from_image).relu_()
            for unit in self.units:
                x = unit(x)
            state = self._remember(x, state)
            mask = self.mask(state[0])
            masks.append(mask)
        return masks

    def _remember(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """The recurrence's output and its cell."""
        if state is None:
            gates = F.conv2d(x, self.gates.weight[:, : self.width], self.gates.bias, padding=1)
            i, _, o, g = gates_and_candidate(gates, self.width)
            cell = i * g
        else:
            hidden, cell = state
            i, f, o, g = gates_and_candidate(self.gates(torch.cat([x, hidden], dim=1)), self.width)
            cell = torch.addcmul(f * cell, i, g)
        return o * tanh(cell), cell


class Upsampling(nn.Module):
    """Transposed convolution to twice the size, means over 2x2, ReLU; its upper and left border is mirrored."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(self.conv(x), (1, 0, 1, 0), mode="reflect"), 2, 1).relu_()


class Features(NamedTuple):
    """What the auto-encoder's three outputs are made of: at a quarter, at half, and at the whole size."""

    quarter: Tensor
    half: Tensor
    whole: Tensor


class Autoencoder(nn.Module):
    """From the image and its attention map to the image without drops; no skip from the image itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        full, half, quarter = 2 * width, 4 * width, 8 * width
        self.conv1 = nn.Conv2d(3 + 1, full, 5, padding=2)
        self.conv2, self.conv3 = conv3x3(full, half, stride=2), conv3x3(half, half)
        self.inner = nn.ModuleList(
            [
                conv3x3(half, quarter, stride=2),
                *(conv3x3(quarter, quarter) for _ in range(2)),
                *(conv3x3(quarter, quarter, dilation=dilation) for dilation in DILATIONS),
                *(conv3x3(quarter, quarter) for _ in range(2)),
            ]
        )
        self.up1, self.conv9 = Upsampling(quarter, half), conv3x3(half, half)
        self.up2, self.conv10 = Upsampling(half, full), conv3x3(full, width)
        self.to_quarter, self.to_half, self.to_whole = conv3x3(quarter, 3), conv3x3(half, 3), conv3x3(width, 3)

    def forward(self, seen: Tensor) -> Features:
        """(B, 3 + 1, H, W): a BGR image and its map."""
        first = self.conv1(seen).relu_()
        x = second = self.conv3(self.conv2(first).relu_()).relu_()
        for conv in self.inner:
            x = conv(x).relu_()
        half = self.conv9(self.up1(x) + second).relu_()
        return Features(x, half, self.conv10(self.up2(half) + first).relu_())


class Outputs(NamedTuple):
    """All that training supervises: the maps (B, 1, H, W), first to last, and images in BGR, not clamped, at a quarter,
    at half and at the whole size."""

    masks: list[Tensor]
    quarter: Tensor
    half: Tensor
    whole: Tensor


class DerainDrop(Derainer):
    """The generator: attention, then an auto-encoder that sees its last map beside the image; 6,244,362 parameters.

    * ``threshold``: a pixel belongs to a drop where a channel of the pair differs by so many of 255 grey levels, or
      more, on datasets without masks. The paper's 30 misses faint streaks.
    * ``width``: the attention's features; the auto-encoder has two, four and eight times as many.

    Sides are multiples of 4: the harness mirrors the border, where the authors cut the image. Their network reads BGR;
    the channels are turned here. The output is the image itself, in which nothing is added to the input.

    The discriminator is the trainer's (:class:`AdversarialTrainer`), and no part of what is evaluated.
    """

    size_multiple = 4

    def __init__(
        self, threshold: Annotated[int, Ge(1), Le(255)] = 30, width: Annotated[int, Ge(1), Le(1024)] = 32
    ) -> None:
        super().__init__()
        self.threshold = threshold
        self.attention = Attention(width)
        self.autoencoder = Autoencoder(width)

    @property
    def proposal(self) -> str:
        """How it is trained is."""
        return "its authors published no training; its losses are after the paper, its recipe a third party's"

    @property
    def needed_layers(self) -> Mapping[str, Rule]:
        """Where drops are."""
        return {"mask": channel_mask(self.threshold)}

    @property
    def reach(self) -> int:
        """The attention's convolutions in a row, and the auto-encoder's, whose inner ones step over 4 pixels: 216."""
        rounds = ROUNDS * (1 + 2 * UNITS + 1 + 1)
        inner = 4 * (4 + sum(DILATIONS))
        outer = 2 + (1 + 2) + (2 + 4) + (8 + 2) + (4 + 1) + 2
        return rounds + inner + outer

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1], sides multiples of 4, to the restored image, same shape."""
        image = rainy.flip(1)
        features = self.autoencoder(torch.cat([image, self.attention(image)[-1]], dim=1))
        restored: Tensor = self.autoencoder.to_whole(features.whole)
        return restored.flip(1)

    def outputs(self, rainy: Tensor) -> Outputs:
        """(B, 3, H, W) RGB in [0, 1] to all that training supervises. :class:`UserError` for other sides."""
        if any(side % 4 for side in rainy.shape[-2:]):
            sides = " x ".join(map(str, rainy.shape[-2:]))
            raise UserError(f"deraindrop trains on patches whose sides are multiples of 4, not {sides}; give others")
        image = rainy.flip(1)
        masks = self.attention(image)
        parts, features = self.autoencoder, self.autoencoder(torch.cat([image, masks[-1]], dim=1))
        quarter, half = parts.to_quarter(features.quarter).relu_(), parts.to_half(features.half).relu_()
        return Outputs(masks, quarter, half, parts.to_whole(features.whole))

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """What needs no other network: the maps' squared errors, and the recipe's loss at three sizes."""
        return supervised(self.outputs(batch.rainy), batch, loss)


def supervised(outputs: Outputs, batch: Batch, loss: Loss) -> Tensor:
    """The attention's loss, 0.8^(4-t) of the t-th map's squared error, and the multi-scale loss: 0.6, 0.8 and 1 times
    the recipe's at a quarter, half and the whole size, whose targets are means of pixels.
    """
    clean, mask = batch.clean.flip(1), batch.layers["mask"]
    attention = [
        DECAY ** (ROUNDS - number) * F.mse_loss(found.float(), mask.float())
        for number, found in enumerate(outputs.masks, 1)
    ]
    sizes = [
        QUARTER * loss(outputs.quarter, F.avg_pool2d(clean, 4)),
        HALF * loss(outputs.half, F.avg_pool2d(clean, 2)),
        loss(outputs.whole, clean),
    ]
    return sum([*attention[1:], *sizes], start=attention[0])


class Discriminator(nn.Module):
    """Whether an image is a clean one, and where it is not: 7,737,746 parameters for a side of 219 to 234.

    Its last layers fit images of one size only. The third-party training code resizes all to 224x224; here they fit the
    recipe's patches. The authors' file calls one layer twice, with more channels than it takes, and cannot run; it is
    called once here, as in the third-party code.
    """

    def __init__(self, side: int, width: int = 32, hidden: int = 1024) -> None:
        super().__init__()
        widths = (3, width // 4, width // 2, 2 * width, 4 * width, 4 * width, 4 * width)
        self.convs = nn.ModuleList(nn.Conv2d(inputs, outputs, 5, padding=2) for inputs, outputs in pairwise(widths))
        self.mask = nn.Conv2d(4 * width, 1, 5, padding=2)
        self.inner = nn.ModuleList([nn.Conv2d(4 * width, 2 * width, 5, 4, 1), nn.Conv2d(2 * width, width, 5, 4, 1)])
        left = ((side - 3) // 4 + 1 - 3) // 4 + 1
        self.last = nn.Sequential(nn.Linear(width * left * left, hidden), nn.Linear(hidden, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, side, side) BGR in [0, 1] to its map (B, 1, side, side), unbounded, and the logit (B, 1) of being
        clean."""
        mask, features = self.seen(image)
        logit: Tensor = self.last(features.flatten(1))
        return mask, logit

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The map, and the features before they are flattened, of an image of any size."""
        x = image
        for conv in self.convs:
            x = conv(x).relu_()
        mask = self.mask(x)
        x = x * mask
        for conv in self.inner:
            x = conv(x).relu_()
        return mask, x


def judged(verdict: tuple[Tensor, Tensor], of_clean: tuple[Tensor, Tensor], attention: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's loss of a restored and of a clean image, -log D(clean) - log(1 - D(restored)), and of their
    maps, whose targets are the generator's last one and 0."""
    (mask, logit), (clean_mask, clean_logit) = verdict, of_clean
    told = F.softplus(-clean_logit.float()).mean() + F.softplus(logit.float()).mean()
    return told, F.mse_loss(mask.float(), attention.float()) + clean_mask.float().square().mean()


def adversarial(logit: Tensor) -> Tensor:
    """log(1 - D(restored)), which the generator lowers."""
    return -F.softplus(logit.float()).mean()


def perceptual(restored: tuple[Tensor, ...], clean: tuple[Tensor, ...]) -> Tensor:
    """The mean of the squared errors of four of VGG16's features."""
    errors = [F.mse_loss(found, wanted) for found, wanted in zip(restored, clean, strict=True)]
    return torch.stack(errors).mean()


class AdversarialTrainer(Trainer):
    """Trains the generator and a discriminator in turn, each with an optimiser of its own, on the same restored images.

    The discriminator is in the checkpoints; there is none where the recipe is not adversarial. VGG16 is fed BGR in
    [0, 1], without any normalisation.
    """

    heeds = frozenset({"perceptual", "adversarial"})

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None:
        if "training_loss" in vars(network):
            raise UserError("deraindrop's two networks are not compiled; leave --compile out")
        if recipe.patch < LEAST_PATCH:
            raise UserError(
                f"deraindrop trains on patches of {LEAST_PATCH} pixels or more; the recipe has {recipe.patch}"
            )
        super().__init__(fabric, network, recipe, steps)
        self.network.mark_forward_method("outputs")
        self.adversary = Adversary(self) if recipe.adversarial else None

    def step(self, step: int, batch: Batch) -> Tensor:
        """One step of the generator, and one of the discriminator: the generator's loss."""
        clean = batch.clean.flip(1)
        with self.fabric.autocast():
            outputs = self.network.outputs(laid_out(batch.rainy, self.network))
            loss = supervised(outputs, batch, self.loss)
            if self.adversary is not None:
                loss = loss + ADVERSARIAL * self.adversary.fooled(outputs.whole)
            if self.features is not None:
                loss = loss + perceptual(self.features(outputs.whole), self.features(clean))
        told = self.descend(loss, self.network, self.optimiser, self.rate(step))
        if self.adversary is None:
            return told
        of_judge = self.adversary.step(step, outputs.whole.detach(), clean, outputs.masks[-1].detach())
        return torch.where(torch.isfinite(of_judge), told, of_judge)

    def state_dict(self) -> dict[str, Any]:
        """Both networks and both optimisers."""
        adversary = {} if self.adversary is None else self.adversary.state_dict()
        return {**super().state_dict(), **adversary}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave."""
        super().load_state_dict(state)
        if self.adversary is not None:
            self.adversary.load_state_dict(state)


class Adversary:
    """The discriminator in training: what it says to the generator, and its own steps, as of a trainer's recipe."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, recipe, fabric = trainer, trainer.recipe, trainer.fabric
        self.judge = Discriminator(recipe.patch)
        lay_out(self.judge, fastest_layout(fabric))
        self.shared, self.optimiser = fabric.setup(self.judge, make_optimiser(self.judge, recipe))

    def fooled(self, restored: Tensor) -> Tensor:
        """What the generator lowers; the judge learns nothing from it."""
        self.judge.requires_grad_(False)
        said = adversarial(self.judge(restored)[1])  # not the shared one, which waits for gradients of its parameters
        self.judge.requires_grad_(True)
        return said

    def step(self, step: int, restored: Tensor, clean: Tensor, attention: Tensor) -> Tensor:
        """One step on (B, 3, H, W) images in BGR, restored and clean, and the generator's last maps: its loss."""
        trainer = self.trainer
        with trainer.fabric.autocast():
            both = laid_out(torch.cat([restored, clean]), self.shared)  # at once: one forward a backward
            mask, logit = (of_both.chunk(2) for of_both in self.shared(both))
            verdict, maps = judged((mask[0], logit[0]), (mask[1], logit[1]), attention)
        return trainer.descend(verdict + MAP * maps, self.shared, self.optimiser, trainer.rate(step))

    def state_dict(self) -> dict[str, Any]:
        """The discriminator and its optimiser."""
        return {"judge": self.judge.state_dict(), "judging": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave."""
        self.judge.load_state_dict(state["judge"])
        self.optimiser.load_state_dict(state["judging"])


_OFFICIAL = {
    "attention.head": ("det_conv0.0",),
    "attention.gates": ("conv_i.0", "conv_f.0", "conv_o.0", "conv_g.0"),
    "attention.mask": ("det_conv_mask.0",),
    **{f"attention.units.{n}.first": (f"det_conv{n + 1}.0",) for n in range(UNITS)},
    **{f"attention.units.{n}.second": (f"det_conv{n + 1}.2",) for n in range(UNITS)},
    **{f"autoencoder.conv{n}": (f"conv{n}.0",) for n in (1, 2, 3, 9, 10)},
    **{
        f"autoencoder.inner.{n}": (f"{theirs}.0",)
        for n, theirs in enumerate(
            ("conv4", "conv5", "conv6", "diconv1", "diconv2", "diconv3", "diconv4", "conv7", "conv8")
        )
    },
    "autoencoder.up1.conv": ("deconv1.0",),
    "autoencoder.up2.conv": ("deconv2.0",),
    "autoencoder.to_quarter": ("outframe1.0",),
    "autoencoder.to_half": ("outframe2.0",),
    "autoencoder.to_whole": ("output.0",),
}


def official_names(name: str) -> tuple[str, ...]:
    """The authors' names of one of the generator's parameters; their gates are a convolution each."""
    layer, _, part = name.rpartition(".")
    return tuple(f"{theirs}.{part}" for theirs in _OFFICIAL[layer])


DERAINDROP = Method(
    name="deraindrop",
    title="DerainDropGAN",
    network=DerainDrop,
    # A third party's (github.com/shleecs/DeRaindrop_unofficial): the authors published neither their training code nor
    # optimiser, rate and crop. That code resizes whole images to 224x224; here crops are that large.
    recipe=Recipe(
        optimiser="adam",
        lr=5e-4,
        betas=(0.5, 0.99),
        epochs=200,
        batch=2,
        patch=224,
        stride=224,
        loss="mse",
        perceptual="vgg16",
        adversarial=True,
    ),
    quick={
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "schedule": "cosine",
        "clip": 1.0,  # so large a rate alone makes maps of the attention jump
        "batch": 1,
        "patch": 32,
        "steps": 1600,
        "loss": "ssim + 5*mse",  # the image is made anew: SSIM teaches it soonest, squared errors find the drops
        "augment": ("hflip", "rot90"),
        "perceptual": "none",
        "adversarial": False,  # the discriminator takes two thirds of a step
        "checkpoint_every": 100,
    },
    trainer=AdversarialTrainer,
    paper=Paper(
        title="Attentive Generative Adversarial Network for Raindrop Removal from A Single Image",
        authors="Rui Qian, Robby T. Tan, Wenhan Yang, Jiajun Su and Jiaying Liu",
        venue="CVPR",
        year=2018,
        url="https://arxiv.org/abs/1711.10098",
        bibtex="""@inproceedings{qian2018attentive,
  title     = {Attentive Generative Adversarial Network for Raindrop Removal from A Single Image},
  author    = {Qian, Rui and Tan, Robby T. and Yang, Wenhan and Su, Jiajun and Liu, Jiaying},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {2482--2491},
  year      = {2018}
}""",
    ),
    official_names=official_names,
)
