"""DISTS: how much of the structure and of the texture of an image is another's, in the features of VGG16.

Ding, Ma, Wang and Simoncelli, "Image quality assessment: unifying structure and texture similarity", IEEE TPAMI 2020.
Written after the definition in the authors' code; its weights of channels lie in ``data/dists.npz`` (its notice beside
it), the network is the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from derainbench.metrics.lpips import Convolutions

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_EPSILON = 1e-6
#: The image itself, then the features.
_CHANNELS = [3, 64, 128, 256, 512, 512]


@torch.no_grad()
def dists(restored: NDArray[np.uint8], clean: NDArray[np.uint8], convolutions: Convolutions) -> float:
    """DISTS of two (H, W, 3) uint8 RGB images in their own size, from 0 for equal ones; lower is better.

    Features are in the precision of the ``convolutions``, float32 as published, and on their device. Their moments are
    in float64: in float32 the authors' covariance cancels, and two equal grey images score .0147.
    """
    pair = torch.from_numpy(np.stack([restored, clean])).permute(0, 3, 1, 2).to(convolutions[0][0]) / 255
    structure, texture = ([each.to(pair.device) for each in weights] for weights in _weights())
    alike = 0.0
    for layer, of_means, of_shapes in zip(_features(pair, convolutions), texture, structure, strict=True):
        x, y = layer.to(torch.float64).flatten(2)
        mean_x, mean_y = x.mean(dim=1), y.mean(dim=1)
        x, y = x - mean_x[:, None], y - mean_y[:, None]
        variances, covariance = x.square().mean(dim=1) + y.square().mean(dim=1), (x * y).mean(dim=1)
        means = (2 * mean_x * mean_y + _EPSILON) / (mean_x**2 + mean_y**2 + _EPSILON)
        shapes = (2 * covariance + _EPSILON) / (variances + _EPSILON)
        alike += float(of_means @ means + of_shapes @ shapes)
    return 1 - alike


def _features(image: Tensor, convolutions: Convolutions) -> Iterator[Tensor]:
    """The image, and the last layer of VGG16 before each pooling, of root mean squares instead of maxima."""
    yield image
    image = (image - image.new_tensor(_MEAN).view(1, 3, 1, 1)) / image.new_tensor(_DEVIATION).view(1, 3, 1, 1)
    for number, (weight, bias) in enumerate(convolutions):
        pooled = _pooled(image) if number in (2, 4, 7, 10) else image
        image = F.conv2d(pooled, weight, bias, padding=1).relu_()
        if number in (1, 3, 6, 9, 12):
            yield image


def _pooled(image: Tensor) -> Tensor:
    """Root mean squares under a Hann window of 3x3, every second pixel."""
    axis = image.new_tensor([0.25, 0.5, 0.25])
    window = (axis[:, None] * axis).expand(image.shape[1], 1, 3, 3)
    return F.conv2d(image.square(), window, stride=2, padding=1, groups=image.shape[1]).add_(1e-12).sqrt_()


@lru_cache(maxsize=1)
def _weights() -> tuple[list[Tensor], list[Tensor]]:
    """Those of structure and those of texture, by layer; all of them sum to 1."""
    with files("derainbench.metrics").joinpath("data/dists.npz").open("rb") as file, np.load(file) as data:
        texture, structure = (torch.from_numpy(data[name]).to(torch.float64) for name in ("alpha", "beta"))
    total = texture.sum() + structure.sum()
    return [*torch.split(structure / total, _CHANNELS)], [*torch.split(texture / total, _CHANNELS)]
