"""BRN's family against the authors' outputs, losses and gradients, and their released weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.methods.brn import BRN, BilateralRecurrent, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch, Weights
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import from_official, load_into, to_official
from derainbench.support.atomic import file_hash
from tests.oracles import brn as oracle

TOLERANCE = 1e-5  # of outputs in [0, 1]; of gradients, relative to the largest of their parameter

#: Of eight stages whose outputs are 2 and more; float32 sums in another order.
RELEASED_TOLERANCE = 3e-5

#: What ``hears`` calls the authors' classes.
CLASSES = {"both": "BRN", "none": "CRN", "image": "BRN_RX", "rain": "BRN_XR"}

Golden = Mapping[str, Any]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    """Of the authors' classes with eight channels in place of 32."""
    return dict(np.load(shared / "golden" / "brn_reduced.npz"))


@pytest.fixture(scope="module")
def released(shared: Path) -> Golden:
    return dict(np.load(shared / "golden" / "brn_drn_released.npz"))


@pytest.fixture(scope="module")
def files(shared: Path) -> Mapping[str, Path]:
    """Files of both repositories by their hash."""
    folders = (shared / "weights" / name for name in ("brn", "recderain"))
    return {file_hash(path): path for folder in folders for path in folder.rglob("*") if path.is_file()}


def weights_of(golden: Golden, hears: str) -> dict[str, Tensor]:
    start = f"{CLASSES[hears]}/w/"
    return {name.removeprefix(start): torch.tensor(value) for name, value in golden.items() if name.startswith(start)}


def network_of(golden: Golden, hears: str, **options: Any) -> BilateralRecurrent:
    network = BRN.network(hears=hears, width=8, **options)
    assert isinstance(network, BilateralRecurrent)
    network.load_state_dict(from_official(weights_of(golden, hears), list(network.state_dict()), official_names))
    return network


def close(actual: Tensor, expected: Any, what: str, tolerance: float = TOLERANCE, of_largest: bool = False) -> None:
    theirs = torch.tensor(expected)
    atol = tolerance * (float(theirs.abs().max()) if of_largest else 1)
    torch.testing.assert_close(actual.detach(), theirs, atol=atol, rtol=0, msg=what)


@pytest.mark.parametrize(
    ("name", "parameters", "used"),
    [
        ("brn", 412_518, 375_526),
        ("brn[hears=none]", 338_790, 301_798),
        ("brn[hears=image]", 375_654, 338_662),
        ("brn[hears=rain]", 375_654, 338_662),
    ],
)
def test_parameter_counts(name: str, parameters: int, used: int) -> None:
    """Of either count the authors' files have the first."""
    variant = discover().variant(name)
    assert variant.parameters() == parameters
    assert sum(p.numel() for p in variant.build().parameters() if p.requires_grad) == used


@pytest.mark.parametrize("hears", CLASSES)
def test_every_stage_is_the_authors(golden: Golden, hears: str) -> None:
    rainy, of = torch.tensor(golden["rainy"]), CLASSES[hears]
    images, rains = network_of(golden, hears).estimates(rainy)
    for number, (image, rain) in enumerate(zip(images, rains, strict=True), 1):
        close(image, golden[f"{of}/x_{number}"], f"x_{number}")
        close(rain, golden[f"{of}/r_{number}"], f"r_{number}")
    images, rains = network_of(golden, hears, stages=8).estimates(rainy)
    close(images[-1], golden[f"{of}/iter8/x"], "x after 8")
    close(rains[-1], golden[f"{of}/iter8/r"], "r after 8")


@pytest.mark.parametrize(("supervised", "recipe"), [("image", "light"), ("both", "heavy")])
@pytest.mark.parametrize("hears", CLASSES)
def test_losses_and_gradients_are_the_authors(golden: Golden, hears: str, supervised: str, recipe: str) -> None:
    network = network_of(golden, hears, supervised=supervised)
    rainy, clean, rain = (torch.tensor(golden[name]) for name in ("rainy", "clean", "rain"))
    batch = Batch(rainy, clean, {"streak": rain})
    loss = network.training_loss(batch, get_loss("-ssim"))
    close(loss, golden[f"{CLASSES[hears]}/loss_{recipe}"], "loss", of_largest=True)
    torch.autograd.backward(loss)
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in network.named_parameters()}
    gradients = to_official(found, official_names)
    start = f"{CLASSES[hears]}/grad_{recipe}/"
    stored = {name.removeprefix(start): value for name, value in golden.items() if name.startswith(start)}
    assert len(stored) >= 9
    for name, expected in stored.items():
        close(gradients[name], expected, name, of_largest=True)


@pytest.mark.parametrize("hears", CLASSES)
def test_the_transcription_has_the_authors_features(golden: Golden, hears: str) -> None:
    network = oracle.BRN(hears, width=8)
    network.load_state_dict(weights_of(golden, hears))
    start = f"{CLASSES[hears]}/tap/"
    stored = {name.removeprefix(start): value for name, value in golden.items() if name.startswith(start)}
    features: dict[str, list[Tensor]] = {name.partition("/")[0]: [] for name in stored}
    for name, seen in features.items():
        network.get_submodule(name).register_forward_hook(lambda _, __, y, seen=seen: seen.append(y))
    network(torch.tensor(golden["rainy"]))
    for name, expected in stored.items():
        module, _, stage = name.partition("/stage")
        close(features[module][int(stage) - 1][:1], expected, name)


def place_of(weights: Weights) -> str:
    """What the stored results of a file begin with: repository and folder."""
    repository, _, inside = weights.source.removeprefix("https://github.com/").partition(" (logs/")
    return f"{repository.split('/')[1]}/{inside.removesuffix('/net_latest.pth)')}"


@pytest.mark.parametrize("weights", BRN.weights, ids=place_of)
def test_released_weights_give_the_authors_output(
    released: Golden, files: Mapping[str, Path], weights: Weights
) -> None:
    """All 13 files: recognised by hash, converted; image and rain of a crop of Rain100L."""
    variant = Variant(BRN, weights.options, weights)
    network = variant.build()
    assert isinstance(network, BilateralRecurrent)
    load_into(network, variant, files[weights.sha256])
    with torch.inference_mode():
        images, rains = network.estimates(torch.tensor(released["rainy_u8"]).permute(2, 0, 1)[None] / 255)
    close(images[-1], released[f"{place_of(weights)}/x"], "x", RELEASED_TOLERANCE)
    close(rains[-1], released[f"{place_of(weights)}/r"], "r", RELEASED_TOLERANCE)


def test_printed_scores_are_known_where_the_authors_print_them() -> None:
    """Models of Rain100L are tested on Rain12 as well; of the eight-stage one for photographs SPA-Data."""
    printed = {place_of(w): {score.dataset: (score.psnr, score.ssim) for score in w.published} for w in BRN.weights}
    assert printed["BRN/BRN/R100L"] == {"rain100l": (37.82, 0.981), "rain12": (36.70, 0.959)}
    assert printed["RecDerain/generalization_model/BRN"] == {"spa-real": (35.34, 0.945)}
    assert printed["BRN/real"] == {}
