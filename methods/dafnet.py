"""DAF-Net: Depth-Attentional Features for Single-Image Rain Removal (Hu, Fu, Zhu and Heng, CVPR 2019)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainbench import Batch, Derainer, Loss, Method, Paper, Recipe, UserError
from derainbench.engine.trainer import Trainer
from derainbench.plugins.layers import Rule, absent
from derainbench.plugins.perceptual import load_convolutions

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: What the authors multiply grey levels with, almost 1/255; here values are in [0, 1].
SCALE = 0.0039212686 * 255
#: Attention maps, each of which weighs four neighbouring channels.
MAPS = 64


class Layer(NamedTuple):
    """A convolution of the authors' network: ``std`` is that of its first weights, None for He's."""

    inputs: int
    outputs: int
    size: int = 3
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    std: float | None = None


#: By the authors' names, in the order of their file.
LAYERS = {
    "conv1_1": Layer(3, 64),
    "conv1_2": Layer(64, 64),
    "conv2_1": Layer(64, 128),
    "conv2_2": Layer(128, 128),
    "conv3_1": Layer(128, 256),
    "conv3_2": Layer(256, 256),
    "conv3_3": Layer(256, 256),
    "conv4_1": Layer(256, 512),
    "conv4_2": Layer(512, 512),
    "conv4_3": Layer(512, 512),
    "conv5_1": Layer(512, 512),
    "conv5_2": Layer(512, 512),
    "conv5_3": Layer(512, 512),
    "conv1-dsn6": Layer(512, 512),
    "conv2-dsn6-d": Layer(512, 512),
    "conv2-dsn5-d": Layer(1024, 512),
    "conv2-dsn4-d": Layer(1024, 384),
    "conv2-dsn3-d": Layer(640, 256),
    "depth_predict": Layer(256, 1, size=1),
    "atten1_c1": Layer(1, 32),
    "atten1_c2": Layer(32, 32, dilation=2),
    "atten2_c1": Layer(32, 64),
    "atten2_c2": Layer(64, 64, dilation=2),
    "atten3_c1": Layer(64, 128),
    "atten3_c2": Layer(128, 128, dilation=2),
    "atten_weight": Layer(128, MAPS, size=1, std=0.01),
    "conv2-dsn6": Layer(512, 512),
    "conv2-dsn5": Layer(1024, 512),
    "conv2-dsn4": Layer(1024, 384),
    "conv2-dsn3": Layer(640, 256),
    "conv2-dsn2": Layer(384, 160),
    "conv2-dsn1": Layer(224, 128),
    "conv1_group_1x1": Layer(128, 256, size=1, bias=False),
    "conv1_group_3x3": Layer(256, 256, bias=False),
    "conv2_group_1x1": Layer(256, 256, size=1, bias=False, std=0.01),
    "attentional_conv1": Layer(256, 192, size=1, groups=MAPS, bias=False),
    "attentional_conv2": Layer(192, 192, groups=MAPS, std=0.01),
    "attentional_conv3": Layer(192, 3, size=1, bias=False, std=0.01),
}
#: Those that are VGG16's, and the deviation of ImageNet's red, green and blue in [0, 1], in whose units it sees them.
VGG16 = [f"conv{stage}_{n}" for stage, count in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, count + 1)]
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
#: The last layers, of whose parameters the authors' file says nothing: their one bias is learnt as weights are.
UNSPOKEN = ("conv1_group", "conv2_group", "attentional")


class DAFNet(Derainer):
    """Learns how far things are, and from that where rain and fog are; 43,061,697 parameters.

    VGG16's convolutions, a branch that predicts depth at a quarter of the size, 64 attention maps made from it without
    a gradient, and a decoder whose features they weigh. The depth is learnt from a dataset's ``depth``; on one that has
    none it is not, the attention then sees what untrained layers make, and the run says so.

    The authors resize every image to 512x256 and the result back; here any size is restored as it is, and patches are
    cropped. Their network begins with VGG16 as trained on ImageNet, and so does a training here whose recipe says so
    (:func:`begin_with_vgg16`); otherwise all begins with He's random weights.
    ``narrower`` divides all widths, for tests and small machines.
    """

    def __init__(self, narrower: int = 1) -> None:
        super().__init__()
        self.convs = nn.ModuleDict({name: _convolution(layer, narrower) for name, layer in LAYERS.items()})

    @property
    def needed_layers(self) -> Mapping[str, Rule | None]:
        return {"depth": absent()}

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape."""
        return self.restored_and_depth(rainy)[0]

    def restored_and_depth(self, rainy: Tensor) -> tuple[Tensor, Tensor]:
        """The restored image, and the depth in (0, 1): (B, 1, H/4, W/4), rounded up."""
        data = rainy.flip(1) * SCALE
        full, half, quarter, eighth, sixteenth, deepest = self._encoded(data)
        depth = self._decoded("-d", deepest, sixteenth, eighth, quarter)
        depth = torch.sigmoid(self.convs["depth_predict"](depth))
        features = self._decoded("", deepest, sixteenth, eighth, quarter, half, full)
        features = self._relu("conv1_group_3x3", self._relu("conv1_group_1x1", features))
        weighed = self._weighed(features, self._attention(depth.detach(), half, full))
        rest = self.convs["attentional_conv2"](weighed.relu_())
        restored = data + torch.tanh(self.convs["attentional_conv3"](rest))
        return restored.flip(1) / SCALE, depth

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """The recipe's loss, and the depth's squared error where a depth is known: each a sum over half of an image's
        values, as Caffe's is, so that an image counts 48 times as much as its depth."""
        restored, depth = self.restored_and_depth(batch.rainy)
        target = _resized(batch.layers["depth"].float() * SCALE, depth)
        known = torch.where(target.isnan(), depth.detach().float(), target)
        of_depth = F.mse_loss(depth.float(), known) * (depth[0].numel() / 2)
        return loss(restored * SCALE, batch.clean * SCALE) * (restored[0].numel() / 2) + of_depth

    def _encoded(self, data: Tensor) -> tuple[Tensor, ...]:
        """The features of five sizes, from the image's own down to a sixteenth, and the deepest."""
        found, x = [], data
        for number, count in enumerate((2, 2, 3, 3, 3), 1):
            for conv in range(1, count + 1):
                x = self._relu(f"conv{number}_{conv}", x)
            found.append(x)
            x = F.max_pool2d(x, 2, 2, ceil_mode=True) if number < 4 else F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        return (*found, self._relu("conv1-dsn6", F.avg_pool2d(x, 3, 1, 1)))

    def _decoded(self, branch: str, deepest: Tensor, *encoded: Tensor) -> Tensor:
        """The deepest features brought to the size of the encoded ones in turn, and merged with them."""
        x = self._relu(f"conv2-dsn6{branch}", deepest)
        for number, features in zip((5, 4, 3, 2, 1), encoded, strict=False):
            x = self._relu(f"conv2-dsn{number}{branch}", torch.cat([features, _resized(x, features)], 1))
        return x

    def _attention(self, depth: Tensor, half: Tensor, full: Tensor) -> Tensor:
        """Maps (B, 64, H, W) that add up to 1 at every pixel."""
        x = self._relu("atten1_c2", self._relu("atten1_c1", depth))
        x = self._relu("atten2_c2", self._relu("atten2_c1", _resized(x, half)))
        x = self._relu("atten3_c2", self._relu("atten3_c1", _resized(x, full)))
        return torch.softmax(self.convs["atten_weight"](x), 1)

    def _weighed(self, features: Tensor, attention: Tensor) -> Tensor:
        """``attentional_conv1`` of what each map weighs: four channels of ``conv2_group_1x1``'s.

        A map weighs all of its group alike, so that both convolutions can be one, ahead of it.
        """
        maps = attention.shape[1]
        first: Tensor = self.convs["conv2_group_1x1"].weight  # type: ignore[assignment]
        second: Tensor = self.convs["attentional_conv1"].weight  # type: ignore[assignment]
        both = torch.bmm(second.view(maps, -1, second.shape[1]), first.view(maps, second.shape[1], -1))
        found = F.conv2d(features, both.view(len(second), -1, 1, 1))
        weighed: Tensor = found.unflatten(1, (maps, -1)) * attention.unsqueeze(2)  # type: ignore[no-untyped-call]
        return weighed.flatten(1, 2)

    def _relu(self, name: str, x: Tensor) -> Tensor:
        activated: Tensor = self.convs[name](x).relu_()
        return activated


