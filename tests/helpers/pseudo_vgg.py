"""A VGG16 that nobody trained: the same random weights everywhere, by which losses are compared with goldens."""

from __future__ import annotations

import numpy as np
import torch

from derainbench.plugins.perceptual import VGG16Features


def pseudo_vgg() -> VGG16Features:
    """He-normal weights of numpy's ``RandomState(0)``, drawn layer after layer; biases of 0."""
    random, features = np.random.RandomState(0), VGG16Features()
    state = {}
    for name, value in features.state_dict().items():
        if name.endswith("bias"):
            state[name] = torch.zeros_like(value)
        else:
            drawn = random.standard_normal(tuple(value.shape)) * np.sqrt(2 / (9 * value.shape[1]))
            state[name] = torch.tensor(drawn.astype(np.float32))
    features.load_state_dict(state)
    return features
