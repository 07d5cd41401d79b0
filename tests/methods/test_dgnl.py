"""DGNL-Net fast against the authors' weights, outputs and gradients."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.engine.device import choose_engine
from derainbench.methods.dgnl import DGNL, DGNLNet, DGNLTrainer, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import load_into, to_official
from derainbench.support.atomic import file_hash

#: Of the largest value of a stored result.
TOLERANCE, GRADIENT_TOLERANCE = 2e-5, 1e-4

WEIGHTS = "weights/dgnl/DGNLNet_fast_60000.pth"

#: Modules of ours whose outputs are stored, and what the authors call them.
TAPS = {
    "depth.down1": "conv1",
    "depth.down2": "conv2",
    "depth.down3": "conv3",
    "depth.middle": "conv5",
    "depth.up1": "conv8",
    "depth.up2": "conv9",
    "head": "head",
    "non_local": "dgnlb",
    "tail": "tail",
}


def close(actual: Tensor, expected: np.ndarray, name: str, tolerance: float = TOLERANCE) -> None:
    """Equal to within so much of the largest value."""
    theirs = torch.tensor(expected)
    atol = tolerance * float(theirs.abs().max())
    torch.testing.assert_close(actual.detach().reshape(theirs.shape), theirs, atol=atol, rtol=0, msg=name)


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, np.ndarray]:
    """Stored results by name."""
    with np.load(shared / "golden" / "dgnlnet_fast.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def network(shared: Path) -> DGNLNet:
    """With the published weights."""
    variant = discover().variant("dgnl@raincityscapes")
    network = variant.build().eval()
    assert isinstance(network, DGNLNet)
    load_into(network, variant, shared / WEIGHTS)
    return network


def image(golden: Mapping[str, np.ndarray], name: str) -> Tensor:
    return torch.tensor(golden[name]).permute(2, 0, 1)[None] / 255


def test_shapes_names_and_counts_are_the_authors(shared: Path) -> None:
    stored = json.loads((shared / "golden" / "dgnlnet_fast_state_dict.json").read_text())
    network = DGNLNet()
    official = to_official(network.state_dict(), official_names)
    assert {key: list(value.shape) for key, value in official.items()} == stored["shapes"]
    assert sum(p.numel() for p in network.parameters()) == stored["parameters"] == 719_975
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 719_969
    by_child: dict[str, int] = {}
    for name, value in official.items():
        if name not in ("mean", "std"):
            child = name.partition(".")[0]
            by_child[child] = by_child.get(child, 0) + value.numel()
    assert by_child == stored["by_child"]


def test_the_published_file_is_known(shared: Path) -> None:
    (weights,) = DGNL.weights
    assert file_hash(shared / WEIGHTS) == weights.sha256


def test_outputs_are_the_authors(golden: Mapping[str, np.ndarray], network: DGNLNet) -> None:
    taps: dict[str, Tensor] = {}
    for ours, theirs in TAPS.items():
        network.get_submodule(ours).register_forward_hook(lambda _, __, y, name=theirs: taps.update({name: y.clone()}))
    with torch.inference_mode():
        restored, depth = network.restored_and_depth(image(golden, "rgb_u8"))
    close(restored, golden["out"], "out")
    close(depth, golden["depth_quarter"], "depth")
    stored = {key.removeprefix("tap/"): golden[key] for key in golden if key.startswith("tap/")}
    assert stored.keys() == taps.keys()
    for name, expected in stored.items():
        close(taps[name][:, : expected.shape[1]], expected, name)


def test_training_is_the_authors(golden: Mapping[str, np.ndarray], network: DGNLNet) -> None:
    """Loss and gradients, with a depth of one half everywhere.

    Gradients to 1e-4 of the largest of their parameter: the stored ones are as far from what float64 gives.
    """
    rainy, clean = image(golden, "rgb_u8"), image(golden, "rgb_clean_u8")
    batch = Batch(rainy, clean, {"depth": torch.full_like(rainy[:, :1], 0.5)})
    loss = network.train().training_loss(batch, get_loss("l1"))
    close(loss, golden["train/loss_l1_plus_depth_l1_vs_half"], "loss")
    torch.autograd.backward(loss)
    found = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
    gradients = to_official(found, official_names)
    entries = [key for key in golden if key.startswith("train/grad/")]
    assert len(entries) == 7
    for key in entries:
        close(gradients[key.removeprefix("train/grad/")], golden[key], key, GRADIENT_TOLERANCE)


def test_full_size_depth_is_the_authors(golden: Mapping[str, np.ndarray], network: DGNLNet) -> None:
    """What the loss compares: seen in it, against a target that the stored depth is above."""
    rainy = image(golden, "rgb_u8")
    full = torch.tensor(golden["train/depth_full_res"])
    with torch.inference_mode():
        restored = network(rainy)
        loss = network.training_loss(Batch(rainy, restored, {"depth": full}), get_loss("l1"))
    assert float(loss) < TOLERANCE * float(full.max())


def test_a_pixel_without_depth_counts_for_nothing() -> None:
    """Not a number there: neither in the loss nor in a gradient; of no depth at all the rain's loss is left."""
    torch.manual_seed(0)
    network = DGNLNet()
    rainy, clean = torch.rand(2, 2, 3, 32, 32).unbind()
    half = torch.full((2, 1, 32, 32), torch.nan)
    half[0] = 0.25
    terms = {}
    for name, depth in (("none", torch.full_like(half, torch.nan)), ("half", half)):
        network.zero_grad()
        loss = network.training_loss(Batch(rainy, clean, {"depth": depth}), get_loss("l1"))
        torch.autograd.backward(loss)
        terms[name] = float(loss.detach())
        gradients = {key: p.grad for key, p in network.named_parameters() if p.requires_grad}
        assert all(g is not None and bool(g.isfinite().all()) for g in gradients.values())
        first = gradients["depth.down1.0.weight"]
        assert first is not None
        assert bool(first.any()) == (name == "half")
    with torch.no_grad():
        assert terms["none"] == pytest.approx(float(get_loss("l1")(network(rainy), clean)), abs=1e-6)
        depth = network.restored_and_depth(rainy)[1][:1]
    resized = torch.nn.functional.interpolate(depth, (32, 32), mode="bilinear", align_corners=True)
    assert terms["half"] - terms["none"] == pytest.approx(float((resized - 0.25).abs().mean()) / 2, abs=1e-6)


