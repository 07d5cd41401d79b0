"""DAF-Net against the authors' network, and its optimiser against Caffe's formula."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.engine.device import choose_engine
from derainbench.methods.dafnet import (
    DAFNET,
    IMAGENET_DEVIATION,
    SCALE,
    VGG16,
    CaffeAdam,
    DAFNet,
    DAFNetTrainer,
    official_names,
)
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.perceptual import add_features
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official
from tests.helpers.pseudo_vgg import NUMBERS, torchvisions_layout

Refused = Callable[..., AbstractContextManager[None]]

TOLERANCE = 2e-5  # of the largest value

Golden = Mapping[str, Any]

#: Golden entries that are the outputs of our convolutions, after their activation where they have one.
TAPS = ["conv1-dsn6", "conv2-dsn3-d", "atten1_c2", "conv2-dsn3", "conv2-dsn1", "attentional_conv2", "attentional_conv3"]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    return dict(np.load(shared / "golden" / "dafnet_reduced.npz"))


@pytest.fixture
def network(golden: Golden) -> DAFNet:
    network = DAFNet(narrower=16)
    state = {name[2:]: torch.tensor(value) for name, value in golden.items() if name.startswith("w/")}
    network.load_state_dict(from_official(state, list(network.state_dict()), official_names))
    return network


def image(levels: np.ndarray[Any, Any]) -> Tensor:
    """RGB of the goldens' BGR."""
    return torch.from_numpy(levels).permute(2, 0, 1)[None].flip(1).float() / 255


def near(actual: Tensor, expected: np.ndarray[Any, Any], what: str) -> float:
    """The largest difference, of the largest value."""
    wanted = torch.tensor(expected)
    assert actual.shape == wanted.shape, what
    difference = float((actual - wanted).abs().max() / wanted.abs().max().clamp(min=1e-12))
    assert difference <= TOLERANCE, f"{what}: {difference:.1e}"
    return difference


def test_names_shapes_and_parameters(shared: Path) -> None:
    listed = json.loads((shared / "golden" / "dafnet_layers.json").read_text())
    state = discover().variant("dafnet").skeleton().state_dict()
    assert {official_names(name)[0]: list(value.shape) for name, value in state.items()} == dict(listed["shapes"])
    assert discover().variant("dafnet").parameters() == listed["parameters"] == 43_061_697


@pytest.mark.parametrize("size", ["a", "b"])
def test_every_output_loss_and_gradient_is_the_authors(network: DAFNet, golden: Golden, size: str) -> None:
    seen: dict[str, Tensor] = {}
    for name, conv in network.convs.items():
        # the tensor itself, which the activation then changes in place
        conv.register_forward_hook(
            lambda _, inputs, output, name=name: seen.update({name: output, f"into {name}": inputs[0]})
        )
    rainy, clean = image(golden[f"{size}/bgr_input_u8"]), image(golden[f"{size}/bgr_clean_u8"])
    depth = torch.from_numpy(golden[f"{size}/depth_u8"])[None, None].float() / 255
    restored, predicted = network.restored_and_depth(rainy)
    attention = torch.softmax(seen["atten_weight"], 1)
    grouped = network.convs["conv2_group_1x1"](seen["conv1_group_3x3"])  # one convolution with the next in the network
    feature = grouped * attention.repeat_interleave(4, 1)
    first_and_last = [0, -1]

    def tap(name: str, value: Tensor) -> None:
        kept = value if value.shape[1] == golden[f"{size}/{name}"].shape[1] else value[:, first_and_last]
        near(kept.detach(), golden[f"{size}/{name}"], name)
        assert list(value.shape) == golden[f"{size}/shape/{name}"].tolist(), name

    for name in TAPS:
        tap(name, seen[name])
    tap("pool5a", seen["into conv1-dsn6"])
    tap("pool4", seen["into conv5_1"])
    tap("up_conv2-dsn6-d", seen["into conv2-dsn5-d"][:, 32:])
    tap("up_conv2-dsn6", seen["into conv2-dsn5"][:, 32:])
    tap("up_atten1_c2", seen["into atten2_c1"])
    tap("up_atten2_c2", seen["into atten3_c1"])
    tap("sig_depth_predict", predicted)
    tap("attention_weight64", attention)
    tap("conv2_group_1x1", grouped)
    tap("attentional_feature", feature)
    tap("attentional_conv1", seen["into attentional_conv2"])
    tap("norm_residual", torch.tanh(seen["attentional_conv3"]))
    near((restored.flip(1) * SCALE).detach(), golden[f"{size}/output1"], "output1")

    batch = Batch(rainy, clean, {"depth": depth})
    loss = network.training_loss(batch, get_loss("mse"))
    assert loss.item() == pytest.approx(float(golden[f"{size}/loss1"] + golden[f"{size}/loss_depth"]), rel=TOLERANCE)
    torch.autograd.backward(loss)
    gradients = {official_names(name)[0]: parameter.grad for name, parameter in network.named_parameters()}
    compared = [entry for entry in golden if entry.startswith(f"{size}/grad/")]
    assert len(compared) == 12
    for entry in compared:
        gradient = gradients[entry.removeprefix(f"{size}/grad/")]
        assert gradient is not None
        near(gradient, golden[entry], entry)


