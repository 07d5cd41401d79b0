"""A VGG16 that nobody trained: the same random weights everywhere, by which losses are compared with goldens."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from derainbench.plugins.perceptual import VGG16Features

#: torchvision's numbers of the convolutions, and their channels.
NUMBERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
WIDTHS = (3, 64, 64, 128, 128, *3 * (256,), *6 * (512,))


@cache
def torchvisions_layout() -> dict[str, Tensor]:
    """He-normal weights of numpy's ``RandomState(0)``, drawn layer after layer; biases of 0."""
    random, state = np.random.RandomState(0), dict[str, Tensor]()
    for number, (inputs, outputs) in zip(NUMBERS, pairwise(WIDTHS), strict=True):
        drawn = random.standard_normal((outputs, inputs, 3, 3)) * np.sqrt(2 / (9 * inputs))
        state[f"features.{number}.weight"] = torch.tensor(drawn.astype(np.float32))
        state[f"features.{number}.bias"] = torch.zeros(outputs)
    return state


def pseudo_vgg() -> VGG16Features:
    """The features of the first four of these convolutions."""
    features, state = VGG16Features(), {}
    for n, number in enumerate(NUMBERS[:4]):
        for part in ("weight", "bias"):
            state[f"convolutions.{n}.{part}"] = torchvisions_layout()[f"features.{number}.{part}"]
    features.load_state_dict(state)
    return features
