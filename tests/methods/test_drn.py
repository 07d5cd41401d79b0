"""DRN against the authors' outputs, losses and gradients, and their released weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.methods.drn import DRN, DualRecursive, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import from_official, load_into, to_official
from derainbench.support.atomic import file_hash
from tests.oracles import drn as oracle

TOLERANCE = 1e-5  # of outputs in [0, 1]

#: Relative to the largest gradient of a parameter. The stored ones are in float32, and up to 3.2e-5 from what float64
#: gives after 49 recursions; ours are within 7e-7 of that.
GRADIENT_TOLERANCE = 5e-5

CASES = [(7, 7), (3, 2)]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, Any]:
    return dict(np.load(shared / "golden" / "drn.npz"))


def weights_of(golden: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name[2:]: torch.tensor(value) for name, value in golden.items() if name.startswith("w/")}


def close(actual: Tensor, expected: Any, what: str, of_largest: float | None = None) -> None:
    theirs = torch.tensor(expected)
    atol = TOLERANCE if of_largest is None else of_largest * float(theirs.abs().max())
    torch.testing.assert_close(actual.detach(), theirs, atol=atol, rtol=0, msg=what)


@pytest.mark.parametrize(("stages", "recursions"), CASES)
def test_outputs_loss_and_gradients_are_the_authors(golden: Mapping[str, Any], stages: int, recursions: int) -> None:
    network = DualRecursive(stages, recursions)
    assert sum(p.numel() for p in network.parameters()) == 10_595
    network.load_state_dict(from_official(weights_of(golden), list(network.state_dict()), official_names))
    rainy, clean = torch.tensor(golden["rainy"]), torch.tensor(golden["clean"])
    case = f"inter{stages}_intra{recursions}"
    for number, estimate in enumerate(network.estimates(rainy), 1):
        close(estimate, golden[f"{case}/x_{number}"], f"x_{number}")
    loss = network.training_loss(Batch(rainy, clean), get_loss("-ssim"))
    close(loss, golden[f"{case}/loss"], "loss", of_largest=TOLERANCE)
    torch.autograd.backward(loss)
    found = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    gradients = to_official(found, official_names)
    assert gradients.keys() == weights_of(golden).keys()
    for name, gradient in gradients.items():
        close(gradient, golden[f"{case}/grad/{name}"], name, of_largest=GRADIENT_TOLERANCE)


@pytest.mark.parametrize(("stages", "recursions"), CASES)
def test_the_transcription_has_the_authors_features(golden: Mapping[str, Any], stages: int, recursions: int) -> None:
    network = oracle.DRN(stages, recursions)
    network.load_state_dict(weights_of(golden))
    features: dict[str, list[Tensor]] = {"conv0": [], "res_conv2": []}
    for name, seen in features.items():
        network.get_submodule(name).register_forward_hook(lambda _, __, y, seen=seen: seen.append(y))
    network(torch.tensor(golden["rainy"]))
    case = f"inter{stages}_intra{recursions}/tap"
    close(features["conv0"][0], golden[f"{case}/conv0/stage1"], "conv0")
    close(features["res_conv2"][-1], golden[f"{case}/res_conv2/last"], "res_conv2")


@pytest.mark.parametrize("weights", DRN.weights, ids=lambda weights: weights.tag)
def test_released_weights_give_the_authors_output(shared: Path, weights: Any) -> None:
    """Recognised by hash, converted; every stage of a crop of Rain100L."""
    folder = f"{weights.tag.title()}_inter7_intra7"
    file = shared / "weights" / "drn" / "logs" / folder / "pretrained" / "net_latest.pth"
    assert file_hash(file) == weights.sha256
    golden = np.load(shared / "golden" / "brn_drn_released.npz")
    network = Variant(DRN, weights.options, weights).build()
    assert isinstance(network, DualRecursive)
    load_into(network, Variant(DRN, weights.options, weights), file)
    with torch.inference_mode():
        estimates = network.estimates(torch.tensor(golden["rainy_u8"]).permute(2, 0, 1)[None] / 255)
    for number, estimate in enumerate(estimates, 1):
        close(estimate, golden[f"DRN/{weights.tag.title()}/x_{number}"], f"x_{number}")
