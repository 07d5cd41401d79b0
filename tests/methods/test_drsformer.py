"""DRSformer, with mixed experts and without, against the authors' outputs, features and gradients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainbench.methods.drsformer import DRSFORMER, DRSformer, SparseAttention, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, to_official

#: Of the largest value of what is compared.
TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 2e-5

#: The authors' classes made narrow and shallow, and our options for the same.
REDUCED = {
    "mefc": {"width": 8, "blocks": "2-1-1-1"},
    "plain": {"mefc": False, "width": 12, "blocks": "1-1-1-1"},
}

Golden = Mapping[str, Any]


@pytest.fixture(params=REDUCED)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def golden(shared: Path, kind: str) -> Golden:
    return dict(np.load(shared / "golden" / f"drsformer_{kind}_reduced.npz"))


@pytest.fixture
def network(golden: Golden, kind: str) -> DRSformer:
    network = DRSFORMER.network(**REDUCED[kind])
    assert isinstance(network, DRSformer)
    state = {name[2:]: torch.tensor(value) for name, value in golden.items() if name.startswith("w/")}
    network.load_state_dict(from_official(state, list(network.state_dict()), official_names))
    return network


def close(actual: Tensor, expected: Any, what: str, tolerance: float = TOLERANCE) -> None:
    theirs = torch.tensor(expected)
    atol = tolerance * max(float(theirs.abs().max()), 1e-3)
    torch.testing.assert_close(actual.detach().float(), theirs, atol=atol, rtol=0, msg=what)


@pytest.mark.parametrize(
    ("name", "of", "parameters"),
    [("drsformer", "mefc", 33_655_424), ("drsformer[mefc=false]", "plain", 32_610_304)],
)
def test_names_shapes_and_counts_are_the_authors(shared: Path, name: str, of: str, parameters: int) -> None:
    stored = json.loads((shared / "golden" / "drsformer_state_dicts.json").read_text())[of]
    variant = discover().variant(name)
    official = to_official(variant.skeleton().state_dict(), official_names)
    assert {key: list(value.shape) for key, value in official.items()} == stored
    assert variant.parameters() == parameters


def tapped(network: DRSformer, names: list[str]) -> dict[str, Tensor]:
    """Filled with outputs of modules, by the authors' names, when the network runs."""
    taps: dict[str, Tensor] = {}
    ours: dict[str, nn.Module] = {}
    for part in ("encoder_level0", "refinement"):
        if part in names:
            experts = network.get_submodule(part)
            ours[f"{part}.layers.0"] = experts.get_submodule("weigh")
            ours[f"{part}.layers.1.preprocess"] = experts.get_submodule("first")
            for number in range(4):
                step = experts.get_submodule(f"steps.{number}")
                ours[f"{part}.layers.1._ops.{number}"] = step.get_submodule("last")
                for which, operation in enumerate(step.get_submodule("operations").children()):
                    ours[f"{part}.layers.1._ops.{number}._ops.{which}"] = operation
    for name in names:
        module = ours[name] if name in ours else network.get_submodule(name)
        module.register_forward_hook(lambda _, __, y, name=name: taps.update({name: y[:1].clone()}))
    return taps


def test_output_and_features_are_the_authors(golden: Golden, network: DRSformer) -> None:
    names = [name.removeprefix("tap/") for name in golden if name.startswith("tap/")]
    taps = tapped(network, names)
    close(network(torch.tensor(golden["rainy"])), golden["output"], "output")
    for name in names:
        expected, found = golden[f"tap/{name}"], taps[name]
        if name.endswith(("layers.1.preprocess", "layers.1._ops.0")):
            found = found.relu()  # which is part of their modules
        close(found.reshape(expected.shape), expected, name)


def test_loss_and_gradients_are_the_authors(golden: Golden, network: DRSformer) -> None:
    """In float64: in float32 a rounding turns a ReLU on that is off in theirs, at one pixel, and all that lies before
    it gets 3e-4 of another gradient."""
    network.double()
    rainy, clean = (torch.tensor(golden[name]).double() for name in ("rainy", "clean"))
    loss = network.training_loss(Batch(rainy, clean), get_loss("l1"))
    close(loss, golden["loss_l1"], "loss")
    torch.autograd.backward(loss)
    found = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    gradients = to_official(found, official_names)
    stored = [name for name in golden if name.startswith("grad/")]
    assert len(stored) >= 15
    for name in stored:
        close(gradients[name.removeprefix("grad/")], golden[name], name, GRADIENT_TOLERANCE)


def test_attention_is_sparse() -> None:
    """Of 48 channels a row takes from 38, most of all from the best, and .8 in all."""
    attention = SparseAttention(48, 1)
    scores = torch.randn(2, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    weights = attention.weights(scores)
    assert attention.kept == (24, 32, 36, 38)
    assert torch.equal((weights > 0).sum(-1), torch.full((2, 1, 48), 38))
    assert torch.equal(weights.argmax(-1), scores.argmax(-1))
    torch.testing.assert_close(weights.sum(-1), torch.full((2, 1, 48), 0.8))
