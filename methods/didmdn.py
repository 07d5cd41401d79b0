"""DID-MDN: density-aware deraining with a multi-stream dense network (Zhang and Patel, CVPR 2018)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, UserError
from derainbench.engine.learning_rate import learning_rate
from derainbench.engine.trainer import Trainer
from derainbench.plugins.layers import Thirds, luma_difference

from ._activations import tanh

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from derainbench.plugins.perceptual import VGG16Features

SLOPE = 0.2
#: Heavy, medium, light, and one that never occurs.
CLASSES = 4
#: Channels of the label map, and how many times a stream of the main network gives its one tap.
LABELS, TAPS = 8, 5
#: What the classifier's features are averaged over.
POOL = 7

Resize = Literal["down", "same", "up"]
#: Channels in, channels that the convolutions add, channels out, and what becomes of the size.
StageSizes = tuple[int, int, int, Resize]

#: Streams of the main network, and the sides of their kernels. A later stage sees an earlier one's features beside its
#: own.
MAIN_STREAMS: tuple[tuple[int, tuple[StageSizes, ...]], ...] = (
    (
        3,
        (
            (3, 5, 4, "down"),
            (4, 8, 12, "same"),
            (12, 4, 12, "same"),
            (12, 4, 12, "same"),
            (24, 8, 4, "same"),
            (8, 8, 4, "up"),
        ),
    ),
    (
        5,
        (
            (3, 13, 8, "down"),
            (8, 16, 16, "down"),
            (16, 16, 16, "same"),
            (16, 16, 16, "same"),
            (32, 8, 8, "up"),
            (16, 8, 4, "up"),
        ),
    ),
    (
        7,
        (
            (3, 13, 8, "down"),
            (8, 16, 16, "down"),
            (16, 16, 16, "down"),
            (16, 16, 16, "up"),
            (32, 8, 8, "up"),
            (16, 8, 4, "up"),
        ),
    ),
)

#: Streams of the residual network, all with 3x3 kernels. A later stage sees the sum of its own and an earlier one's
#: features.
RESIDUAL_STREAMS: tuple[tuple[StageSizes, ...], ...] = (
    (
        (3, 5, 4, "same"),
        (4, 8, 12, "same"),
        (12, 4, 12, "same"),
        (12, 4, 12, "same"),
        (12, 8, 4, "same"),
        (4, 8, 2, "same"),
    ),
    (
        (3, 13, 8, "down"),
        (8, 16, 16, "same"),
        (16, 16, 16, "same"),
        (16, 16, 16, "same"),
        (16, 8, 8, "same"),
        (8, 8, 2, "up"),
    ),
    (
        (3, 13, 8, "down"),
        (8, 16, 16, "down"),
        (16, 16, 16, "same"),
        (16, 16, 16, "same"),
        (16, 8, 8, "up"),
        (8, 8, 2, "up"),
    ),
)

#: Stages that the authors' residual network has besides, and does not use.
UNUSED_STAGES: tuple[StageSizes, ...] = (
    (3, 13, 8, "same"),
    (8, 16, 16, "same"),
    (16, 32, 16, "same"),
    (16, 16, 16, "same"),
    (16, 8, 8, "same"),
    (8, 8, 4, "same"),
)


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU in place."""
    return F.leaky_relu(x, SLOPE, inplace=True)


def nearest(x: Tensor, like: Tensor) -> Tensor:
    """(B, C, h, w) to the height and width of another, by the nearest pixel."""
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


