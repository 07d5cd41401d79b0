"""The plan of a run, and the keys that say what a result depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from derainbench.catalogue.locate import Dataset
from derainbench.plugins.method import Method, Weights
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe_book import PAPER_RECIPE, QUICK_RECIPE
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant, resolve
from derainbench.results.results import HARNESS_REVISION
from derainbench.run import cells
from derainbench.run.cells import EvalCell, TrainCell, key_of
from derainbench.run.grid import Grid
from tests.helpers.small_method import NET, RECIPE, Net, TinyDataset

SaveImage = Callable[[Path, np.ndarray], Path]

BASELINE = Method(name="baseline", title="Baseline", network=Net)


def variant(name: str, method: Method = NET) -> Variant:
    """A variant by name."""
    return resolve(method, parse_name(name))


@pytest.fixture
def training(tiny_dataset: TinyDataset) -> TrainCell:
    """A training of the default network."""
    return TrainCell(variant("net"), RECIPE, tiny_dataset.open(), 0, "fp32")


@pytest.fixture
def evaluation(training: TrainCell) -> EvalCell:
    """Its evaluation."""
    return EvalCell(training.variant, training, training.dataset, 0, "fp32", ("y", "rgb"))


def test_names_are_places_in_the_run_folder(training: TrainCell, evaluation: EvalCell) -> None:
    wide = dataclasses.replace(training, variant=variant("net[kernel=5]"), seed=3)
    assert wide.name == "train/net[kernel=5]/tiny/seed3"
    assert evaluation.name == "eval/net/tiny/seed0/tiny"
    assert (
        dataclasses.replace(evaluation, variant=variant("net@t"), training=None).name
        == "eval/net@t/rain100l/seed0/tiny"
    )
    untrained = dataclasses.replace(evaluation, variant=variant("baseline", BASELINE), training=None)
    assert untrained.name == "eval/baseline/untrained/seed0/tiny"


def test_a_key_is_the_same_for_the_same_inputs(tiny_dataset: TinyDataset, training: TrainCell) -> None:
    again = TrainCell(variant("net[kernel=3]"), RECIPE.model_copy(), tiny_dataset.open(), 0, "fp32")
    assert key_of(again) == key_of(training)


@pytest.mark.parametrize(
    "change",
    [
        {"variant": variant("net[kernel=5]")},
        {"variant": variant("net", dataclasses.replace(NET, network=discover().get("prenet").network))},
        {"recipe": RECIPE.changed({"lr": 2e-3})},
        {"recipe": RECIPE.changed({"steps": 6})},
        {"recipe": RECIPE.changed({"validation": 0.5})},
        {"seed": 1},
        {"precision": "bf16"},
    ],
)
def test_a_training_depends_on(training: TrainCell, evaluation: EvalCell, change: dict[str, Any]) -> None:
    changed = dataclasses.replace(training, **change)
    assert key_of(changed) != key_of(training)
    assert key_of(dataclasses.replace(evaluation, training=changed)) != key_of(evaluation), "and so do its scores"


@pytest.mark.parametrize("field", ["validate_every", "checkpoint_every"])
def test_a_training_does_not_depend_on_how_often_it_is_looked_at(training: TrainCell, field: str) -> None:
    assert key_of(dataclasses.replace(training, recipe=RECIPE.changed({field: 7}))) == key_of(training)


@pytest.mark.parametrize("change", [{"protocols": ("y",)}, {"precision": "bf16"}, {"variant": variant("net@t")}])
def test_an_evaluation_depends_on(evaluation: EvalCell, change: dict[str, Any]) -> None:
    assert key_of(dataclasses.replace(evaluation, **change)) != key_of(evaluation)


def test_an_evaluation_depends_on_the_published_file(evaluation: EvalCell) -> None:
    keys = set()
    for sha256 in ("ab" * 32, "cd" * 32):
        method = dataclasses.replace(NET, weights=(dataclasses.replace(NET.weights[0], sha256=sha256),))
        keys.add(key_of(dataclasses.replace(evaluation, variant=variant("net@t", method), training=None)))
    assert len(keys) == 2


def test_protocols_count_whatever_their_order(evaluation: EvalCell) -> None:
    assert key_of(dataclasses.replace(evaluation, protocols=("rgb", "y"))) == key_of(evaluation)


@pytest.mark.parametrize(("split", "trains"), [("train", True), ("test", False)])
def test_a_split_is_an_input_of_what_uses_it(
    tiny_dataset: TinyDataset,
    save_image: SaveImage,
    training: TrainCell,
    evaluation: EvalCell,
    split: str,
    trains: bool,
) -> None:
    before = key_of(training), key_of(evaluation)
    scene = "a" if split == "train" else "x"
    save_image(tiny_dataset.root / split / "clean" / f"{scene}.png", np.zeros((12, 16, 3), np.uint8))
    fresh = dataclasses.replace(training, dataset=tiny_dataset.open())
    assert (key_of(fresh) != before[0]) == trains
    assert key_of(dataclasses.replace(evaluation, training=fresh, dataset=fresh.dataset)) != before[1]


def test_everything_depends_on_the_harness(
    training: TrainCell, evaluation: EvalCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of(training), key_of(evaluation)
    monkeypatch.setattr(cells, "HARNESS_REVISION", HARNESS_REVISION + 1)
    fresh = dataclasses.replace(training)
    assert key_of(fresh) != before[0]
    assert key_of(dataclasses.replace(evaluation, training=None)) != before[1]


PLUGIN = '''
from torch import nn
from derainbench.plugins.method import Derainer, Method

class Net(Derainer):
    """A net."""
    def forward(self, rainy):
        return rainy + 1  # brighter

NET = Method(name="net", title="Net", network=Net)
'''


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("  # brighter", "", True),
        ("A net.", "The net.", True),
        ('title="Net"', 'title="N"', True),
        ("+ 1", "+ 2", False),
    ],
)
def test_keys_follow_the_methods_code_not_its_comments(
    tiny_dataset: TinyDataset, tmp_path: Path, before: str, after: str, same: bool
) -> None:
    keys, path = [], tmp_path / "plugin.py"
    for source in (PLUGIN, PLUGIN.replace(before, after)):
        path.write_text(source)
        plugin = discover([path]).variant("net")
        keys.append(key_of(EvalCell(plugin, None, tiny_dataset.open(), 0, "fp32", ("y",))))
    assert (keys[0] == keys[1]) == same


class NearSighted(Net):
    """The same, and it says how far it sees."""

    reach = 1


def test_tiles_and_truncation_are_inputs_only_where_they_change_scores(evaluation: EvalCell) -> None:
    """Otherwise the key stays what it was, and nothing is done again."""
    plain = key_of(evaluation)
    whole, tiled = (dataclasses.replace(evaluation, tile=tile) for tile in (0, 64))
    assert key_of(whole) == plain != key_of(tiled)
    assert tiled.inputs == {**evaluation.inputs, "tile": 64}
    sees_near = Variant(dataclasses.replace(NET, network=NearSighted))
    near = dataclasses.replace(evaluation, variant=sees_near)
    assert key_of(dataclasses.replace(near, tile=64)) == key_of(near)

    rounded = Weights("t", "rain100l", "nowhere", "ab" * 32, "none")
    published = dataclasses.replace(evaluation, variant=Variant(NET, {}, rounded), training=None)
    assert "quantisation" not in published.inputs
    truncated = Variant(NET, {}, dataclasses.replace(rounded, quantisation="truncate"))
    cut = dataclasses.replace(published, variant=truncated)
    assert cut.inputs == {**published.inputs, "quantisation": "truncate"}


def test_a_recipe_may_differ_on_a_training_set(tiny_dataset: TinyDataset) -> None:
    """PReNet's grid of patches is wider on Rain1400; that is as published, and nothing to warn of."""
    here = tiny_dataset.open()
    datasets = [Dataset(here.card.model_copy(update={"name": n}), here.root, here.layout) for n in ("tiny", "rain1400")]
    prenet = discover().variant("prenet")
    grid = Grid([prenet], datasets, PAPER_RECIPE, [0], ["y"], "fp32")
    trainings = {cell.dataset.name: cell.recipe for cell in grid.cells() if isinstance(cell, TrainCell)}
    assert {name: recipe.stride for name, recipe in trainings.items()} == {"tiny": 80, "rain1400": 100}
    assert trainings["rain1400"].changed({"stride": 80}) == trainings["tiny"] == prenet.method.recipe
    assert grid.changes() == []
    quick = dataclasses.replace(grid, book=QUICK_RECIPE)
    strides = [change["paper"] for change in quick.changes() if change["field"] == "stride"]
    assert strides == [80, 100]