def _convolution(layer: Layer, narrower: int) -> nn.Conv2d:
    inputs, outputs, groups = (n if n < 32 else n // narrower for n in (layer.inputs, layer.outputs, layer.groups))
    padding = layer.dilation * (layer.size // 2)
    conv = nn.Conv2d(inputs, outputs, layer.size, 1, padding, layer.dilation, groups, layer.bias)
    if layer.std is None:
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    else:
        nn.init.normal_(conv.weight, std=layer.std)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, corner pixels on corner pixels."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


class CaffeAdam(torch.optim.Optimizer):
    """Adam as Caffe has it: what keeps the division finite is not corrected for the first steps, as torch's is."""

    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float], eps: float) -> None:
        super().__init__(groups, {"betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step; ``closure`` is not called."""
        for group in self.param_groups:
            first, second = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state |= {"step": 0, "mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
                state["step"] += 1
                gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])
                state["mean"].lerp_(gradient, 1 - first)
                state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
                rate = group["lr"] * math.sqrt(1 - second ** state["step"]) / (1 - first ** state["step"])
                parameter.addcdiv_(state["mean"], state["square"].sqrt().add_(group["eps"]), value=-rate)


def begin_with_vgg16(network: nn.Module) -> None:
    """Put torchvision's VGG16 in the place of the first thirteen convolutions.

    The authors take Caffe's, which was trained on grey levels in BGR less a mean, and show it images in [0, 1]. Its
    colours and units are made of torchvision's, which were trained anew, and as little is done about the mean.
    :class:`UserError` where the file is not here, or the network is narrower.
    """
    convolutions = load_convolutions()
    weight, bias = convolutions[0]
    convolutions[0] = (weight / (255 * torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1))).flip(1), bias
    for name, (weight, bias) in zip(VGG16, convolutions, strict=True):
        conv = network.get_submodule(f"convs.{name}")
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        if conv.weight.shape != weight.shape:
            raise UserError('a narrower dafnet cannot begin with VGG16; say pretrained = "none", or leave narrower out')
        with torch.no_grad():
            conv.weight.copy_(weight)
            conv.bias.copy_(bias)


