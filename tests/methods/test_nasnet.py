"""NASNet against the paper's parameter counts and the authors' own network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from derainbench.engine.trainer import make_optimiser
from derainbench.methods.nasnet import NASNET, NASNet, NeuronAttention, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("nasnet", 6_508_931),  # Table 6
        ("nasnet[attention=none]", 6_244_931),  # Table 6
        ("nasnet[stages=1]", 2_202_627),
        ("nasnet[stages=2]", 4_355_779),
        ("nasnet[stages=4]", 8_662_083),
        # 55 squeeze-and-excitation modules of 64 -> 4 -> 64 with biases, 580 parameters each
        ("nasnet[attention=se]", 6_244_931 + 55 * 580),
        # without the two fusion convolutions and the fusion's attention
        ("nasnet[fusion=none]", 6_508_931 - (192 * 64 * 9 + 64) - (64 * 64 + 64) - 4_800),
    ],
)
def test_parameter_counts(name: str, parameters: int) -> None:
    assert discover().variant(name).parameters() == parameters


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_attention_of_another_kernel_size(size: int) -> None:
    """Fig. 5's settings: a gate for every neuron, whatever the kernel."""
    gate = NeuronAttention(8, kernel_size=size)(torch.randn(2, 8, 5, 6))
    assert gate.shape == (2, 8, 5, 6)
    assert bool(((gate > 0) & (gate < 1)).all())


def test_golden_output(shared: Path) -> None:
    golden = np.load(shared / "golden" / "networks.npz")
    network = NASNet(stages=2, blocks=2)
    weights = torch.load(shared / "golden" / "nasnet_stages2_blocks2.pt", weights_only=True, map_location="cpu")
    network.load_state_dict(from_official(weights, list(network.state_dict()), official_names))
    with torch.inference_mode():
        restored = network(torch.tensor(golden["input/e"]))
    torch.testing.assert_close(restored, torch.tensor(golden["nasnet/stages2_blocks2/e"]), atol=2e-5, rtol=0)


def test_normalise_adds_the_normalised_image() -> None:
    """The authors' global skip: with a silent tail the output is the normalised input, not the input."""
    network = NASNet(stages=1, blocks=1, width=4, normalise="dataset")
    mean, std = torch.tensor([0.2, 0.3, 0.4]), torch.tensor([0.5, 0.25, 0.125])
    network.on_training_data(mean, std)
    for parameter in network.tail[-1].parameters():
        torch.nn.init.zeros_(parameter)
    rainy = torch.rand(1, 3, 5, 6)
    expected = (rainy - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    torch.testing.assert_close(network(rainy), expected)
    assert {"mean", "std"} <= network.state_dict().keys()


def test_without_normalisation_the_skip_is_a_true_residual() -> None:
    network = NASNet(stages=1, blocks=1, width=4)
    network.on_training_data(torch.full((3,), 0.3), torch.full((3,), 0.1))
    for parameter in network.tail[-1].parameters():
        torch.nn.init.zeros_(parameter)
    rainy = torch.rand(1, 3, 5, 6)
    assert torch.equal(network(rainy), rainy)


def test_attention_changes_the_output() -> None:
    outputs = []
    for attention in ("na", "se", "none"):
        torch.manual_seed(0)
        outputs.append(NASNet(stages=1, blocks=1, width=8, attention=attention)(torch.full((1, 3, 8, 8), 0.5)))
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_published_recipe() -> None:
    recipe = NASNET.recipe
    assert recipe is not None
    assert (recipe.optimiser, recipe.lr, recipe.schedule, recipe.steps) == ("radam", 2e-4, "cosine", 300_000)
    assert (recipe.batch, recipe.patch, recipe.augment, recipe.loss) == (2, 240, ("hflip", "rot90"), "l1+ssim")


def test_learns_to_remove_rain_from_one_image() -> None:
    """A small NASNet overfits one rainy patch: the loss of Eqs. 6 and 7 falls to a fraction of the input's."""
    torch.manual_seed(0)
    assert NASNET.recipe is not None
    network = NASNet(stages=1, blocks=2, width=8)
    clean = torch.rand(1, 3, 4, 4).repeat_interleave(6, 2).repeat_interleave(6, 3)
    batch = Batch((clean + 0.4 * (torch.rand(1, 1, 24, 24) > 0.9)).clamp(0, 1), clean)
    loss = get_loss("l1+ssim")
    optimiser = make_optimiser(network, NASNET.recipe.changed({"lr": 1e-2}))
    for _ in range(150):
        value = network.training_loss(batch, loss)
        optimiser.zero_grad()
        torch.autograd.backward(value)
        optimiser.step()
    assert value.item() < 0.25 * loss(batch.rainy, batch.clean).item(), "far better than doing nothing"
