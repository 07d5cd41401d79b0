"""Recipes with a perceptual loss: what they need is asked for before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from derainbench.methods.deraindrop import DERAINDROP
from derainbench.plugins.perceptual import features_hash
from derainbench.plugins.recipe_book import PAPER_RECIPE, QUICK_RECIPE
from derainbench.plugins.variant import Variant
from derainbench.run.cells import TrainCell, in_result
from tests.helpers.pseudo_vgg import torchvisions_layout
from tests.helpers.small_method import NET, RECIPE, TinyDataset

from .conftest import Workshop

VGG_RECIPE = """
base = "quick"
[methods.deraindrop]
perceptual = "vgg16"
steps = 2
batch = 1
patch = 16
"""


def test_quick_says_that_it_leaves_it_out() -> None:
    changes = {change["field"]: (change["paper"], change["here"]) for change in QUICK_RECIPE.changes(DERAINDROP)}
    assert changes["perceptual"] == ("vgg16", "none")
    assert changes["adversarial"] == (True, False)
    assert PAPER_RECIPE.changes(DERAINDROP) == []


def test_recipes_without_it_are_what_they_were(tiny_dataset: TinyDataset) -> None:
    """A field that came later is no part of them, nor of a training's key."""
    assert in_result(RECIPE).keys().isdisjoint({"perceptual", "adversarial"})
    assert in_result(RECIPE.changed({"adversarial": True}))["adversarial"] is True
    assert in_result(RECIPE.changed({"perceptual": "vgg16"}))["perceptual"] == "vgg16"
    inputs = TrainCell(Variant(NET), RECIPE, tiny_dataset.open(), 0, "fp32").inputs
    assert "features" not in inputs
    assert "perceptual" not in inputs["recipe"]


@pytest.mark.slow
def test_the_file_is_asked_for_before_anything_begins(workshop: Workshop) -> None:
    (workshop.folder / "vgg.toml").write_text(VGG_RECIPE)
    order = workshop.arguments("deraindrop", recipe="vgg.toml")
    refusal = workshop(order)
    assert refusal.returncode == 2
    assert len(refusal.stderr.splitlines()) == 1
    assert "derainbench weights add vgg16 FILE" in refusal.stderr
    assert 'perceptual = "none"' in refusal.stderr
    assert not (workshop.folder / "run").exists()
    planned = workshop([*order, "--dry-run"])
    assert planned.returncode == 0
    assert "weights add vgg16" in planned.stdout
    add_pseudo_vgg(workshop)
    done = workshop(order)
    assert done.returncode == 0, done.stderr
    (cell,) = (workshop.folder / "run" / "train").rglob("done.json")
    inputs = json.loads(cell.read_text())["inputs"]
    assert inputs["recipe"]["perceptual"] == "vgg16"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DERAINBENCH_CACHE", workshop.environment["DERAINBENCH_CACHE"])
        assert inputs["features"] == features_hash()


def add_pseudo_vgg(workshop: Workshop) -> None:
    torch.save(torchvisions_layout(), workshop.folder / "vgg.pth")
    refusal = workshop(["weights", "add", "vgg16", "vgg.pth"])
    assert refusal.returncode == 2
    assert "--trust-unknown" in refusal.stderr
    added = workshop(["weights", "add", "vgg16", "vgg.pth", "--trust-unknown"])
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("vgg16: added (unverified), ")
    known = json.loads(workshop(["weights", "list", "--json"]).stdout)["features"]["vgg16"]
    assert (known["here"]["source"], known["here"]["verified"]) == ("vgg.pth", False)
    listed = workshop(["weights", "list"]).stdout
    assert "vgg16, for recipes with a perceptual loss or that begin with it, " in listed
    assert "lpips-vgg and dists: here, unverified" in listed


def test_methods_without_such_a_loss_refuse_it(workshop: Workshop) -> None:
    (workshop.folder / "vgg.toml").write_text('base = "quick"\nperceptual = "vgg16"\n')
    refusal = workshop(workshop.arguments("tinycnn", recipe="vgg.toml"))
    assert refusal.returncode == 2
    assert "perceptual: the method has none" in refusal.stderr


def test_methods_without_a_discriminator_refuse_one(workshop: Workshop) -> None:
    (workshop.folder / "gan.toml").write_text('base = "quick"\nadversarial = true\n')
    refusal = workshop(workshop.arguments("tinycnn", recipe="gan.toml"))
    assert refusal.returncode == 2
    assert "adversarial: the method has none" in refusal.stderr


def test_it_restores_no_images(workshop: Workshop) -> None:
    Path(workshop.folder / "vgg.pth").write_bytes(b"")
    refusal = workshop(["weights", "add", "vgg16", "vgg.pth", "--quantisation", "truncate"])
    assert refusal.returncode == 2
    assert "leave --trained-on and --quantisation out" in refusal.stderr