class DAFNetTrainer(Trainer):
    """Biases learn twice as fast as weights, and do not decay, in the layers of which the authors' file says so."""

    heeds = frozenset({"pretrained"})

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None:
        if recipe.pretrained != "none":
            begin_with_vgg16(network)
        super().__init__(fabric, network, recipe, steps)

    def make_optimiser(self, network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        """Caffe's Adam over two groups of parameters."""
        biases, others = list[nn.Parameter](), list[nn.Parameter]()
        for name, parameter in network.named_parameters():
            spoken = not name.removeprefix("convs.").startswith(UNSPOKEN)
            (biases if spoken and name.endswith(".bias") else others).append(parameter)
        groups = [
            {"params": others, "lr": recipe.lr, "weight_decay": recipe.weight_decay},
            {"params": biases, "lr": recipe.lr, "weight_decay": 0.0, "lr_scale": 2.0},
        ]
        return CaffeAdam(groups, recipe.betas, recipe.eps)


def official_names(name: str) -> tuple[str, ...]:
    """What the authors' Caffe network calls one of our parameters."""
    return (name.removeprefix("convs."),)


DAFNET = Method(
    name="dafnet",
    title="DAF-Net",
    network=DAFNet,
    # The authors resize to 512x256, one image a batch, and flip nothing; how long they train is not in their file.
    recipe=Recipe(
        optimiser="adam",
        lr=1e-5,
        betas=(0.9, 0.99),
        weight_decay=5e-4,
        schedule="multistep",
        milestones=(70 / 120, 100 / 120),
        gamma=0.316,
        steps=120_000,
        batch=1,
        patch=256,
        loss="mse",
        pretrained="vgg16",
    ),
    quick={
        "pretrained": "none",
        "lr": 1e-4,
        "batch": 2,
        "patch": 64,
        "steps": 120,
        "schedule": "cosine",
        "augment": ("hflip",),
    },
    trainer=DAFNetTrainer,
    paper=Paper(
        title="Depth-Attentional Features for Single-Image Rain Removal",
        authors="Xiaowei Hu, Chi-Wing Fu, Lei Zhu and Pheng-Ann Heng",
        venue="CVPR",
        year=2019,
        url="https://openaccess.thecvf.com/content_CVPR_2019/html/Hu_Depth-Attentional_Features_for_Single-Image_Rain_Removal_CVPR_2019_paper.html",
        bibtex="""@inproceedings{hu2019depth,
  title     = {Depth-Attentional Features for Single-Image Rain Removal},
  author    = {Hu, Xiaowei and Fu, Chi-Wing and Zhu, Lei and Heng, Pheng-Ann},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {8022--8031},
  year      = {2019}
}""",
    ),
    official_names=official_names,
)
