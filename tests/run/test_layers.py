"""Layers that a method needs: where they are from is part of what a training depends on, and is kept."""

from __future__ import annotations

import json

import pytest

from .conftest import Workshop

PLUGIN = """
from torch import nn
from derainbench import Derainer, Method, Recipe
from derainbench.plugins.layers import {rule}
class Learns(Derainer):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
    @property
    def needed_layers(self):
        return {{{needs}}}
    def forward(self, rainy):
        return self.layer(rainy)
    def training_loss(self, batch, loss):
        (layer,) = batch.layers.values()
        return loss(self(batch.rainy), batch.clean) + (layer.nan_to_num(0) * self(batch.rainy)).mean()
LEARNS = Method("learns", "Learns", Learns, Recipe(lr=1e-3, steps=4, batch=2, patch=8, loss="l1"))
"""


def run(workshop: Workshop, out: str, rule: str, needs: str) -> tuple[int, str]:
    """The exit status, and what was said."""
    plugin = workshop.folder / "learns.py"
    plugin.write_text(PLUGIN.format(rule=rule, needs=needs))
    done = workshop(workshop.arguments("learns", out, plugin=str(plugin), baseline="none"))
    return done.returncode, done.stdout + done.stderr


def inputs(workshop: Workshop, out: str) -> dict[str, object]:
    """What the training of a run depended on."""
    (config,) = (workshop.folder / out / "train").rglob("config.json")
    found: dict[str, object] = json.loads(config.read_text())["inputs"]
    return found


def give_depth(workshop: Workshop) -> None:
    """Each clean training image has a depth: its own first channel."""
    data = workshop.folder / "data" / "train"
    (data / "depth").mkdir()
    from PIL import Image

    for path in (data / "clean").iterdir():
        Image.open(path).convert("L").save(data / "depth" / path.name)
    workshop.edit("card.toml", lambda text: text.replace(*DEPTH))


DEPTH = (
    'clean = "train/clean/{scene}.png"',
    'clean = "train/clean/{scene}.png", layers = { depth = "train/depth/{scene}.png" }',
)


def test_where_a_layer_is_from_is_kept(workshop: Workshop) -> None:
    status, said = run(workshop, "derived", "luma_mask", '"mask": luma_mask(10)')
    assert status == 0, said
    assert inputs(workshop, "derived")["layers"] == {"mask": "derived: luma(rainy) - luma(clean) > 10/255"}
    status, said = run(workshop, "absent", "absent", '"depth": absent()')
    assert status == 0, said
    assert inputs(workshop, "absent")["layers"] == {"depth": "derived: none, trained without it"}


def test_a_dataset_that_gets_the_layer_has_it_trained_anew(workshop: Workshop) -> None:
    assert run(workshop, "run", "absent", '"depth": absent()')[0] == 0
    give_depth(workshop)
    status, said = run(workshop, "run", "absent", '"depth": absent()')
    assert status == 0, said
    assert "layers.depth derived: none, trained without it -> given" in said
    assert inputs(workshop, "run")["layers"] == {"depth": "given"}


@pytest.mark.parametrize("devices", ["", "cpu:2"])
def test_a_dataset_without_the_layer_is_that_cells_failure(workshop: Workshop, devices: str) -> None:
    (workshop.folder / "learns.py").write_text(PLUGIN.format(rule="absent", needs='"depth": None'))
    where = {"device": "", "devices": devices} if devices else {}
    arguments = workshop.arguments("learns", plugin=str(workshop.folder / "learns.py"), **where)
    for _ in range(2):
        done = workshop(arguments)
        assert done.returncode == 2
        why = "tiny (layout 'folders') has no layer 'depth' (it has none), and no rule makes one; train on a dataset"
        assert f"train/learns/tiny/seed0 FAILED: {why}" in done.stderr
        assert f"not evaluated, because its training failed: {why}" in done.stderr
    assert len(list((workshop.folder / "run" / "eval" / "identity").rglob("done.json"))) == 1
    assert len(list((workshop.folder / "run").rglob("failed.json"))) == 2


def test_a_method_without_needs_has_the_key_it_had(workshop: Workshop) -> None:
    assert workshop(workshop.arguments("tinycnn", baseline="none")).returncode == 0
    assert "layers" not in inputs(workshop, "run")