def inert(modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
    """Layers that the authors' networks have under these names and never use: frozen, here for a weights file's
    sake."""
    return nn.ModuleDict(modules).requires_grad_(False)


class Norm(nn.BatchNorm2d):
    """Batch normalisation; outside training with the statistics of each image by itself, unless ``running``.

    The authors never call ``eval()`` and restore one image at a time, which comes to the same.
    """

    def __init__(self, width: int, running: bool) -> None:
        super().__init__(width)
        self.running = running

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.running:
            return super().forward(x)
        singly = [self._by_itself(one) for one in torch.split(x, 1)]
        return singly[0] if len(singly) == 1 else torch.cat(singly)

    def _by_itself(self, x: Tensor) -> Tensor:
        # Not F.batch_norm's own statistics: of a channels-last photograph, on a processor, they are off by 1e-4.
        values = x.float() if x.dtype != torch.float64 else x
        centred = values - values.mean((0, 2, 3), keepdim=True)
        scale = self.weight * torch.rsqrt(centred.square().mean((0, 2, 3)) + self.eps)
        return torch.addcmul(self.bias.view(-1, 1, 1), centred, scale.view(-1, 1, 1)).to(x.dtype)


class Stage(nn.Module):
    """A dense bottleneck (1x1, then ``kernel``) whose output stands beside its input, and a 1x1 transition.

    The transition is a transposed convolution in name only. Halving the size comes before it here, which is the same
    and a quarter of the work.
    """

    def __init__(self, sizes: StageSizes, kernel: int, running: bool) -> None:
        super().__init__()
        inputs, growth, outputs, self.resize = sizes
        self.norm1 = Norm(inputs, running)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2 = Norm(4 * growth, running)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel, padding=kernel // 2, bias=False)
        self.norm3 = Norm(inputs + growth, running)
        self.conv3 = nn.ConvTranspose2d(inputs + growth, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        added = self.conv1(self.norm1(x).relu_())
        added = self.conv2(self.norm2(added).relu_())
        x = self.norm3(torch.cat([x, added], dim=1)).relu_()
        if self.resize == "down":
            x = F.avg_pool2d(x, 2)
        x = F.conv2d(x, self.conv3.weight.transpose(0, 1))
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self.resize == "up" else x


class Stream(nn.Module):
    """Six stages with skips from the second to behind the fourth and from the first to behind the fifth.

    (B, 3, H, W), multiples of 8, to the last stage's features in that size and the first stage's in its own.
    """

    def __init__(
        self,
        stages: Sequence[StageSizes],
        kernel: int,
        running: bool,
        concatenate: bool,
        unused: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        self.concatenate = concatenate
        self.stages = nn.ModuleList(Stage(sizes, kernel, running) for sizes in stages)
        self.unused = inert(unused)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.stages[0](x)
        second = self.stages[1](first)
        fourth = self.stages[3](self.stages[2](second))
        fifth = self.stages[4](self._joined(fourth, second))
        return self.stages[5](self._joined(fifth, first)), first

    def _joined(self, late: Tensor, early: Tensor) -> Tensor:
        return torch.cat([late, early], dim=1) if self.concatenate else late + early


class Pyramid(nn.Module):
    """Means over squares of 32, 16, 8 and 4 pixels, a 1x1 convolution of each, and all of it to three channels.

    (B, C, H, W), sides of at least 32, to (B, 3, H, W) in (-1, 1).
    """

    def __init__(self, width: int, each: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, each, 1) for _ in range(4))
        self.refine = nn.Conv2d(4 * each + width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        pooled, parts = F.avg_pool2d(x, 4), [x]
        for number, conv in enumerate(reversed(self.convs)):
            pooled = F.avg_pool2d(pooled, 2) if number else pooled  # means of means
            parts.insert(0, nearest(leaky(conv(pooled)), x))
        return tanh(self.refine(torch.cat(parts, dim=1)))


class MainNetwork(nn.Module):
    """Three dense streams under a density label: 372,839 parameters, of which 7,603 are never used.

    All five taps of a stream are its first one (a slip in the authors' code that their weights have learnt with), and
    the image stands beside every stream: what the merging convolution would see several times is seen once here, by the
    sum of its weights.
    """

    def __init__(self, running: bool) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            Stream(stages, kernel, running, True, _unused_of_main(stages, head=number > 0))
            for number, (kernel, stages) in enumerate(MAIN_STREAMS)
        )
        self.taps = nn.ModuleList(nn.Conv2d(stages[0][2], 1, 3, padding=1) for _, stages in MAIN_STREAMS)
        self.merge = nn.Conv2d(3 * (4 + TAPS + 3) + 3 + LABELS, 47, 3, padding=1)
        self.pyramid = Pyramid(47, 2)
        self.clean1 = nn.Conv2d(3, 8, 7, padding=3)
        self.clean2 = nn.Conv2d(8, 3, 3, padding=1)
        self.unused = inert({"batchnorm20": nn.BatchNorm2d(20), "batchnorm1": nn.BatchNorm2d(1)})

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) RGB in [-1, 1] and (B,) labels, to what is taken away and the clean image, in (-1, 1)."""
        residual = self.pyramid(leaky(self.merged(x, label)))
        return residual, tanh(self.clean2(leaky(self.clean1(x - residual))))

    def merged(self, x: Tensor, label: Tensor) -> Tensor:
        """All streams and the label, merged into 47 channels, before the activation."""
        seen = []
        for stream, tap in zip(self.streams, self.taps, strict=True):
            last, first = stream(x)
            seen += [last, nearest(leaky(tap(first)), x)]
        labels = label.to(x.dtype).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[-2:])
        return F.conv2d(torch.cat([*seen, x, labels], dim=1), self._weight(), self.merge.bias, padding=1)

    def _weight(self) -> Tensor:
        """The merging convolution's weight for each thing once: (47, 3 (4 + 1) + 3 + 1, 3, 3)."""
        each = 4 + TAPS + 3
        first, image, second, third, labels = torch.split(self.merge.weight, [each, 3, each, each, LABELS], dim=1)
        parts = []
        for stream in (first, second, third):
            last, taps, again = torch.split(stream, [4, TAPS, 3], dim=1)
            parts += [last, taps.sum(dim=1, keepdim=True)]
            image = image + again
        return torch.cat([*parts, image, labels.sum(dim=1, keepdim=True)], dim=1)


class ResidualNetwork(nn.Module):
    """Three dense streams that clean an image for the classifier: 182,947 parameters, 79,338 of them never used.

    Its label is always 0 in the authors' scripts, and its four label channels are left out here.
    """

    def __init__(self, running: bool) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            Stream(stages, 3, running, False, _unused_of_residual() if number else {})
            for number, stages in enumerate(RESIDUAL_STREAMS)
        )
        self.merge = nn.Conv2d(3 * 2 + 3 + 4, 20, 3, padding=1)
        self.pyramid = Pyramid(20, 1)
        self.unused = inert({"batchnorm20": nn.BatchNorm2d(20), "batchnorm1": nn.BatchNorm2d(1)})
        self.unused_stages = nn.ModuleList(Stage(sizes, 3, True) for sizes in UNUSED_STAGES).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [-1, 1] to an estimate of the clean image, in (-1, 1)."""
        estimate: Tensor = self.pyramid(leaky(self.merged(x)))
        return estimate

    def merged(self, x: Tensor) -> Tensor:
        """All streams, merged into 20 channels, before the activation."""
        first, second, third = (stream(x)[0] for stream in self.streams)
        seen = torch.cat([first, x, second, third], dim=1)
        return F.conv2d(seen, self.merge.weight[:, : seen.shape[1]], self.merge.bias, padding=1)


class Classifier(nn.Module):
    """How dense rain is, from the rain alone: 65,501,084 parameters, nearly all in one matrix.

    ``inputs`` are :data:`POOL`-fold averaged features of an image, 24 channels each: 24 * 73 * 73 of 512x512.
    """

    def __init__(self, inputs: int, running: bool, hidden: int = 512) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.norm = Norm(64, running)
        self.conv2 = nn.Conv2d(64, 24, 3, padding=1)
        self.hidden = nn.Linear(inputs, hidden)
        self.last = nn.Linear(hidden, CLASSES)

    def forward(self, residue: Tensor) -> Tensor:
        """(B, 3, H, W) in [-2, 2] to the logits of heavy, medium, light and a class that never occurs: (B, 4)."""
        logits: Tensor = self.last(self.hidden(self.pooled(residue).flatten(1)).relu_())
        return logits

    def pooled(self, residue: Tensor) -> Tensor:
        """(B, 24, H / 7, W / 7), rounded down."""
        x = self.norm(self.conv1(residue)).relu_()
        return F.avg_pool2d(self.conv2(x).relu_(), POOL)


#: The networks in the order in which they are trained, and each one's share of the steps: the authors say the order.
PHASES: Mapping[str, float] = {"residual": 0.15, "classifier": 0.05, "main": 0.8}


class DidMdn(Derainer):
    """Three networks: one finds the rain, one says how dense it is, and the main one takes it away, told the density.

    66,056,870 parameters: 372,839 (main), 182,947 (residual), 65,501,084 (classifier, at 512x512). What the authors'
    networks have and never use stays, frozen, for the sake of weights.

    * ``classifier_side``: the classifier sees the rain resized to that square, bilinearly. Its matrix fits 512 only,
      which the authors make of every image from the start; here the other networks see the image as it is.
    * ``statistics``: ``image`` normalises by the image's own statistics, since the authors never call ``eval()``;
      ``running`` by those of the training.

    Sides are multiples of 32 (the harness pads): the networks would run from multiples of 8 that are at least 32, but
    squares of 32 pixels are averaged, and at the authors' 512 they fill the image.

    The label is class + 1, in training as in use. In the authors' released scripts training counts from 0 and the test
    from 1; the older training script counts from 1, as the released weights presumably do.

    Images are in [-1, 1] inside, and so is what the losses compare: the recipe's loss of [0, 1] counts twice.
    """

    size_multiple = 32

    def __init__(
        self,
        classifier_side: Annotated[int, Ge(POOL), Le(2048)] = 512,
        statistics: Literal["image", "running"] = "image",
    ) -> None:
        super().__init__()
        running = statistics == "running"
        self.side = classifier_side
        self.residual = ResidualNetwork(running)
        self.classifier = Classifier(24 * (classifier_side // POOL) ** 2, running)
        self.main = MainNetwork(running)
        #: Which of :data:`PHASES` the training loss is of; None: the sum of all.
        self.phase: str | None = None

    @property
    def needed_layers(self) -> Mapping[str, Thirds]:
        """The density class of each image."""
        return {"density": Thirds(luma_difference())}

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1], sides multiples of 32, to the restored image, same shape."""
        x = 2 * rainy - 1
        density = self.density_logits(x - self.residual(x)).argmax(dim=1)
        _, clean = self.main(x, density + 1)
        return _unit(clean)

    def density_logits(self, residue: Tensor) -> Tensor:
        """What an image in [-1, 1] has beside its estimated clean one, to logits (B, 4) of its density."""
        square = F.interpolate(residue, size=(self.side, self.side), mode="bilinear", align_corners=False)
        logits: Tensor = self.classifier(square)
        return logits

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The losses of the phase: the recipe's of the residual network's image, cross-entropy of the density, the
        recipe's of the main network's image, which is told the true density. No gradient goes from one network into
        another. :class:`UserError` for patches that the networks cannot take.
        """
        side = batch.rainy.shape[-1]
        if side % 8 or side < 32:
            raise UserError(f"didmdn trains on patches of 32, 40, 48, ... pixels; the recipe's patch is {side}")
        density = batch.layers["density"][:, 0, 0, 0].long()
        x, losses = 2 * batch.rainy - 1, []
        if self.phase in (None, "residual", "classifier"):
            with torch.set_grad_enabled(self.phase != "classifier"):
                estimate = self.residual(x)
            if self.phase != "classifier":
                losses.append(2 * loss(_unit(estimate), batch.clean))
            if self.phase != "residual":
                losses.append(F.cross_entropy(self.density_logits(x - estimate.detach()).float(), density))
        if self.phase in (None, "main"):
            _, clean = self.main(x, density + 1)
            losses.append(2 * loss(_unit(clean), batch.clean))
        return sum(losses[1:], start=losses[0])


class PhasedTrainer(Trainer):
    """Trains the three networks one after the other, each by the recipe from its first learning rate on.

    The paper ends with all of them at once; the released code trains the main network by itself. One optimiser does for
    all: a network that has no part in a step's loss has no gradient, and stays as it is.
    """

    heeds = frozenset({"perceptual"})

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None:
        super().__init__(fabric, network, recipe, steps)
        assert isinstance(network, DidMdn)
        self.derainer = network
        self.learners = {name: [p for p in getattr(network, name).parameters() if p.requires_grad] for name in PHASES}
        if self.features is not None:
            self.loss = with_features(self.loss, self.features)
        self.ends = [round(steps * share) for share in accumulate(PHASES.values())]

    def step(self, step: int, batch: Batch) -> Tensor:
        """One step of the network whose turn it is."""
        phase = list(PHASES)[bisect_right(self.ends, step)]
        if phase != self.derainer.phase:
            self._begin(phase)
        return super().step(step, batch)

    def _begin(self, phase: str) -> None:
        """Let one network learn. Several processes wait for the gradients of all that does."""
        self.derainer.phase = phase
        for name, parameters in self.learners.items():
            for parameter in parameters:
                parameter.requires_grad_(name == phase)
        if self.fabric.world_size > 1:
            self.network = self.fabric.setup_module(self.derainer)
            self.network.mark_forward_method("training_loss")

    def rate(self, step: int) -> float:
        """The recipe's schedule over the steps of each network."""
        number = bisect_right(self.ends, step)
        start = self.ends[number - 1] if number else 0
        return learning_rate(self.recipe, step - start, self.ends[number] - start)


