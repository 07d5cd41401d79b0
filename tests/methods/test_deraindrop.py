"""DerainDropGAN against what the authors' classes make of stored weights, at a quarter of their widths; its trainer.

Tolerances are relative to the largest value of what is compared.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainbench.engine.device import choose_engine
from derainbench.methods._activations import gates_and_candidate
from derainbench.methods.deraindrop import (
    ADVERSARIAL,
    DERAINDROP,
    MAP,
    AdversarialTrainer,
    DerainDrop,
    Discriminator,
    adversarial,
    judged,
    official_names,
    perceptual,
    supervised,
)
from derainbench.metrics.losses import get_loss
from derainbench.plugins.layers import channel_mask
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, to_official
from tests.helpers.pseudo_vgg import pseudo_vgg

Golden = Mapping[str, Tensor]
TOLERANCE = 2e-5
RECIPE = Recipe(lr=1e-3, betas=(0.5, 0.99), steps=6, batch=2, patch=16, loss="mse", adversarial=True)

#: The authors' names of the auto-encoder's layers that taps see, and our modules.
TAPS = {
    "conv1": "conv1",
    "conv4": "inner.0",
    "diconv1": "inner.3",
    "diconv4": "inner.6",
    "conv8": "inner.8",
    "deconv1": "up1",
    "conv9": "conv9",
    "deconv2": "up2",
    "conv10": "conv10",
}


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    file = np.load(shared / "golden" / "deraindrop_reduced.npz")
    return {key: torch.tensor(file[key]) for key in file.files}


@pytest.fixture
def network(golden: Golden) -> DerainDrop:
    network = DerainDrop(width=8)
    state = {name.removeprefix("G/"): value for name, value in golden.items() if name.startswith("G/")}
    network.load_state_dict(from_official(state, network.state_dict(), official_names))
    return network


#: The authors' names of the discriminator's layers, and ours.
JUDGES = {
    **{f"conv{number + 1}.0": f"convs.{number}" for number in range(6)},
    "conv_mask.0": "mask",
    "conv7.0": "inner.0",
    "conv8.0": "inner.1",
    "fc.0": "last.0",
    "fc.1": "last.1",
}


@pytest.fixture
def judge(golden: Golden) -> Discriminator:
    judge = Discriminator(224, width=8, hidden=64)
    judge.load_state_dict(
        {f"{ours}.{part}": golden[f"D/{name}.{part}"] for name, ours in JUDGES.items() for part in ("weight", "bias")}
    )
    return judge


def pair(golden: Golden) -> Batch:
    """The golden's images as the harness gives them, and their mask."""
    rainy, clean = (golden[f"bgr_{name}_u8"].permute(2, 0, 1)[None].flip(1) / 255 for name in ("input", "clean"))
    return Batch(rainy, clean, {"mask": golden["mask_target"][None, None].float()})


def pattern(i_step: int, j_step: int, channel_step: int) -> Tensor:
    c, i, j = np.mgrid[:3, :224, :224]
    return torch.tensor(((i_step * i + j_step * j + channel_step * c) % 256 / 255).astype(np.float32))[None]