def test_biases_learn_twice_as_fast_and_a_training_goes_on_as_it_was() -> None:
    """As the authors' two groups of parameters; the rate falls as they say; a state comes back to the bit."""
    recipe = Recipe(lr=5e-4, schedule="poly", steps=10, batch=1, patch=32, loss="l1")
    torch.manual_seed(0)
    batch = Batch(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32), {"depth": torch.rand(1, 1, 32, 32)})
    fabric = choose_engine("cpu", "fp32").fabric
    trainer, other = (DGNLTrainer(fabric, DGNLNet(), recipe, steps=10) for _ in range(2))
    trainer.step(4, batch)
    other.load_state_dict(copy.deepcopy(trainer.state_dict()))
    for each in (trainer, other):
        each.step(5, batch)
        weights, biases = each.optimiser.param_groups
        assert weights["lr"] == pytest.approx(5e-4 * 0.5**0.9)
        assert biases["lr"] == 2 * weights["lr"]
        assert sum(p.numel() for group in (weights, biases) for p in group["params"]) == 719_969
        names = {id(p): name for name, p in each.network.named_parameters()}
        assert all(names[id(p)].endswith("bias") for p in biases["params"])
        assert not any(names[id(p)].endswith("bias") for p in weights["params"])
    states = (each.network.state_dict().items() for each in (trainer, other))
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(*states, strict=True))
