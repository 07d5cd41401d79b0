"""LPIPS and DISTS in the networks that the user added."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from derainbench.metrics.dists import dists
from derainbench.metrics.image_metric import ImageMetric
from derainbench.metrics.lpips import Convolutions, lpips
from derainbench.plugins.perceptual import ALEXNET, VGG16, features_hash, network_convolutions

Levels = NDArray[np.uint8]


@lru_cache(maxsize=2)
def _loaded(name: str, sha256: str | None, device: str, who: str) -> Convolutions:
    where = torch.device(device)
    return [(weight.to(where), bias.to(where)) for weight, bias in network_convolutions(name, who)]


def _network(name: str, device: str, who: str) -> Convolutions:
    return _loaded(name, features_hash(name), device, who)


def lpips_alex(restored: Levels, clean: Levels, device: str) -> float:
    """LPIPS by AlexNet, as :func:`derainbench.metrics.lpips.lpips` says."""
    return lpips(restored, clean, "alex", _network(ALEXNET, device, LPIPS_ALEX.title))


def lpips_vgg(restored: Levels, clean: Levels, device: str) -> float:
    """LPIPS by VGG16, as :func:`derainbench.metrics.lpips.lpips` says."""
    return lpips(restored, clean, "vgg", _network(VGG16, device, LPIPS_VGG.title))


def dists_vgg(restored: Levels, clean: Levels, device: str) -> float:
    """DISTS, as :func:`derainbench.metrics.dists.dists` says."""
    return dists(restored, clean, _network(VGG16, device, DISTS.title))


LPIPS_ALEX = ImageMetric(
    name="lpips-alex",
    title="LPIPS (alex)",
    unit="",
    digits=4,
    higher_is_better=False,
    measure=lpips_alex,
    implementation="derainbench, after richzhang/PerceptualSimilarity",
    version="v0.1",
    licence="MIT; linear layers: BSD-2-Clause",
    networks=(ALEXNET,),
    paper="Zhang et al., CVPR 2018",
    on_device=True,
)

LPIPS_VGG = replace(LPIPS_ALEX, name="lpips-vgg", title="LPIPS (vgg)", measure=lpips_vgg, networks=(VGG16,))

DISTS = ImageMetric(
    name="dists",
    title="DISTS",
    unit="",
    digits=4,
    higher_is_better=False,
    measure=dists_vgg,
    implementation="derainbench, after dingkeyan93/DISTS",
    version="in the image's own size, moments in float64",
    licence="MIT; weights of channels: MIT",
    networks=(VGG16,),
    paper="Ding et al., IEEE TPAMI 2020",
    on_device=True,
)