def assert_equal(actual: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(actual.detach(), expected, atol=tolerance * float(expected.abs().max()), rtol=0)


def test_names_shapes_and_counts_are_the_authors(shared: Path) -> None:
    known = json.loads((shared / "golden" / "deraindrop_state_dicts.json").read_text())
    network, judge = discover().variant("deraindrop").skeleton(), Discriminator(224)
    official = to_official(network.state_dict(), DERAINDROP.official_names)
    assert {name: [*value.shape] for name, value in official.items()} == known["Generator"]
    shapes = {
        f"{theirs}.{part}": [*judge.state_dict()[f"{ours}.{part}"].shape]
        for theirs, ours in JUDGES.items()
        for part in ("weight", "bias")
    }
    assert shapes == known["Discriminator"]
    assert len(judge.state_dict()) == len(shapes)
    counts = [sum(p.numel() for p in part.parameters()) for part in (network, judge)]
    assert counts == [known["Generator__parameters"], known["Discriminator__parameters"]] == [6_244_362, 7_737_746]
    fitting = [side for side in range(200, 250) if ((side - 3) // 4 + 1 - 3) // 4 + 1 == 14]
    assert fitting == known["Discriminator__input_sides_for_14"]


def test_the_generator_is_the_authors(golden: Golden, network: DerainDrop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps, frames, the image, and what layers give on the way."""
    batch, seen, rounds = pair(golden), dict[str, Tensor](), dict[str, list[Tensor]]()

    def watch(module: nn.Module, name: str) -> None:
        # before the next operation changes it in place, which is a ReLU
        module.register_forward_hook(lambda _, __, out: seen.update({name: out.detach().relu()}))

    def keep(name: str, value: Tensor) -> None:
        rounds.setdefault(name, []).append(value.clone())

    def gates(x: Tensor, width: int) -> tuple[Tensor, ...]:
        i, f, o, g = gates_and_candidate(x, width)
        keep("conv_i", i)
        keep("conv_g", g)
        return i, f, o, g

    for theirs, ours in TAPS.items():
        watch(network.autoencoder.get_submodule(ours), theirs)
    units = network.attention.units
    units[0].register_forward_hook(lambda _, given, __: keep("det_conv0", given[0]))
    units[-1].get_submodule("second").register_forward_hook(lambda _, __, out: keep("det_conv5", out.relu()))
    monkeypatch.setattr("derainbench.methods.deraindrop.gates_and_candidate", gates)
    with torch.inference_mode():
        outputs = network.outputs(batch.rainy)
        restored = network(batch.rainy)
    for number, mask in enumerate(outputs.masks, 1):
        assert_equal(mask, golden[f"mask_{number}"])
    for name, frame in (("frame1", outputs.quarter), ("frame2", outputs.half), ("output", outputs.whole)):
        assert_equal(frame, golden[name])
    assert_equal(restored.flip(1), golden["output"])
    seen |= {f"{name}_iter{number}": value for name, values in rounds.items() for number, value in enumerate(values, 1)}
    wanted = {name.removeprefix("tap/"): value for name, value in golden.items() if name.startswith("tap/")}
    assert len(wanted) == 25
    for name, value in wanted.items():
        assert_equal(seen[name][:, :2], value)


def test_the_mask_is_the_authors(golden: Golden) -> None:
    rainy, clean = (golden[f"bgr_{name}_u8"].numpy() for name in ("input", "clean"))
    mask, wanted = channel_mask(30).derive(rainy, clean).astype(bool), golden["mask_target"].numpy()
    largest = np.abs(rainy.astype(int) - clean).max(axis=2)
    assert np.array_equal(mask[largest != 30], wanted[largest != 30])
    assert mask[largest == 30].all()  # theirs compares floats, whose rounding decides there


def test_the_generators_losses_are_the_authors(golden: Golden, network: DerainDrop) -> None:
    batch, features = pair(golden), pseudo_vgg()
    outputs, clean = network.outputs(batch.rainy), batch.clean.flip(1)
    nothing = supervised(outputs, batch, lambda restored, clean: restored.sum() * 0)
    assert_equal(nothing, golden["loss/attention"])
    loss = supervised(outputs, batch, get_loss("mse"))
    assert_equal(loss - nothing, golden["loss/multiscale"])
    of_features = perceptual(features(outputs.whole), features(clean))
    assert_equal(of_features, golden["loss/perceptual_reproducible_vgg"])
    assert_equal(loss + of_features, golden["loss/sum_without_adversarial"])
    torch.testing.assert_close(network.training_loss(batch, get_loss("mse")), loss)
    torch.autograd.backward(loss + of_features)
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    official = to_official(gradients, official_names)
    names = [name for name in golden if name.startswith("grad/")]
    assert len(names) == 9
    for name in names:
        assert_equal(official[name.removeprefix("grad/")], golden[name])


def test_the_discriminator_is_the_authors(golden: Golden, judge: Discriminator) -> None:
    with torch.inference_mode():
        mask, features = judge.seen(pair(golden).rainy.flip(1))
    assert_equal(mask, golden["D40/mask"])
    assert_equal(features, golden["D40/conv8"])


@pytest.mark.slow
def test_the_discriminators_losses_are_the_authors(golden: Golden, judge: Discriminator) -> None:
    attention = torch.tensor(np.add.outer(np.arange(224), np.arange(224)) % 64 / 64, dtype=torch.float32)[None, None]
    verdict, of_clean = judge(pattern(3, 5, 64)), judge(pattern(2, 7, 32))
    assert_equal(verdict[1].sigmoid(), golden["D224/prob_fake_x2"])
    assert_equal(of_clean[1].sigmoid(), golden["D224/prob_real_x3"])
    crop = golden["D224/mask_fake_crop"]
    assert_equal(verdict[0][..., 100:116, 100:116], crop)
    told, maps = judged(verdict, of_clean, attention)
    assert_equal(maps, golden["D224/loss_map_before_gamma"])
    loss = told + MAP * maps
    assert_equal(loss, golden["D224/loss_D"])
    assert_equal(ADVERSARIAL * adversarial(verdict[1]), golden["D224/generator_adv_0.01_log1mD"])
    torch.autograd.backward(loss)
    names = [name for name in golden if name.startswith("D224/grad/")]
    assert len(names) == 4
    for name in names:
        layer, _, part = name.removeprefix("D224/grad/").rpartition(".")
        gradient = judge.get_parameter(f"{JUDGES[layer]}.{part}").grad
        assert gradient is not None
        assert_equal(gradient, golden[name])


def batches(count: int) -> list[Batch]:
    torch.manual_seed(3)
    clean = torch.rand(count, 2, 3, 16, 16)
    mask = (torch.rand(count, 2, 1, 16, 16) > 0.8).float()
    return [Batch(one + 0.2 * m, one, {"mask": m}) for one, m in zip(clean, mask, strict=True)]


def trainer(recipe: Recipe = RECIPE) -> AdversarialTrainer:
    torch.manual_seed(0)
    return AdversarialTrainer(choose_engine("cpu", "fp32").fabric, DerainDrop(width=4), recipe, 6)


def test_it_goes_on_bit_for_bit() -> None:
    """Both networks and both optimisers; the discriminator is no part of what is evaluated."""
    whole, parts, resumed = trainer(), trainer(), trainer()
    given = batches(6)
    losses = [float(whole.step(step, batch)) for step, batch in enumerate(given)]
    for step in range(3):
        parts.step(step, given[step])
    file = io.BytesIO()
    torch.save(parts.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [float(resumed.step(step, given[step])) for step in range(3, 6)] == losses[3:]
    for name, value in whole.state_dict()["judge"].items():
        assert torch.equal(value, resumed.state_dict()["judge"][name]), name
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    assert whole.network.state_dict().keys() == DerainDrop(width=4).state_dict().keys()


def test_both_networks_learn() -> None:
    both = trainer()
    assert both.adversary is not None
    learners = (both.network, both.adversary.judge)
    before = [{n: p.clone() for n, p in part.named_parameters()} for part in learners]
    both.step(0, batches(1)[0])
    for part, old in zip(learners, before, strict=True):
        still = [name for name, value in part.named_parameters() if torch.equal(value, old[name])]
        assert len(still) < len(old) / 2, still  # a ReLU may have no gradient
    assert all(p.requires_grad for p in learners[1].parameters())


def test_a_recipe_may_leave_the_discriminator_out() -> None:
    alone = trainer(RECIPE.changed({"adversarial": False}))
    assert alone.adversary is None
    assert "judge" not in alone.state_dict()
    (batch,) = batches(1)
    told = float(alone.step(0, batch))
    again = trainer(RECIPE.changed({"adversarial": False}))
    assert told == pytest.approx(float(again.network.training_loss(batch, again.loss).detach()))
    assert float(trainer().step(0, batch)) < told  # log(1 - D) is below 0


Refused = Callable[..., AbstractContextManager[None]]


def test_what_it_cannot_train_on(refused: Refused) -> None:
    with refused("multiples of 4", "18 x 18"):
        DerainDrop(width=4).outputs(torch.rand(1, 3, 18, 18))
    with refused("16 pixels or more", "8"):
        trainer(RECIPE.changed({"patch": 8}))


def test_what_is_compiled_is_said(refused: Refused) -> None:
    network = DerainDrop(width=4)
    network.training_loss = lambda batch, loss: torch.zeros(())  # type: ignore[method-assign]
    with refused("--compile"):
        AdversarialTrainer(choose_engine("cpu", "fp32").fabric, network, RECIPE, 6)
