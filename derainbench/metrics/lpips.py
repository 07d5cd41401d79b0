"""LPIPS v0.1: how far apart the features of two images lie in a network that learned to classify.

Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual metric", CVPR
2018. Written after the definition in the authors' code; its linear layers lie in ``data/lpips.npz`` (its notice
beside it), the network is the user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from derainbench.metrics.image_metric import undefined

#: Weight (outputs, inputs, k, k) and bias (outputs,) of each of a network's convolutions, first to last.
Convolutions = Sequence[tuple[Tensor, Tensor]]
Network = Literal["alex", "vgg"]

#: What the features are compared after, for images in [-1, 1].
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

#: The side below which nothing is left of an image after the last pooling.
SMALLEST: dict[Network, int] = {"alex": 31, "vgg": 16}


@torch.no_grad()
def lpips(restored: NDArray[np.uint8], clean: NDArray[np.uint8], network: Network, convolutions: Convolutions) -> float:
    """LPIPS of two (H, W, 3) uint8 RGB images, from 0 for equal ones; lower is better.

    In the precision of the ``convolutions`` and on their device; published values are in float32.

    NaN, and a warning, where a side is below 31 pixels (AlexNet) or 16 (VGG16).
    """
    if min(restored.shape[:2]) < SMALLEST[network]:
        return undefined("LPIPS", restored.shape, f"its network needs {SMALLEST[network]} px a side")
    pair = torch.from_numpy(np.stack([restored, clean])).permute(0, 3, 1, 2).to(convolutions[0][0]) / 127.5 - 1
    pair = (pair - pair.new_tensor(_SHIFT).view(1, 3, 1, 1)) / pair.new_tensor(_SCALE).view(1, 3, 1, 1)
    features = _of_alexnet(pair, convolutions) if network == "alex" else of_vgg16(pair, convolutions)
    total = 0.0
    for layer, weights in zip(features, _linear(network), strict=True):
        unit = layer / (layer.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
        apart = (unit[0] - unit[1]).square_()
        total += float((apart.mean(dim=(1, 2)) * weights.to(apart)).sum())
    return total


def _of_alexnet(image: Tensor, convolutions: Convolutions) -> Iterator[Tensor]:
    """The five layers after their rectifiers, (B, C, h, w) each."""
    geometry = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
    for number, ((weight, bias), (stride, padding)) in enumerate(zip(convolutions, geometry, strict=True)):
        pooled = F.max_pool2d(image, 3, 2) if number in (1, 2) else image
        image = F.conv2d(pooled, weight, bias, stride, padding).relu_()
        yield image


def of_vgg16(image: Tensor, convolutions: Convolutions) -> Iterator[Tensor]:
    """The last layer before each pooling, and the last of all: relu1_2, 2_2, 3_3, 4_3 and 5_3, (B, C, h, w) each."""
    for number, (weight, bias) in enumerate(convolutions):
        pooled = F.max_pool2d(image, 2) if number in (2, 4, 7, 10) else image
        image = F.conv2d(pooled, weight, bias, padding=1).relu_()
        if number in (1, 3, 6, 9, 12):
            yield image


@lru_cache(maxsize=2)
def _linear(network: Network) -> list[Tensor]:
    """The weights of each layer's channels."""
    with files("derainbench.metrics").joinpath("data/lpips.npz").open("rb") as file, np.load(file) as data:
        return [torch.from_numpy(data[f"{network}{layer}"]) for layer in range(5)]
