"""SPANet against the authors' weights, outputs, and three of their training steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from derainbench.engine.trainer import make_optimiser
from derainbench.methods.spanet import SPANET, SPANet, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, load_into


def test_parameter_count() -> None:
    """7,012 of them are the directional attention, inert in the released network."""
    network = SPANet()
    assert sum(p.numel() for p in network.parameters()) == 283_716
    assert sum(p.numel() for p in network.parameters() if not p.requires_grad) == 7_012
    assert all(p.requires_grad for p in SPANet(directional=True).parameters())


@pytest.mark.parametrize("entry", ["e", "a"])
def test_published_weights_give_the_published_output(shared: Path, entry: str) -> None:
    golden = np.load(shared / "golden" / "networks.npz")
    variant = discover().variant("spanet@spa")
    network = variant.build().eval()
    assert isinstance(network, SPANet)
    load_into(network, variant, shared / "weights" / "spanet" / "latest")
    with torch.inference_mode():
        restored, mask = network.restored_and_mask(torch.tensor(golden[f"spanet/input_{entry}_bgr"]).flip(1))
    torch.testing.assert_close(restored.flip(1), torch.tensor(golden[f"spanet/{entry}_out_bgr"]), atol=2e-5, rtol=0)
    torch.testing.assert_close(mask, torch.tensor(golden[f"spanet/{entry}_mask_bgr"]), atol=2e-5, rtol=0)


@pytest.mark.slow
def test_three_training_steps(shared: Path) -> None:
    """Losses to 1e-5, first gradients to 1e-4 of the largest of their parameter, final weights to 1e-3.

    Adam turns rounding noise in a tiny gradient into a part of its step of 5e-3.
    """
    golden = torch.load(shared / "golden" / "train_spanet.pt", weights_only=True)
    data = np.load(shared / "golden" / "train_batch.npz")
    batch = Batch(torch.tensor(data["bgr64_x"]).flip(1), torch.tensor(data["bgr64_y"]).flip(1))
    network = SPANet()
    names = list(network.state_dict())
    network.load_state_dict(from_official(golden["init"], names, official_names))
    assert SPANET.recipe is not None
    optimiser = make_optimiser(network, SPANET.recipe)
    for step, log in enumerate(golden["logs"]):
        loss = network.training_loss(batch, get_loss(SPANET.recipe.loss))
        assert loss.item() == pytest.approx(log["loss"], abs=1e-5)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        if step == 0:
            for name, parameter in network.named_parameters():
                theirs = [golden["grads_step0"][official] for official in official_names(name)]
                if theirs[0] is None:  # the directional attention: no gradient there, frozen here
                    assert parameter.grad is None
                    continue
                expected = torch.cat(theirs)
                largest = float(expected.abs().max())
                torch.testing.assert_close(parameter.grad, expected, atol=1e-4 * largest, rtol=0, msg=name)
        optimiser.step()
    final = from_official(golden["final"], names, official_names)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, final[name], atol=1e-3, rtol=0, msg=name)


def test_the_mask_marks_where_any_channel_differs(shared: Path) -> None:
    """The golden mask was computed as the authors' code does it, on bytes that wrap around."""
    data = np.load(shared / "golden" / "train_batch.npz")
    rainy, clean = (torch.tensor(data[name]).flip(1) for name in ("bgr64_x", "bgr64_y"))
    network = SPANet()
    with torch.inference_mode():
        restored, mask = network.restored_and_mask(rainy)
        loss = network.training_loss(Batch(rainy, clean), get_loss("l1+ssim"))
        expected = get_loss("l1+ssim")(restored, clean) + (mask[:, 0] - torch.tensor(data["spanet_M"])).square().mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_directional_attention_changes_the_result() -> None:
    torch.manual_seed(0)
    plain, directional = SPANet(), SPANet(directional=True)
    directional.load_state_dict(plain.state_dict())
    rainy = torch.rand(1, 3, 12, 15)
    assert not torch.allclose(plain(rainy), directional(rainy))
