"""DerainDropGAN's generator as published: one convolution a gate, every round in full, official parameter names, BGR.

Qian, Tan, Yang, Su and Liu, "Attentive Generative Adversarial Network for Raindrop Removal from A Single Image",
CVPR 2018.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation)


def conv_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, kernel, stride, dilation), nn.ReLU())


def up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReflectionPad2d((1, 0, 1, 0)), nn.AvgPool2d(2, 1), nn.ReLU()
    )


class Generator(nn.Module):
    """``width`` is that of the attention; the auto-encoder has two, four and eight times as many channels."""

    det_conv0: nn.Sequential

    def __init__(self, threshold: int = 30, width: int = 32) -> None:
        super().__init__()
        w1, w2, w4, w8 = width, 2 * width, 4 * width, 8 * width
        self.width = width
        self.det_conv0 = conv_relu(4, w1)
        for number in range(1, 6):
            setattr(self, f"det_conv{number}", nn.Sequential(conv(w1, w1), nn.ReLU(), conv(w1, w1), nn.ReLU()))
        self.conv_i = nn.Sequential(conv(w2, w1), nn.Sigmoid())
        self.conv_f = nn.Sequential(conv(w2, w1), nn.Sigmoid())
        self.conv_g = nn.Sequential(conv(w2, w1), nn.Tanh())
        self.conv_o = nn.Sequential(conv(w2, w1), nn.Sigmoid())
        self.det_conv_mask = nn.Sequential(conv(w1, 1))
        self.conv1 = conv_relu(4, w2, 5)
        self.conv2, self.conv3 = conv_relu(w2, w4, 3, 2), conv_relu(w4, w4)
        self.conv4, self.conv5, self.conv6 = conv_relu(w4, w8, 3, 2), conv_relu(w8, w8), conv_relu(w8, w8)
        self.diconv1, self.diconv2 = conv_relu(w8, w8, 3, 1, 2), conv_relu(w8, w8, 3, 1, 4)
        self.diconv3, self.diconv4 = conv_relu(w8, w8, 3, 1, 8), conv_relu(w8, w8, 3, 1, 16)
        self.conv7, self.conv8 = conv_relu(w8, w8), conv_relu(w8, w8)
        self.deconv1, self.conv9 = up(w8, w4), conv_relu(w4, w4)
        self.deconv2, self.conv10 = up(w4, w2), conv_relu(w2, w1)
        self.outframe1, self.outframe2 = conv_relu(w8, 3), conv_relu(w4, 3)
        self.output = nn.Sequential(conv(w1, 3))

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """(B, 3, H, W) BGR in [0, 1], sides multiples of 4, to the four maps and the images at 1/4, 1/2 and 1."""
        mask = image.new_full((image.shape[0], 1, *image.shape[2:]), 0.5)
        h = c = image.new_zeros(image.shape[0], self.width, *image.shape[2:])
        masks = []
        for _ in range(4):
            x = self.det_conv0(torch.cat((image, mask), 1))
            for number in range(1, 6):
                x = torch.relu(self.get_submodule(f"det_conv{number}")(x) + x)
            z = torch.cat((x, h), 1)
            c = self.conv_f(z) * c + self.conv_i(z) * self.conv_g(z)
            h = self.conv_o(z) * torch.tanh(c)
            mask = self.det_conv_mask(h)
            masks.append(mask)
        res1 = self.conv1(torch.cat((image, mask), 1))
        res2 = self.conv3(self.conv2(res1))
        x = self.conv6(self.conv5(self.conv4(res2)))
        x = self.diconv4(self.diconv3(self.diconv2(self.diconv1(x))))
        x = self.conv8(self.conv7(x))
        frame1 = self.outframe1(x)
        x = self.conv9(self.deconv1(x) + res2)
        frame2 = self.outframe2(x)
        x = self.conv10(self.deconv2(x) + res1)
        return masks, frame1, frame2, self.output(x)

    def restore(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to the restored image, same shape, not clamped."""
        height, width = rainy.shape[2:]
        mode = "reflect" if min(height, width) > 4 else "replicate"
        restored: Tensor = self(F.pad(rainy, (0, -width % 4, 0, -height % 4), mode=mode).flip(1))[3]
        return restored.flip(1)[:, :, :height, :width]
