"""Files of small networks with random weights, each saved from spandrel's own class of it."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from derainbench.methods._spandrel_library import library

#: Not importorskip: without torchvision spandrel does not import by itself.
NEEDS_SPANDREL = pytest.mark.skipif(
    find_spec("spandrel") is None or find_spec("spandrel_extra_arches") is None,
    reason="spandrel or spandrel_extra_arches is not installed: see docs/methods.md",
)

#: Where spandrel has a network's class, and options that make it small, by the file's name.
NETWORKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "nafnet": (
        "spandrel.architectures.NAFNet",
        {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    ),
    "restormer": (
        "spandrel_extra_arches.architectures.Restormer",
        {"dim": 8, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "heads": [1, 1, 2, 2]},
    ),
    "mprnet": (
        "spandrel_extra_arches.architectures.MPRNet",
        {"n_feat": 8, "scale_unetfeats": 4, "scale_orsnetfeats": 4, "num_cab": 2},
    ),
    "uformer": (
        "spandrel.architectures.Uformer",
        {"img_size": 128, "embed_dim": 4, "depths": [1] * 9, "num_heads": [1] * 9, "win_size": 8},
    ),
    "m3snet": (
        "spandrel_extra_arches.architectures.M3SNet",
        {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    ),
}

#: What spandrel calls them.
TITLES = {
    "nafnet": "NAFNet",
    "restormer": "Restormer",
    "mprnet": "MPRNet",
    "uformer": "Uformer",
    "m3snet": "M3SNet",
}


def made(module: str, name: str, options: Mapping[str, Any], seed: int = 0) -> torch.nn.Module:
    """A network of spandrel's own, with random weights."""
    library()
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older functions
        network: torch.nn.Module = getattr(importlib.import_module(module), name)(**options)
    with torch.no_grad():  # some of theirs begin as the identity
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def saved(folder: Path, name: str, seed: int = 0) -> Path:
    """``NAME.pth`` with one of :data:`NETWORKS`, as BasicSR writes it for half of them."""
    module, options = NETWORKS[name]
    state = made(module, TITLES[name], options, seed).state_dict()
    path = folder / f"{name}.pth"
    torch.save({"params": state} if name in ("nafnet", "restormer") else state, path)
    return path