def with_features(loss: Loss, features: VGG16Features) -> Loss:
    """The loss with 0.9 times the mean absolute differences of relu1_2 and of relu2_2 of images in [-1, 1].

    The network doubles it, which makes the authors' 1.8. They fed RGB without any normalisation, as here, to weights
    that a Caffe network had learnt from BGR up to 255; torchvision's, which are what is known here, are not those.
    """

    def both(restored: Tensor, clean: Tensor) -> Tensor:
        pairs = list(zip(features(2 * restored - 1), features(2 * clean - 1), strict=True))
        return loss(restored, clean) + 0.9 * (F.l1_loss(*pairs[1]) + F.l1_loss(*pairs[3]))

    return both


def _unit(image: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1]."""
    return (image + 1) / 2


def _unused_of_main(stages: Sequence[StageSizes], head: bool) -> dict[str, nn.Module]:
    """Taps of the later stages, and, in two of the streams, a head."""
    inputs = (stages[1][2], stages[2][2], stages[4][0], stages[5][0], 8)
    unused: dict[str, nn.Module] = {
        f"conv{number}1": nn.Conv2d(width, 1, 3, padding=1) for number, width in enumerate(inputs, 2)
    }
    return {**unused, **_unused_head()} if head else unused


def _unused_of_residual() -> dict[str, nn.Module]:
    pyramid = {f"conv10{number}0": nn.Conv2d(20, 1, 1) for number in range(1, 5)}
    return {**_unused_head(), **pyramid}


def _unused_head() -> dict[str, nn.Module]:
    return {
        "conv_refin": nn.Conv2d(11, 20, 3, padding=1),
        "refine3": nn.Conv2d(24, 3, 3, padding=1),
        "batchnorm20": nn.BatchNorm2d(20),
        "batchnorm1": nn.BatchNorm2d(1),
    }


#: The authors' scripts have the three networks as variables of these names, and a file of weights for each.
_OFFICIAL_NETWORKS = {"main": "netG", "residual": "residue_net", "classifier": "net_label"}
_OFFICIAL = {
    "merge": "conv_refin",
    "pyramid.convs.0": "conv1010",
    "pyramid.convs.1": "conv1020",
    "pyramid.convs.2": "conv1030",
    "pyramid.convs.3": "conv1040",
    "pyramid.refine": "refine3",
    "clean1": "refineclean1",
    "clean2": "refineclean2",
    "conv1": "feature.0",
    "norm": "feature.1",
    "conv2": "conv16",
    "hidden": "dense_classifier",
    "last": "dense_classifier1",
}
_OFFICIAL_STAGE = {
    "norm1": "dense_block{}.bn1",
    "conv1": "dense_block{}.conv1",
    "norm2": "dense_block{}.bn2",
    "conv2": "dense_block{}.conv2",
    "norm3": "trans_block{}.bn1",
    "conv3": "trans_block{}.conv1",
}


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' code calls one of our parameters, behind the name that it has for its network."""
    network, _, inside = name.partition(".")
    layer, _, part = inside.rpartition(".")
    where = f"{_OFFICIAL_NETWORKS[network]}."
    if match := re.fullmatch(r"streams\.(\d)\.(.+)", layer):
        where, layer = f"{where}dense{match[1]}.", match[2]
    if match := re.fullmatch(r"(?:unused_)?stages\.(\d)\.(\w+)", layer):
        return (f"{where}{_OFFICIAL_STAGE[match[2]].format(int(match[1]) + 1)}.{part}",)
    if match := re.fullmatch(r"taps\.(\d)", layer):
        return (f"{where}dense{match[1]}.conv11.{part}",)
    return (f"{where}{_OFFICIAL.get(layer, layer.removeprefix('unused.'))}.{part}",)


