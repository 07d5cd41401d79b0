"""DID-MDN against what the authors' code makes of stored weights; its phases; what its trainer resumes from.

Tolerances are relative to the largest value of what is compared.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from derainbench.engine.device import choose_engine
from derainbench.engine.trainer import make_optimiser
from derainbench.methods.didmdn import (
    DIDMDN,
    PHASES,
    Classifier,
    DidMdn,
    Norm,
    PhasedTrainer,
    official_names,
    with_features,
)
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import from_official, to_official
from tests.helpers.pseudo_vgg import pseudo_vgg

Golden = Mapping[str, Tensor]
TOLERANCE, GRADIENT_TOLERANCE = 2e-5, 2e-5
QUICK = Recipe(lr=1e-3, steps=40, batch=2, patch=32, loss="l1", schedule="linear")

#: The authors' names of what taps see, and our modules.
MAIN_TAPS = {
    "dense2.trans_block1": "streams.2.stages.0",
    "dense2.trans_block3": "streams.2.stages.2",
    "dense2.trans_block6": "streams.2.stages.5",
    "refine3": "pyramid.refine",
    "refineclean1": "clean1",
}


def golden_of(shared: Path, name: str) -> Golden:
    file = np.load(shared / "golden" / f"didmdn_{name}.npz")
    return {key: torch.tensor(file[key]) for key in file.files}


@pytest.fixture(scope="module")
def main(shared: Path) -> Golden:
    return golden_of(shared, "dense_rain")


@pytest.fixture(scope="module")
def residual(shared: Path) -> Golden:
    return golden_of(shared, "residual")


@pytest.fixture(scope="module")
def classifier(shared: Path) -> Golden:
    return golden_of(shared, "classifier_reduced")


def assert_equal(actual: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(actual.detach(), expected, atol=tolerance * float(expected.abs().max()), rtol=0)


def fill(network: nn.Module, theirs: str, ours: str, golden: Golden) -> None:
    """One of the networks with the golden's weights."""
    state = {f"{theirs}.{name.removeprefix('w/')}": golden[name] for name in golden if name.startswith("w/")}
    names = [f"{ours}.{name}" for name in network.state_dict()]
    loaded = from_official(state, names, official_names)
    network.load_state_dict({name.removeprefix(f"{ours}."): value for name, value in loaded.items()})


def with_weights(main: Golden, residual: Golden, mode: str) -> DidMdn:
    """``eval``: by running statistics; ``train``: as in training; ``image``: by those of the image, as restored."""
    network = DidMdn(classifier_side=14, statistics="running" if mode == "eval" else "image").train(mode == "train")
    fill(network.main, "netG", "main", main)
    fill(network.residual, "residue_net", "residual", residual)
    return network


def taps_of(network: nn.Module, modules: Mapping[str, str], run: Callable[[], object]) -> dict[str, Tensor]:
    """What modules give during a call, by the authors' names."""
    seen: dict[str, Tensor] = {}
    hooks = [
        network.get_submodule(ours).register_forward_hook(
            lambda _, __, output, name=theirs: seen.update({name: output.detach().clone()})  # changed in place later
        )
        for theirs, ours in modules.items()
    ]
    run()
    for hook in hooks:
        hook.remove()
    return seen


