"""DDN against the authors' outputs, two of their training steps, and weights that three people published."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.engine.device import choose_engine
from derainbench.engine.trainer import Trainer
from derainbench.methods.ddn import DDN, DeepDetailNetwork, Unit, base, official_names
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, load_into, read_weights

#: Of the largest value.
TOLERANCE = 2e-5

Golden = Mapping[str, Any]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    """What the authors' network gave, on two pairs of 40x56."""
    return dict(np.load(shared / "golden" / "ddn.npz"))


@pytest.fixture(scope="module")
def rainy(golden: Golden) -> Tensor:
    return images(golden["rgb_rainy_u8"])


def images(levels: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 255


def near(actual: Tensor, expected: Tensor, what: str, tolerance: float = TOLERANCE) -> None:
    assert actual.shape == expected.shape, what
    torch.testing.assert_close(actual, expected, atol=tolerance * float(expected.abs().max()), rtol=0, msg=what)


def random_network(golden: Golden) -> DeepDetailNetwork:
    """With the goldens' random weights."""
    kernels = {name[2:].replace("/", "."): torch.tensor(golden[name]) for name in golden if name.startswith("w/")}
    state = {n: value.permute(3, 2, 0, 1) if value.ndim == 4 else value for n, value in kernels.items()}
    network = DeepDetailNetwork()
    counters = {n: v for n, v in network.state_dict().items() if n.endswith("num_batches_tracked")}
    names = [name for name in network.state_dict() if name not in counters]
    network.load_state_dict(from_official(state, names, official_names) | counters)
    return network


def trained_network(shared: Path, name: str, file: str) -> DeepDetailNetwork:
    variant = discover().variant(name)
    network = variant.build()
    load_into(network, variant, shared / "weights" / "ddn" / file)
    assert isinstance(network, DeepDetailNetwork)
    return network


def test_parameters() -> None:
    assert discover().variant("ddn").parameters() == 57_369


def test_the_filter(golden: Golden, rainy: Tensor) -> None:
    near(base(rainy), torch.tensor(golden["base"]), "float32", 1e-6)
    exact = torch.from_numpy(golden["rgb_rainy_u8"]).permute(0, 3, 1, 2).double() / 255
    near(base(exact).float(), torch.tensor(golden["base_float64"]), "float64", 1e-7)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("weights", ["random", "official"])
def test_every_output_is_the_authors(shared: Path, golden: Golden, rainy: Tensor, weights: str, mode: str) -> None:
    official = "ddn_tf_official_model.index"
    network = random_network(golden) if weights == "random" else trained_network(shared, "ddn@rain1400", official)
    network.train(mode == "train")
    seen: dict[str, Tensor] = {}
    for number, unit in enumerate(network.units, 1):
        unit.register_forward_pre_hook(lambda _, inputs, n=number: seen.__setitem__(f"into {n}", inputs[0].clone()))
    entry = f"{weights}/{mode}"
    with torch.no_grad():
        output = network(rainy)
    near(output, torch.tensor(golden[f"{entry}/output"]), "output")
    near(output - rainy, torch.tensor(golden[f"{entry}/neg_residual"]), "neg_residual", 2e-5)
    near(seen["into 2"][:, [0, -1]], torch.tensor(golden[f"{entry}/tap/layer_1"]), "layer 1")
    for number in (3, 13, 25):
        near(
            seen[f"into {number + 1}"][:, [0, -1]],
            torch.tensor(golden[f"{entry}/tap/shortcut_{number}"]),
            f"shortcut {number}",
        )
    if mode == "train":
        for number in (1, 13, 26):
            unit, after = network.units[number - 1], f"{entry}/after/layer_{number}"
            assert isinstance(unit, Unit)
            assert unit.norm.running_mean is not None
            assert unit.norm.running_var is not None
            near(unit.norm.running_mean, torch.tensor(golden[f"{after}.moving_mean"]), "mean")
            near(unit.norm.running_var, torch.tensor(golden[f"{after}.moving_variance_bessel"]), "variance")


def keep_first(gradients: dict[str, Tensor], name: str, gradient: Tensor) -> None:
    """A hook, which must return nothing: what it returns would be the gradient."""
    gradients.setdefault(name, gradient.clone())


def test_two_training_steps(golden: Golden, rainy: Tensor) -> None:
    """The authors' recipe at its first learning rate. Gradients through 26 normalisations lose digits in float32: in
    float64 they differ from the stored ones by 1e-4 of the largest."""
    network = random_network(golden)
    assert DDN.recipe is not None
    trainer = Trainer(choose_engine("cpu", "fp32").fabric, network, DDN.recipe, 210_000)
    batch = Batch(rainy, images(golden["rgb_clean_u8"]))
    gradients: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        parameter.register_hook(partial(keep_first, gradients, name))  # type: ignore[no-untyped-call]
    losses = [float(trainer.step(step, batch)) for step in (0, 1)]
    assert losses == pytest.approx(golden["train2/losses"].tolist(), rel=TOLERANCE)
    ours = {official: name for name in network.state_dict() for official in official_names(name)}
    compared = 0
    for entry, values in golden.items():
        if not entry.startswith(("train2/grad_step0/", "train2/final/")):
            continue
        _, kind, official = entry.split("/", 2)
        expected = torch.tensor(values)
        expected = expected.permute(3, 2, 0, 1) if expected.ndim == 4 else expected
        name = ours[official.replace("/", ".")]
        found = gradients[name] if kind == "grad_step0" else network.state_dict()[name]
        near(found, expected, entry, 5e-4 if kind == "grad_step0" else TOLERANCE)
        compared += 1
    assert compared >= 14


def test_weights_that_others_published(shared: Path, golden: Golden, rainy: Tensor) -> None:
    """One shortcut around all; and statistics of the image itself."""
    global_one = trained_network(shared, "ddn[shortcut=global]@rain200l", "ddn_hanshuyan_rain200L_best.npz").eval()
    by_image = trained_network(shared, "ddn[statistics=image]@rain200l", "ddn_recderain_RainLight.npz").eval()
    with torch.no_grad():
        near(global_one(rainy), torch.tensor(golden["hanshuyan_rain200L/eval/output"]), "global")
        expected = torch.tensor(golden["recderain_RainLight/batchstats_eps1e-5/output_image0_alone"])
        near(by_image(rainy)[:1], expected, "image")


def test_every_known_file_fits(shared: Path) -> None:
    folder = shared / "weights" / "ddn"
    trained_network(shared, "ddn[shortcut=global]@rain200h", "ddn_hanshuyan_rain200H_best.npz")
    trained_network(shared, "ddn[statistics=image]@rain200h", "ddn_recderain_RainHeavy.npz")
    converted = read_weights(folder / "ddn_tf_official_trained.npz")
    assert converted.keys() == (read := read_weights(folder / "ddn_tf_official_model.index")).keys()
    assert all(torch.equal(value, read[name]) for name, value in converted.items())


def test_reach() -> None:
    assert DeepDetailNetwork().reach == 56
    assert DeepDetailNetwork(statistics="image").reach is None
