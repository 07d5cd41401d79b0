"""RESCAN against the authors' outputs, and three of their training steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from derainbench.engine.trainer import make_optimiser
from derainbench.methods.rescan import RESCAN, Rescan, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, load_into


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("rescan", 149_823),
        ("rescan[unit=lstm]", 197_367),
        ("rescan[unit=rnn]", 54_735),
        ("rescan[unit=conv]", 28_695),
        ("rescan[se=false]", 147_915),
        ("rescan[stages=3,depth=5,width=12]", 22_623),
    ],
)
def test_parameter_counts(name: str, parameters: int) -> None:
    assert discover().variant(name).parameters() == parameters


@pytest.mark.parametrize(
    ("weights", "entry", "options"),
    [
        ("rescan_GRU_Full.pt", "default_GRU_Full", {}),
        ("rescan_LSTM_Add.pt", "LSTM_Add", {"unit": "lstm", "frame": "add"}),
    ],
)
def test_every_stage_is_the_authors(shared: Path, weights: str, entry: str, options: dict[str, Any]) -> None:
    golden = np.load(shared / "golden" / "networks.npz")
    state = torch.load(shared / "golden" / weights, weights_only=True)
    network = Rescan(**options).eval()
    network.load_state_dict(from_official(state, list(network.state_dict()), official_names))
    rainy = torch.tensor(golden["rescan/default_GRU_Full/input_e_bgr"]).flip(1)
    with torch.inference_mode():
        rains = torch.cat([rainy - estimate for estimate in network.estimates(rainy)]).flip(1)
    expected = torch.tensor(golden[f"rescan/{entry}/e_rain_stages_bgr"])
    torch.testing.assert_close(rains, expected, atol=5e-6, rtol=0)


@pytest.mark.slow
def test_three_training_steps(shared: Path) -> None:
    """Losses to 1e-6, first gradients to 1e-4 of the largest of their parameter, final weights to 1e-4."""
    golden = torch.load(shared / "golden" / "train_rescan.pt", weights_only=True)
    data = np.load(shared / "golden" / "train_batch.npz")
    batch = Batch(torch.tensor(data["bgr64_x"]).flip(1), torch.tensor(data["bgr64_y"]).flip(1))
    network = Rescan()
    names = list(network.state_dict())
    network.load_state_dict(from_official(golden["init"], names, official_names))
    assert RESCAN.recipe is not None
    optimiser = make_optimiser(network, RESCAN.recipe)
    for step, log in enumerate(golden["logs"]):
        loss = network.training_loss(batch, get_loss(RESCAN.recipe.loss))
        assert loss.item() == pytest.approx(log["loss"], abs=1e-6)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        if step == 0:
            expected = from_official(golden["grads_step0"], names, official_names)
            for name, parameter in network.named_parameters():
                largest = float(expected[name].abs().max())
                torch.testing.assert_close(parameter.grad, expected[name], atol=1e-4 * largest, rtol=0, msg=name)
        optimiser.step()
    final = from_official(golden["final"], names, official_names)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, final[name], atol=1e-4, rtol=0, msg=name)


def test_released_weights_take_rain_away(shared: Path) -> None:
    """The file as its authors saved it (their optimiser's state beside it) loads, and does its work."""
    golden = np.load(shared / "golden" / "networks.npz")
    network = discover().variant("rescan@rain200l").build().eval()
    load_into(network, discover().variant("rescan@rain200l"), shared / "weights" / "rescan" / "RainLight_latest")
    rainy = torch.tensor(golden["input/a"])
    with torch.inference_mode():
        restored = network(rainy)
    # Trained to predict rain, which only ever brightens: what it takes away is positive on the whole, and not all.
    removed = rainy - restored
    assert 0 < float(removed.mean()) < float(rainy.mean()) / 2
    assert float((removed > -0.05).float().mean()) > 0.95


def test_reach_is_finite_without_excitation() -> None:
    assert Rescan().reach is None
    assert Rescan(se=False, unit="lstm").reach == 4 * (1 + 1 + 2 + 4 + 8 + 1)
    assert Rescan(se=False).reach == 83  # seen in the gradients of the default unit, the GRU
