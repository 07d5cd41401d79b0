"""DAF-Net as its authors' Caffe files say; official layer names, BGR grey levels times almost 1/255.

Hu, Fu, Zhu and Heng, "Depth-Attentional Features for Single-Image Rain Removal", CVPR 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Name, channels in and out.
ENCODER = [
    *(("conv1_1", 3, 64), ("conv1_2", 64, 64), ("conv2_1", 64, 128), ("conv2_2", 128, 128)),
    *(("conv3_1", 128, 256), ("conv3_2", 256, 256), ("conv3_3", 256, 256)),
    *(("conv4_1", 256, 512), ("conv4_2", 512, 512), ("conv4_3", 512, 512)),
    *(("conv5_1", 512, 512), ("conv5_2", 512, 512), ("conv5_3", 512, 512), ("conv1-dsn6", 512, 512)),
]
DEPTH = [("conv2-dsn6-d", 512, 512), ("conv2-dsn5-d", 1024, 512), ("conv2-dsn4-d", 1024, 384)]
DEPTH += [("conv2-dsn3-d", 640, 256)]
DECODER = [("conv2-dsn6", 512, 512), ("conv2-dsn5", 1024, 512), ("conv2-dsn4", 1024, 384)]
DECODER += [("conv2-dsn3", 640, 256), ("conv2-dsn2", 384, 160), ("conv2-dsn1", 224, 128)]
ATTENTION = [("atten1_c1", 1, 32), ("atten2_c1", 32, 64), ("atten3_c1", 64, 128)]


def resize(x: Tensor, like: Tensor) -> Tensor:
    """InterpAdvance."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)


class DAFNet(nn.Module):
    def __init__(self, narrower: int = 1) -> None:
        super().__init__()

        def width(channels: int) -> int:
            return channels if channels < 32 else channels // narrower

        for name, inputs, outputs in [*ENCODER, *DEPTH, *DECODER]:
            self.add_module(name, nn.Conv2d(width(inputs), width(outputs), 3, padding=1))
        self.depth_predict = nn.Conv2d(width(256), 1, 1)
        for name, inputs, outputs in ATTENTION:
            self.add_module(name, nn.Conv2d(width(inputs), width(outputs), 3, padding=1))
            second = nn.Conv2d(width(outputs), width(outputs), 3, padding=2, dilation=2)
            self.add_module(name.replace("c1", "c2"), second)
        maps = width(64)
        self.atten_weight = nn.Conv2d(width(128), maps, 1)
        self.conv1_group_1x1 = nn.Conv2d(width(128), width(256), 1, bias=False)
        self.conv1_group_3x3 = nn.Conv2d(width(256), width(256), 3, padding=1, bias=False)
        self.conv2_group_1x1 = nn.Conv2d(width(256), width(256), 1, bias=False)
        self.attentional_conv1 = nn.Conv2d(width(256), width(192), 1, groups=maps, bias=False)
        self.attentional_conv2 = nn.Conv2d(width(192), width(192), 3, padding=1, groups=maps)
        self.attentional_conv3 = nn.Conv2d(width(192), 3, 1, bias=False)

    def relu(self, name: str, x: Tensor) -> Tensor:
        return torch.relu(self.get_submodule(name)(x))

    def decode(self, names: list[tuple[str, int, int]], deepest: Tensor, encoded: list[Tensor]) -> Tensor:
        x = self.relu(names[0][0], deepest)
        for (name, _, _), features in zip(names[1:], encoded, strict=False):
            x = self.relu(name, torch.cat([features, resize(x, features)], 1))
        return x

    def forward(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) BGR, scaled, to output1 and sig_depth_predict."""
        x, ends = data, {}
        for name, _, _ in ENCODER[:-1]:
            x = self.relu(name, x)
            ends[name] = x
            if name in ("conv1_2", "conv2_2", "conv3_3"):
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            elif name in ("conv4_3", "conv5_3"):
                x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = self.relu("conv1-dsn6", F.avg_pool2d(x, 3, 1, 1))
        encoded = [ends[name] for name in ("conv5_3", "conv4_3", "conv3_3", "conv2_2", "conv1_2")]
        depth = torch.sigmoid(self.depth_predict(self.decode(DEPTH, x, encoded)))
        attention = depth.detach()
        for stage, like in enumerate((attention, ends["conv2_1"], ends["conv1_1"]), 1):
            attention = resize(attention, like) if stage > 1 else attention
            attention = self.relu(f"atten{stage}_c2", self.relu(f"atten{stage}_c1", attention))
        attention = torch.softmax(self.atten_weight(attention), 1)
        group = self.relu("conv1_group_1x1", self.decode(DECODER, x, encoded))
        group = self.conv2_group_1x1(self.relu("conv1_group_3x3", group))
        feature = group * attention.repeat_interleave(group.shape[1] // attention.shape[1], 1)
        feature = self.attentional_conv2(self.relu("attentional_conv1", feature))
        return data + torch.tanh(self.attentional_conv3(feature)), depth

    def restore(self, rainy: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1]."""
        scale = 255 * 0.0039212686
        restored: Tensor = self(rainy[:, [2, 1, 0]] * scale)[0][:, [2, 1, 0]] / scale
        return restored