DIDMDN = Method(
    name="didmdn",
    title="DID-MDN",
    network=DidMdn,
    # The main network's learning rate reaches 0 after 400 epochs in the authors' script, which falls by steps of an
    # epoch; four fifths of the whole are its. How long they trained the other two is not said. Their images are 512x512
    # and whole; the flip that their code means to make never happens.
    recipe=Recipe(
        optimiser="adam",
        lr=2e-4,
        betas=(0.5, 0.999),
        weight_decay=5e-5,
        schedule="linear",
        epochs=500,
        batch=1,
        patch=512,
        stride=512,
        loss="l1",
        perceptual="vgg16",
    ),
    quick={
        "lr": 2e-3,
        "batch": 1,  # as in use, where an image is normalised by its own statistics
        "patch": 128,
        "steps": 600,
        "loss": "l1 + 0.2*ssim",  # without the features of VGG16 structure needs a word of its own
        "augment": ("hflip", "rot90"),
        "perceptual": "none",
        "checkpoint_every": 200,  # the classifier's matrix and its optimiser are 0.8 GB
    },
    trainer=PhasedTrainer,
    paper=Paper(
        title="Density-aware Single Image De-raining using a Multi-stream Dense Network",
        authors="He Zhang and Vishal M. Patel",
        venue="CVPR",
        year=2018,
        url="https://arxiv.org/abs/1802.07412",
        bibtex="""@inproceedings{zhang2018density,
  title     = {Density-aware Single Image De-raining using a Multi-stream Dense Network},
  author    = {Zhang, He and Patel, Vishal M.},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {695--704},
  year      = {2018}
}""",
    ),
    official_names=official_names,
)