def plan(tiny_dataset: TinyDataset, *names: str, seeds: tuple[int, ...] = (0,), cross: bool = False) -> list[str]:
    """The names of a plan over two datasets."""
    here = tiny_dataset.open()
    other = Dataset(here.card.model_copy(update={"name": "other"}), here.root, here.layout)
    chosen = [variant(name, BASELINE if name == "baseline" else NET) for name in names]
    return [cell.name for cell in Grid(chosen, [here, other], PAPER_RECIPE, seeds, ["y"], "fp32", cross).cells()]


def test_a_training_comes_before_its_evaluation(tiny_dataset: TinyDataset) -> None:
    assert plan(tiny_dataset, "net", seeds=(0, 1)) == [
        "train/net/tiny/seed0",
        "eval/net/tiny/seed0/tiny",
        "train/net/tiny/seed1",
        "eval/net/tiny/seed1/tiny",
        "train/net/other/seed0",
        "eval/net/other/seed0/other",
        "train/net/other/seed1",
        "eval/net/other/seed1/other",
    ]


def test_crossing_tests_every_training_on_every_dataset(tiny_dataset: TinyDataset) -> None:
    assert [name for name in plan(tiny_dataset, "net", cross=True) if name.startswith("eval")] == [
        "eval/net/tiny/seed0/tiny",
        "eval/net/tiny/seed0/other",
        "eval/net/other/seed0/tiny",
        "eval/net/other/seed0/other",
    ]


@pytest.mark.parametrize("seeds", [(0,), (3, 4)])
def test_what_does_not_train_is_evaluated_once_whatever_the_seeds(
    tiny_dataset: TinyDataset, seeds: tuple[int, ...]
) -> None:
    assert plan(tiny_dataset, "baseline", "net@t", seeds=seeds) == [
        "eval/baseline/untrained/seed0/tiny",
        "eval/baseline/untrained/seed0/other",
        "eval/net@t/rain100l/seed0/tiny",
        "eval/net@t/rain100l/seed0/other",
    ]
