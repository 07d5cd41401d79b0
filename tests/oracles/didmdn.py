"""DID-MDN as published: three networks, every layer that is used computed as the authors write it, official names.

Zhang and Patel, "Density-aware Single Image De-raining using a Multi-stream Dense Network", CVPR 2018.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseBlock(nn.Module):
    """BN, ReLU, 1x1, BN, ReLU, KxK; what comes out stands behind what came in."""

    def __init__(self, inputs: int, growth: int, kernel: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(torch.relu(self.bn1(x)))
        return torch.cat((x, self.conv2(torch.relu(self.bn2(y)))), 1)


class Transition(nn.Module):
    """BN, ReLU, transposed 1x1; then twice the size (U), half of it (D), or as it is (N)."""

    def __init__(self, inputs: int, outputs: int, size: str) -> None:
        super().__init__()
        self.size = size
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(torch.relu(self.bn1(x)))
        if self.size == "U":
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.avg_pool2d(x, 2) if self.size == "D" else x


#: Of each block: channels in, growth; of each transition: channels out and what becomes of the size.
STAGES = {
    "main": (
        (3, "3,5>4D 4,8>12N 12,4>12N 12,4>12N 24,8>4N 8,8>4U"),
        (5, "3,13>8D 8,16>16D 16,16>16N 16,16>16N 32,8>8U 16,8>4U"),
        (7, "3,13>8D 8,16>16D 16,16>16D 16,16>16U 32,8>8U 16,8>4U"),
    ),
    "residual": (
        (3, "3,5>4N 4,8>12N 12,4>12N 12,4>12N 12,8>4N 4,8>2N"),
        (3, "3,13>8D 8,16>16N 16,16>16N 16,16>16N 16,8>8N 8,8>2U"),
        (3, "3,13>8D 8,16>16D 16,16>16N 16,16>16N 16,8>8U 8,8>2U"),
    ),
}


def add_stages(module: nn.Module, kernel: int, stages: str) -> None:
    """Give a module ``dense_block1``, ``trans_block1`` and so on."""
    for number, stage in enumerate(stages.split(), 1):
        block, _, transition = stage.partition(">")
        inputs, growth = map(int, block.split(","))
        module.add_module(f"dense_block{number}", DenseBlock(inputs, growth, kernel))
        module.add_module(f"trans_block{number}", Transition(inputs + growth, int(transition[:-1]), transition[-1]))


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


class Stream(nn.Module):
    """What one of a network's three streams makes of the image."""

    def __init__(self, network: str, number: int) -> None:
        super().__init__()
        self.network = network
        kernel, stages = STAGES[network][number]
        add_stages(self, kernel, stages)
        first, second, third, fourth, fifth, sixth = (int(stage[:-1].rpartition(">")[2]) for stage in stages.split())
        if network == "main":  # of these the first alone is used
            seen = (first, second, third, fourth + second, fifth + first, 2 * sixth)
            for tap, width in enumerate(seen, 1):
                self.add_module(f"conv{tap}1", conv3(width, 1))
        if number:  # nothing of this is used
            self.conv_refin, self.refine3 = conv3(11, 20), conv3(24, 3)
            self.batchnorm20, self.batchnorm1 = nn.BatchNorm2d(20), nn.BatchNorm2d(1)
            if network == "residual":
                for scale in range(1, 5):
                    self.add_module(f"conv10{scale}0", nn.Conv2d(20, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        main = self.network == "main"
        x1 = self.stage(1, x)
        x2 = self.stage(2, x1)
        x4 = self.stage(4, self.stage(3, x2))
        x5 = self.stage(5, torch.cat((x4, x2), 1) if main else x4 + x2)
        x6 = self.stage(6, torch.cat((x5, x1), 1) if main else x5 + x1)
        if not main:
            return x6
        conv11 = self.get_submodule("conv11")
        taps = [F.interpolate(leaky(conv11(x1)), x.shape[2:], mode="nearest") for _ in range(5)]
        return torch.cat((x6, *taps, x), 1)

    def stage(self, number: int, x: Tensor) -> Tensor:
        y: Tensor = self.get_submodule(f"trans_block{number}")(self.get_submodule(f"dense_block{number}")(x))
        return y


class Network(nn.Module):
    """What the main and the residual network have in common: three streams, a merging convolution, a pyramid."""

    def __init__(self, network: str, inputs: int, width: int, each: int) -> None:
        super().__init__()
        self.dense0, self.dense1, self.dense2 = (Stream(network, number) for number in range(3))
        self.conv_refin = conv3(inputs, width)
        self.conv1010, self.conv1020 = nn.Conv2d(width, each, 1), nn.Conv2d(width, each, 1)
        self.conv1030, self.conv1040 = nn.Conv2d(width, each, 1), nn.Conv2d(width, each, 1)
        self.refine3 = conv3(width + 4 * each, 3)
        self.batchnorm20, self.batchnorm1 = nn.BatchNorm2d(20), nn.BatchNorm2d(1)  # unused

    def merged(self, x: Tensor, label_map: Tensor) -> Tensor:
        x3, x2, x1 = self.dense2(x), self.dense1(x), self.dense0(x)
        x9 = leaky(self.conv_refin(torch.cat((x1, x, x2, x3, label_map), 1)))
        convs = {32: self.conv1010, 16: self.conv1020, 8: self.conv1030, 4: self.conv1040}
        parts = [
            F.interpolate(leaky(conv(F.avg_pool2d(x9, scale))), x.shape[2:], mode="nearest")
            for scale, conv in convs.items()
        ]
        return torch.tanh(self.refine3(torch.cat((*parts, x9), 1)))


class DenseRain(Network):
    """The main network."""

    def __init__(self) -> None:
        super().__init__("main", 47, 47, 2)
        self.refineclean1, self.refineclean2 = nn.Conv2d(3, 8, 7, padding=3), conv3(8, 3)

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) RGB in [-1, 1] and (B,) labels, to the residual and the clean image."""
        label_map = label.to(x.dtype)[:, None, None, None].expand(-1, 8, *x.shape[2:])
        residual = self.merged(x, label_map)
        return residual, torch.tanh(self.refineclean2(leaky(self.refineclean1(x - residual))))


class DenseRainResidual(Network):
    """The residual network, which gives a clean image."""

    def __init__(self) -> None:
        super().__init__("residual", 13, 20, 1)
        # of these none is used
        add_stages(self, 3, "3,13>8N 8,16>16N 16,32>16N 16,16>16N 16,8>8N 8,8>4N")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [-1, 1] to the clean image."""
        return self.merged(x, x.new_zeros(x.shape[0], 4, *x.shape[2:]))


class Classifier(nn.Module):
    """The density classifier of square images."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.feature = nn.Sequential(conv3(3, 64), nn.BatchNorm2d(64), nn.ReLU())
        self.conv16 = conv3(64, 24)
        self.dense_classifier = nn.Linear(24 * (side // 7) ** 2, 512)
        self.dense_classifier1 = nn.Linear(512, 4)

    def forward(self, residue: Tensor) -> Tensor:
        """(B, 3, side, side) to logits (B, 4)."""
        x = F.avg_pool2d(torch.relu(self.conv16(self.feature(residue))), 7)
        logits: Tensor = self.dense_classifier1(torch.relu(self.dense_classifier(x.flatten(1))))
        return logits


class DIDMDN(nn.Module):
    """The three networks as the authors' test puts them together; the classifier sees the rain resized to its side."""

    def __init__(self, classifier_side: int = 512, statistics: str = "image") -> None:
        super().__init__()
        self.side, self.statistics = classifier_side, statistics
        self.netG, self.residue_net, self.net_label = DenseRain(), DenseRainResidual(), Classifier(classifier_side)

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape. Each by itself, in training mode as the authors
        have it, unless the statistics are the running ones."""
        height, width = rainy.shape[2:]
        mode = "reflect" if min(height, width) > 32 else "replicate"
        padded = F.pad(rainy, (0, -width % 32, 0, -height % 32), mode=mode)
        before = self.training
        self.train(self.statistics == "image")
        restored = torch.cat([self.restore_one(one) for one in torch.split(padded, 1)])
        self.train(before)
        return restored[:, :, :height, :width]

    def restore_one(self, rainy: Tensor) -> Tensor:
        x = 2 * rainy - 1
        label = self.logits(x - self.residue_net(x)).argmax(1) + 1
        clean: Tensor = self.netG(x, label)[1]
        return (clean + 1) / 2

    def logits(self, residue: Tensor) -> Tensor:
        logits: Tensor = self.net_label(F.interpolate(residue, (self.side, self.side), mode="bilinear"))
        return logits
