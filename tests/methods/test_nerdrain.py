"""NeRD-Rain against the authors' outputs, features, losses and gradients."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.methods.nerdrain import NERDRAIN, NeRDRain, official_names, pyramid
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, to_official

#: Of the largest value of what is compared; outputs of this net, whose weights are scaled up, go beyond 1.
TOLERANCE = 1e-5

#: Modules of ours whose outputs are stored, by what the authors call them.
TAPS = {
    "latent_small": "small.latent",
    "upsmall2mid2": "small_to_mid.1",
    "INR": "inr",
    "INR2": "inr2",
    "latent_mid1": "mid1.latent",
    "latent_mid2": "mid2.latent",
    "latent_max1": "max1.latent",
    "latent_max2": "max2.latent",
    "latent_max3": "max3.latent",
    "BF1": "fusion1",
    "BF2": "fusion2",
    "BF3": "fusion3",
    "output_max_context1": "output_max_context1",
    "output_mid_context": "output_mid_context",
    "decoder_level1_small": "small.decoder_level1",
    "decoder_level1_max3": "max3.decoder_level1",
    "encoder_level1_small.0.attn": "small.encoder_level1.0.attn",
    "encoder_level1_small.0.ffn": "small.encoder_level1.0.ffn",
}

#: Small enough for a test.
SMALL: dict[str, Any] = {"width": 2, "blocks": "1-1-1", "hidden": 4}

Golden = Mapping[str, Any]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    return dict(np.load(shared / "golden" / "nerdrain_reduced.npz"))


@pytest.fixture
def network(golden: Golden) -> NeRDRain:
    network = NeRDRain(width=8, blocks="1-1-1", hidden=24)
    state = {name[2:]: torch.tensor(value) for name, value in golden.items() if name.startswith("w/")}
    network.load_state_dict(from_official(state, list(network.state_dict()), official_names))
    return network


def close(actual: Tensor, expected: Any, what: str) -> None:
    theirs = torch.tensor(expected)
    atol = TOLERANCE * max(float(theirs.abs().max()), 1e-3)
    torch.testing.assert_close(actual.detach(), theirs, atol=atol, rtol=0, msg=what)


@pytest.mark.parametrize(
    ("name", "of", "parameters"),
    [("nerdrain", "NeRD-Rain", 22_893_146), ("nerdrain[width=32]", "NeRD-Rain-S", 10_530_314)],
)
def test_names_shapes_and_counts_are_the_authors(shared: Path, name: str, of: str, parameters: int) -> None:
    stored = json.loads((shared / "golden" / "nerdrain_state_dicts.json").read_text())[of]
    variant = discover().variant(name)
    official = to_official(variant.skeleton().state_dict(), official_names)
    assert {key: list(value.shape) for key, value in official.items()} == stored
    assert variant.parameters() == parameters


def test_outputs_and_features_are_the_authors(golden: Golden, network: NeRDRain) -> None:
    """The restored image at three scales, what the implicit representations made, and 18 modules inside."""
    taps: dict[str, Tensor] = {}
    for theirs, ours in TAPS.items():
        module = network.get_submodule(ours)
        module.register_forward_hook(lambda _, __, y, name=theirs: taps.update({name: y[:1]}))
    outputs = network.estimates(torch.tensor(golden["rainy"]))
    for number, found in zip((0, 1, 2, 3, 5), outputs, strict=True):
        close(found, golden[f"output/{number}"], f"output {number}")
    stored = {name.removeprefix("tap/"): value for name, value in golden.items() if name.startswith("tap/")}
    assert stored.keys() == taps.keys()
    for name, expected in stored.items():
        close(taps[name], expected, name)


def test_losses_and_gradients_are_the_authors(golden: Golden, network: NeRDRain) -> None:
    assert NERDRAIN.recipe is not None
    batch = Batch(torch.tensor(golden["rainy"]), torch.tensor(golden["clean"]))
    for number, level in enumerate(pyramid(batch.clean)):
        close(level, golden[f"target_pyramid/{number}"], f"level {number}")
    loss = network.training_loss(batch, get_loss(NERDRAIN.recipe.loss))
    close(loss, golden["loss/total"], "loss")
    torch.autograd.backward(loss)
    found = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    gradients = to_official(found, official_names)
    stored = [name for name in golden if name.startswith("grad/")]
    assert len(stored) >= 13
    for name in stored:
        close(gradients[name.removeprefix("grad/")], golden[name], name)


def test_each_window_is_restored_alone() -> None:
    """Side by side from the top left; at the right and the lower end one flush with the border, whose rest is taken."""
    torch.manual_seed(0)
    network = NeRDRain(**SMALL, window=32).eval()
    rainy = torch.rand(1, 3, 50, 90)
    with torch.inference_mode():
        restored = network(rainy)
        for rows in ((0, 32, 0), (18, 50, 32)):
            for columns in ((0, 32, 0), (32, 64, 32), (58, 90, 64)):
                window = network.estimates(rainy[..., rows[0] : rows[1], columns[0] : columns[1]])[0]
                taken = window[..., rows[2] - rows[0] :, columns[2] - columns[0] :]
                torch.testing.assert_close(restored[..., rows[2] : rows[1], columns[2] : columns[1]], taken)


def test_a_side_within_a_window_is_mirrored_to_a_multiple() -> None:
    torch.manual_seed(0)
    network = NeRDRain(**SMALL, window=32).eval()
    rainy = torch.rand(1, 3, 20, 32)
    with torch.inference_mode():
        padded = torch.nn.functional.pad(rainy, (0, 0, 0, 12), mode="reflect")
        torch.testing.assert_close(network(rainy), network.estimates(padded)[0][..., :20, :])


def test_patches_that_do_not_fit_are_refused(refused: Callable[..., AbstractContextManager[None]]) -> None:
    batch = Batch(torch.rand(1, 3, 40, 40), torch.rand(1, 3, 40, 40))
    with refused("multiple of 16"):
        NeRDRain(**SMALL).training_loss(batch, get_loss("l1"))


def test_the_last_pass_is_reduced_by_the_layer_before() -> None:
    """The authors' slip: of the layer that is there for it nothing depends."""
    torch.manual_seed(0)
    network = NeRDRain(**SMALL).eval()
    rainy = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        restored = network(rainy)
        torch.nn.init.zeros_(network.max3.reduce_chan_level1.weight)
        assert torch.equal(network(rainy), restored)
        torch.nn.init.zeros_(network.max2.reduce_chan_level1.weight)
        assert not torch.equal(network(rainy), restored)