def test_depth_that_is_not_there_teaches_nothing(network: DAFNet) -> None:
    rainy, clean = torch.rand(2, 3, 20, 24), torch.rand(2, 3, 20, 24)
    batch = Batch(rainy, clean, {"depth": torch.full((2, 1, 20, 24), torch.nan)})
    torch.autograd.backward(network.training_loss(batch, get_loss("mse")))
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    of_depth = gradients["convs.depth_predict.weight"]
    assert of_depth is not None
    assert not of_depth.any()


def test_caffes_adam() -> None:
    """Against its formula, with numbers in double precision."""
    value, mean, square = 1.0, 0.0, 0.0
    parameter = torch.nn.Parameter(torch.tensor(value, dtype=torch.float64))
    optimiser = CaffeAdam([{"params": [parameter], "lr": 0.01, "weight_decay": 0.1}], (0.9, 0.99), 1e-3)
    for step, of_loss in enumerate((0.5, -0.2, 3.0), 1):
        parameter.grad = torch.tensor(of_loss, dtype=torch.float64)
        optimiser.step()
        gradient = of_loss + 0.1 * value
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        value -= 0.01 * math.sqrt(1 - 0.99**step) / (1 - 0.9**step) * mean / (math.sqrt(square) + 1e-3)
        assert parameter.item() == pytest.approx(value, rel=1e-12)


def test_biases_learn_twice_as_fast_where_the_file_says_so() -> None:
    assert DAFNET.recipe is not None
    network = DAFNet(narrower=16)
    trainer = DAFNetTrainer(
        choose_engine("cpu", "fp32").fabric, network, DAFNET.recipe.changed({"pretrained": "none"}), 10
    )
    trainer.step(0, Batch(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32), {"depth": torch.rand(1, 1, 32, 32)}))
    others, biases = trainer.optimiser.param_groups
    assert (others["lr"], biases["lr"]) == (1e-5, 2e-5)
    assert (others["weight_decay"], biases["weight_decay"]) == (5e-4, 0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    doubled = {names[id(parameter)] for parameter in biases["params"]}
    assert "convs.conv1_1.bias" in doubled
    assert "convs.attentional_conv2.bias" not in doubled
    assert len(doubled) == 32


@pytest.mark.slow
def test_a_training_begins_with_vgg16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    """In its authors' colours and units; what no VGG16 has stays random."""
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    assert DAFNET.recipe is not None
    recipe, fabric = DAFNET.recipe.changed({"steps": 1}), choose_engine("cpu", "fp32").fabric
    with refused("weights add vgg16 FILE"):
        DAFNetTrainer(fabric, DAFNet(), recipe, 1)
    torch.save(torchvisions_layout(), tmp_path / "vgg.pth")
    add_features(tmp_path / "vgg.pth", trust_unknown=True)
    with refused("narrower"):
        DAFNetTrainer(fabric, DAFNet(narrower=2), recipe, 1)
    network, theirs = DAFNet(), torchvisions_layout()
    random = network.get_parameter("convs.conv1-dsn6.weight").clone()
    DAFNetTrainer(fabric, network, recipe, 1)
    for number, name in list(zip(NUMBERS, VGG16, strict=True))[1:]:
        assert torch.equal(network.get_parameter(f"convs.{name}.weight"), theirs[f"features.{number}.weight"])
    image = torch.rand(1, 3, 9, 9)
    normalised = image / torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1)  # what torchvision's sees but for the mean
    wanted = torch.conv2d(normalised, theirs["features.0.weight"], theirs["features.0.bias"])
    weight, bias = (network.get_parameter(f"convs.conv1_1.{part}") for part in ("weight", "bias"))
    found = torch.conv2d(255 * image.flip(1), weight, bias)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(network.get_parameter("convs.conv1-dsn6.weight"), random)
