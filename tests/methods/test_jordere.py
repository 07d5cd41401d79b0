"""JORDER-E against the authors' code: outputs, mask, rain, losses and gradients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.methods.jordere import JORDERE, MASK, RAIN, JorderE, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, load_into, to_official
from derainbench.support.atomic import file_hash

#: Of the largest value of a stored result.
TOLERANCE = 2e-5


def close(actual: Tensor, expected: np.ndarray, name: str, tolerance: float = TOLERANCE) -> None:
    """Equal to within so much of the largest value."""
    theirs = torch.tensor(expected)
    atol = tolerance * float(theirs.abs().max())
    torch.testing.assert_close(actual.detach().reshape(theirs.shape), theirs, atol=atol, rtol=0, msg=name)


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, np.ndarray]:
    """Stored results by name."""
    with np.load(shared / "golden" / "jordere.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(params=["practical", "reduced9"])
def network(request: pytest.FixtureRequest, shared: Path, golden: Mapping[str, np.ndarray]) -> tuple[str, JorderE]:
    """The authors' network for real rain with their weights; and nine blocks of width 8, with stored ones."""
    name = str(request.param)
    if name == "practical":
        variant = discover().variant("jordere@practical")
        network = variant.build()
        load_into(network, variant, shared / "weights" / "jorder_e" / "model_practical.pt")
    else:
        network = JorderE(width=8)
        prefix = f"{name}/w/"
        state = {key.removeprefix(prefix): torch.tensor(golden[key]) for key in golden if key.startswith(prefix)}
        network.load_state_dict(from_official(state, network.state_dict(), official_names))
    assert isinstance(network, JorderE)
    return name, network


def pair(golden: Mapping[str, np.ndarray]) -> Batch:
    rainy, clean = (torch.tensor(golden[f"rgb_{name}_u8"]).permute(2, 0, 1)[None] / 255 for name in ("rainy", "clean"))
    return Batch(rainy, clean)


@pytest.mark.parametrize(("name", "entry"), [("jordere", "JORDER_E"), ("jordere@practical", "JORDER_E_practical")])
def test_shapes_and_names_are_the_authors(shared: Path, name: str, entry: str) -> None:
    shapes = json.loads((shared / "golden" / "jordere_state_dicts.json").read_text())[entry]
    official = to_official(discover().variant(name).build().state_dict(), official_names)
    assert {key: list(value.shape) for key, value in official.items()} == shapes


@pytest.mark.parametrize(("name", "parameters"), [("jordere", 4_169_024), ("jordere@practical", 406_784)])
def test_parameter_counts(name: str, parameters: int) -> None:
    assert discover().variant(name).parameters() == parameters


def test_the_published_file_is_known(shared: Path) -> None:
    (weights,) = JORDERE.weights
    assert file_hash(shared / "weights" / "jorder_e" / "model_practical.pt") == weights.sha256


def test_both_stages_are_the_authors(golden: Mapping[str, np.ndarray], network: tuple[str, JorderE]) -> None:
    name, net = network
    taps: dict[str, Tensor] = {}
    net.get_submodule("stages.0.head").register_forward_hook(lambda _, __, y: taps.update(encoder1=y))
    with torch.inference_mode():
        seen = net.seen(pair(golden).rainy)
    taps |= {"feat1_block1": seen[0].features[0], "feat1_last": seen[0].features[-1]}
    for number, stage in enumerate(seen, start=1):
        close(stage.restored, golden[f"{name}/out_stage{number}"], f"image {number}")
        close(stage.mask, golden[f"{name}/mask_logits_stage{number}"], f"mask {number}")
        close(stage.rain, golden[f"{name}/level_stage{number}"], f"rain {number}")
    for tap, value in taps.items():
        close(value[:, :2], golden[f"{name}/{tap}_ch0_1"], tap)
    with torch.inference_mode():
        assert torch.equal(net(pair(golden).rainy), seen[-1].restored / 255)


def test_losses_and_gradients_are_the_authors(golden: Mapping[str, np.ndarray], network: tuple[str, JorderE]) -> None:
    """Their sum over the mask's pixels is the mean times their number, which is weighted here as in their recipe."""
    name, net = network
    batch = pair(golden)
    images, mask, rain = net.losses(batch, get_loss("l1"))
    pixels = batch.rainy[:, :1].numel()
    close(images, golden[f"{name}/loss_l1_both"], "images")
    close(mask * pixels, golden[f"{name}/loss_ce_sum"], "mask")
    close(rain, golden[f"{name}/loss_level"], "rain")
    total = images + 1e-3 * pixels * mask + 1e-2 * rain
    close(total, golden[f"{name}/loss_total"], "total")
    with torch.inference_mode():
        ours = net.training_loss(batch, get_loss("l1"))
        torch.testing.assert_close(ours, images + MASK * mask + RAIN * rain)
    torch.autograd.backward(total)
    gradients = to_official({key: p.grad for key, p in net.named_parameters() if p.grad is not None}, official_names)
    entries = [key for key in golden if key.startswith(f"{name}/grad/")]
    assert len(entries) == 6
    for key in entries:
        # An absolute value of nearly 0 in the practical one's loss: its slope's sign is another by processor.
        tolerance = 1e-3 if name == "practical" else TOLERANCE
        close(gradients[key.removeprefix(f"{name}/grad/")], golden[key], key, tolerance)


@pytest.mark.parametrize(("mask", "columns"), [("released", 0), ("rain", 4)])
def test_the_released_mask_is_of_no_rain(mask: Literal["released", "rain"], columns: int) -> None:
    """Rain only adds light: the released mask's loss is that of an empty mask, the other that of the rain."""
    clean = torch.full((1, 3, 8, 8), 0.25)
    rainy = clean.clone()
    rainy[..., :4] += 0.5
    torch.manual_seed(0)
    network = JorderE(blocks=1, width=2, mask=mask)
    logits = network.seen(rainy)[-1].mask.log_softmax(dim=1)
    expected = logits[:, 1, :, :columns].sum() + logits[:, 0, :, columns:].sum()
    torch.testing.assert_close(network.losses(Batch(rainy, clean), get_loss("l1"))[1], -expected / 64)