def first_and_middle(x: Tensor) -> Tensor:
    return x[:, [0, x.shape[1] // 2]]


def test_names_shapes_and_counts_are_the_authors(shared: Path) -> None:
    known = json.loads((shared / "golden" / "didmdn_state_dicts.json").read_text())
    network = discover().variant("didmdn").skeleton()
    official = to_official(network.state_dict(), DIDMDN.official_names)
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    for ours, theirs, title in (("main", "netG", "Dense_rain"), ("residual", "residue_net", "Dense_rain_residual")):
        shapes = {name.partition(".")[2]: [*value.shape] for name, value in official.items() if name.startswith(theirs)}
        assert shapes == known[title]
        unused = {official_names(name)[0].partition(".")[2] for name in frozen if name.startswith(ours)}
        assert unused == set(known[f"{title}__never_used"])
        parameters = dict(network.get_submodule(ours).named_parameters())
        assert sum(value.numel() for value in parameters.values()) == known[f"{title}__parameters"]
        never = sum(value.numel() for value in parameters.values() if not value.requires_grad)
        assert never == known[f"{title}__never_used_parameters"]
    shapes = {name.partition(".")[2]: [*value.shape] for name, value in official.items() if name[:9] == "net_label"}
    assert shapes.pop("feature.1.num_batches_tracked") == []  # torch of the authors' day had none
    assert shapes == known["vgg19ca"]
    assert discover().variant("didmdn").parameters() == 372_839 + 182_947 + 65_501_084


@pytest.mark.parametrize("image", ["sq", "ns"])
@pytest.mark.parametrize("mode", ["eval", "train", "image"])
def test_the_main_network_is_the_authors(main: Golden, residual: Golden, image: str, mode: str) -> None:
    """Outputs, what layers give on the way, and the running statistics after a step of training."""
    network = with_weights(main, residual, mode)
    x, label = main[f"{image}/x"], main[f"{image}/label"][None]
    found: list[tuple[Tensor, Tensor]] = []
    with torch.inference_mode():
        before_activation = copy.deepcopy(network.main).merged(x, label)
        streams = [copy.deepcopy(stream)(x) for stream in network.main.streams]
        clicks = [F.leaky_relu(tap(first), 0.2) for tap, (_, first) in zip(network.main.taps, streams, strict=True)]
        seen = taps_of(network.main, MAIN_TAPS, lambda: found.append(network.main(x, label)))
    place = f"{image}/{'eval' if mode == 'eval' else 'train'}"
    for name, value in zip(("residual", "clean"), found[0], strict=True):
        assert_equal(value, main[f"{place}/{name}"])
    seen["conv_refin"] = before_activation
    for number, ((last, _), tap) in enumerate(zip(streams, clicks, strict=True)):
        taps = [F.interpolate(tap, size=x.shape[-2:])] * 5
        seen[f"dense{number}"] = torch.cat([last, *taps, x], dim=1)
    wanted = {name.removeprefix(f"{place}/tap/"): main[name] for name in main if name.startswith(f"{place}/tap/")}
    assert wanted.keys() == (seen.keys() if image == "sq" else set())
    for name, value in wanted.items():
        assert_equal(seen[name] if name == "dense0" else first_and_middle(seen[name]), value)
    if mode == "train":
        official = to_official({f"main.{name}": v for name, v in network.main.state_dict().items()}, official_names)
        after = [name for name in main if name.startswith(f"{image}/train/after/")]
        assert len(after) == 4
        for name in after:
            assert_equal(official[f"netG.{name.removeprefix(f'{image}/train/after/')}"], main[name])


def test_the_label_is_heard(main: Golden, residual: Golden) -> None:
    network = with_weights(main, residual, "eval")
    for label in (0, 1, 4):
        with torch.inference_mode():
            _, clean = network.main(main["sq/x"], torch.tensor([label]))
        assert_equal(clean, main[f"sq/eval/clean_label{label}"])


@pytest.mark.slow
def test_an_image_of_the_authors_size(main: Golden, residual: Golden) -> None:
    c, i, j = np.mgrid[:3, :512, :512]
    x = torch.tensor(((3 * i + 5 * j + 64 * c) % 256 / 127.5 - 1).astype(np.float32))[None]
    with torch.inference_mode():
        rain, clean = with_weights(main, residual, "image").main(x, torch.tensor([1]))
    for name, value in (("residual", rain), ("clean", clean)):
        assert_equal(value[..., 240:264, 248:272], main[f"512/train/{name}_crop"])
    found = torch.stack([clean.double().mean(), clean.double().std()])
    assert_equal(found, main["512/train/clean_mean_std"])
    assert_equal(torch.stack([clean.min(), clean.max()]), main["512/train/clean_min_max"])
    stretched = (clean - clean.min()) / (clean.max() - clean.min())
    saved = stretched.mul(255).clamp(0, 255).byte()[0, :, 240:264, 248:272].int()
    differing = saved - main["512/train/saved_u8_crop"].int()
    assert int(differing.abs().max()) <= 1  # truncated: what lies on a grey level may fall on either side
    assert float((differing != 0).float().mean()) < 1e-3


@pytest.mark.parametrize("loss", ["l1", "total"])
def test_the_main_networks_training_is_the_authors(main: Golden, residual: Golden, loss: str) -> None:
    """Losses, gradients, and one step of their optimiser."""
    network = with_weights(main, residual, "train")
    network.phase = "main"
    unit = {name: (main[f"sq/{name}"] + 1) / 2 for name in ("x", "target")}
    density = (main["sq/label"] - 1).float().view(1, 1, 1, 1)
    features = with_features(get_loss("l1"), pseudo_vgg()) if loss == "total" else get_loss("l1")
    batch = Batch(unit["x"], unit["target"], {"density": density})
    value = network.training_loss(batch, features)
    expected = main["sq/train/loss_l1"]
    if loss == "total":
        expected = expected + main["sq/train/loss_vgg_relu2_2_x1.8"] + main["sq/train/loss_vgg_relu1_2_x1.8"]
    assert_equal(value, expected)
    assert DIDMDN.recipe is not None
    optimiser = make_optimiser(network.main, DIDMDN.recipe)
    torch.autograd.backward(value)
    ours = {official_names(f"main.{name}")[0]: p for name, p in network.main.named_parameters()}
    names = [name.removeprefix("sq/train/grad_l1/") for name in main if name.startswith("sq/train/grad_l1/")]
    assert len(names) == 7
    for name in names:
        gradient = ours[f"netG.{name}"].grad
        assert gradient is not None
        assert_equal(gradient, main[f"sq/train/grad_{loss}/{name}"], GRADIENT_TOLERANCE)
    if loss == "total":
        optimiser.step()
        for name in names:
            assert_equal(ours[f"netG.{name}"], main[f"sq/train/after_step/{name}"])


@pytest.mark.parametrize("image", ["sq", "ns"])
@pytest.mark.parametrize("mode", ["eval", "train", "image"])
def test_the_residual_network_is_the_authors(main: Golden, residual: Golden, image: str, mode: str) -> None:
    network, x = with_weights(main, residual, mode).residual, residual[f"{image}/x"]
    place = f"{image}/{'eval' if mode == 'eval' else 'train'}"
    with torch.inference_mode():
        assert_equal(copy.deepcopy(network).merged(x)[:, :2], residual[f"{place}/tap/conv_refin"])
        for number, stream in enumerate(network.streams):
            assert_equal(copy.deepcopy(stream)(x)[0], residual[f"{place}/tap/dense{number}"])
        clean = network(x)
    assert_equal(clean, residual[f"{place}/output"])
    assert_equal(x - clean, residual[f"{place}/residue_x_minus_output"])


def test_the_residual_networks_training_is_the_authors(main: Golden, residual: Golden) -> None:
    network = with_weights(main, residual, "train")
    network.phase = "residual"
    unit = {name: (residual[f"sq/{name}"] + 1) / 2 for name in ("x", "target")}
    batch = Batch(unit["x"], unit["target"], {"density": torch.zeros(1, 1, 1, 1)})
    value = network.training_loss(batch, get_loss("l1"))
    assert_equal(value, residual["sq/train/loss_l1"])
    torch.autograd.backward(value)
    ours = {official_names(f"residual.{name}")[0]: p for name, p in network.residual.named_parameters()}
    names = [name for name in residual if name.startswith("sq/train/grad_l1/")]
    assert len(names) == 4
    for name in names:
        gradient = ours[f"residue_net.{name.removeprefix('sq/train/grad_l1/')}"].grad
        assert gradient is not None
        assert_equal(gradient, residual[name], GRADIENT_TOLERANCE)


@pytest.mark.parametrize("mode", ["eval", "train", "image"])
def test_the_classifier_is_the_authors(classifier: Golden, mode: str) -> None:
    """Of an image that is no square, with a matrix that fits."""
    network = Classifier(1920, running=mode == "eval", hidden=32).train(mode == "train")
    fill(network, "net_label", "classifier", classifier)
    place = "eval" if mode == "eval" else "train"
    with torch.inference_mode():
        pooled, logits = copy.deepcopy(network).pooled(classifier["x"]), copy.deepcopy(network)(classifier["x"])
    assert_equal(pooled, classifier[f"{place}/pooled"])
    assert_equal(logits, classifier[f"{place}/logits"])
    assert_equal(logits.softmax(dim=1), classifier[f"{place}/softmax"])
    assert torch.equal(logits.argmax(dim=1) + 1, classifier[f"{place}/label_given_to_main_net"])
    if mode == "train":
        loss = F.cross_entropy(network(classifier["x"]), torch.tensor([1]))
        assert_equal(loss, classifier["train/cross_entropy_class1"])
        torch.autograd.backward(loss)
        ours = {official_names(f"classifier.{name}")[0]: p for name, p in network.named_parameters()}
        names = [name for name in classifier if name.startswith("train/grad/")]
        assert len(names) == 4
        for name in names:
            gradient = ours[f"net_label.{name.removeprefix('train/grad/')}"].grad
            assert gradient is not None
            assert_equal(gradient, classifier[name], GRADIENT_TOLERANCE)


def test_the_networks_work_together(main: Golden, residual: Golden) -> None:
    """The residual network's rain, resized, gives the class; one more is the label."""
    network, x = with_weights(main, residual, "image"), main["sq/x"]
    with torch.inference_mode():
        rain = F.interpolate(x - network.residual(x), size=(14, 14), mode="bilinear")
        label = network.classifier(rain).argmax(dim=1) + 1
        expected = (network.main(x, label)[1] + 1) / 2
        torch.testing.assert_close(network((x + 1) / 2), expected, atol=1e-5, rtol=0)


def test_an_image_of_the_classifiers_side_is_not_resampled() -> None:
    rain = torch.rand(1, 3, 56, 56)
    assert torch.equal(F.interpolate(rain, size=(56, 56), mode="bilinear", align_corners=False), rain)


def batches(count: int) -> list[Batch]:
    torch.manual_seed(3)
    rainy = torch.rand(count, 2, 3, 32, 32)
    density = torch.tensor([0.0, 2.0]).view(2, 1, 1, 1)
    return [Batch(one, one * 0.8, {"density": density}) for one in rainy]


def trainer(steps: int = QUICK.steps or 0) -> PhasedTrainer:
    torch.manual_seed(0)
    return PhasedTrainer(choose_engine("cpu", "fp32").fabric, DidMdn(classifier_side=14), QUICK, steps)


def test_each_network_has_its_phase() -> None:
    """Six steps of the residual network, two of the classifier, the rest of the main one; the rate falls in each."""
    phased = trainer()
    assert phased.ends == [6, 8, 40]
    moved = {name: set[int]() for name in PHASES}
    for step, batch in enumerate(batches(10)):
        before = {name: value.clone() for name, value in phased.derainer.named_parameters()}
        phased.step(step, batch)
        for name, value in phased.derainer.named_parameters():
            if not torch.equal(value, before[name]):
                moved[name.partition(".")[0]].add(step)
    assert moved == {"residual": {*range(6)}, "classifier": {6, 7}, "main": {8, 9}}
    assert [phased.rate(step) for step in (0, 3, 6, 7, 8, 24)] == pytest.approx([1e-3, 5e-4, 1e-3, 5e-4, 1e-3, 5e-4])


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [3, 7, 9])
def test_it_goes_on_bit_for_bit(stopped: int) -> None:
    whole, parts, resumed = trainer(), trainer(), trainer()
    given = batches(10)
    losses = [float(whole.step(step, batch)) for step, batch in enumerate(given)]
    for step in range(stopped):
        parts.step(step, given[step])
    file = io.BytesIO()
    torch.save(parts.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [float(resumed.step(step, given[step])) for step in range(stopped, 10)] == losses[stopped:]
    for name, value in whole.derainer.state_dict().items():
        assert torch.equal(value, resumed.derainer.state_dict()[name]), name


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_training_of_hardly_any_steps(steps: int) -> None:
    phased = trainer(steps)
    for step in range(steps):
        assert np.isfinite(float(phased.step(step, batches(1)[0])))
    assert phased.derainer.phase == "main"


Refused = Callable[..., AbstractContextManager[None]]


def test_what_it_cannot_train_on(refused: Refused) -> None:
    batch = Batch(torch.rand(1, 3, 50, 50), torch.rand(1, 3, 50, 50), {"density": torch.zeros(1, 1, 1, 1)})
    with refused("32, 40, 48", "50"):
        DidMdn(classifier_side=14).training_loss(batch, get_loss("l1"))


def test_the_recipe_is_the_authors() -> None:
    recipe = DIDMDN.recipe
    assert recipe is not None
    assert (recipe.lr, recipe.betas, recipe.weight_decay, recipe.batch) == (2e-4, (0.5, 0.999), 5e-5, 1)
    assert round((recipe.epochs or 0) * PHASES["main"]) == 400


def test_statistics_of_a_photograph_do_not_depend_on_how_it_lies_in_memory() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 5, 352, 512) * 0.3 + 0.4
    norm = Norm(5, running=False).eval()
    with torch.inference_mode():
        exact = F.instance_norm(image.double()).float()
        torch.testing.assert_close(norm(image), exact, rtol=0, atol=5e-6)
        torch.testing.assert_close(norm(image.contiguous(memory_format=torch.channels_last)), exact, rtol=0, atol=5e-6)
