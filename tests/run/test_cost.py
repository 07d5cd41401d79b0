"""What a plan costs: counted, and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from derainbench.catalogue.locate import Dataset
from derainbench.engine.device import choose_engine
from derainbench.engine.patches import Patches
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover
from derainbench.run.cells import EvalCell, TrainCell
from derainbench.run.cost import costs_of, duration, macs_a_second, macs_of
from derainbench.run.suite_grid import NotHere

PLUGIN = Path(__file__).parents[1] / "plugin_method.py"

#: Multiply-accumulates a pixel of tests/plugin_method.py: 3x3 convolutions from 3 to 8, 8 to 8 and 8 to 3 maps.
A_PIXEL = 9 * (3 * 8 + 8 * 8 + 8 * 3)


class TinyDataset(Protocol):
    """The fixture of tests/conftest.py."""

    def open(self) -> Dataset: ...


def recipe(**changes: Any) -> Recipe:
    """A recipe with the fields a test needs."""
    return Recipe.model_validate({"lr": 0.1, "steps": 7, "batch": 5, "patch": 8, "loss": "l1", **changes})


@pytest.fixture
def training(tiny_dataset: TinyDataset) -> TrainCell:
    """Seven steps of five patches of 8x8 pixels."""
    return TrainCell(discover([PLUGIN]).variant("tinycnn"), recipe(), tiny_dataset.open(), 0, "fp32")


def of(training: TrainCell, dataset: Dataset) -> EvalCell:
    """An evaluation of what was trained."""
    return EvalCell(training.variant, training, dataset, 0, "fp32", ("y",))


def test_a_training_costs_three_forward_passes_a_pixel(training: TrainCell) -> None:
    assert macs_of(training) == 3 * A_PIXEL * 7 * 5 * 8 * 8


@pytest.mark.parametrize("validation", [0.0, 0.4])
def test_epochs_are_as_many_steps_as_training_makes_of_them(training: TrainCell, validation: float) -> None:
    by_epochs = recipe(steps=None, epochs=3, stride=4, validation=validation)
    cell = TrainCell(training.variant, by_epochs, training.dataset, 0, "fp32")
    pairs = training.dataset.pairs("train")
    used = [pair for pair in pairs if not validation or pair.scene != "b"]  # the middle one of three is held out
    steps = Patches(used, by_epochs, seed=0).steps
    assert macs_of(cell) == 3 * A_PIXEL * steps * 5 * 8 * 8
    assert macs_of(TrainCell(cell.variant, by_epochs, NotHere(training.dataset.card), 0, "fp32")) is None


def test_an_evaluation_costs_one_forward_pass_a_pixel(training: TrainCell) -> None:
    assert macs_of(of(training, training.dataset)) == A_PIXEL * 2 * 12 * 16
    card = training.dataset.card
    sized = card.model_copy(update={"test_sizes": {"16x12": 2, "10x4": 1}})
    assert macs_of(of(training, NotHere(sized))) == A_PIXEL * (2 * 12 * 16 + 40)
    assert macs_of(of(training, NotHere(card))) is None, "neither the files nor the card say how large its images are"


def test_costs_in_words(training: TrainCell) -> None:
    unknown = of(training, NotHere(training.dataset.card))
    costs = costs_of([training, unknown], choose_engine("cpu"))
    assert costs.words == {training.name: "under 1 s", unknown.name: "cost unknown"}
    assert costs.summary.startswith("under 1 s on this cpu, without 1 of unknown cost\n  6.77e+06 multiply-accumulates")
    assert costs_of([unknown], choose_engine("cpu")).summary.startswith("cost unknown")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_speed_is_measured(precision: str) -> None:
    """Between a microcontroller's and that of any accelerator: a unit lost would be seen."""
    assert 1e8 < macs_a_second(choose_engine("cpu", precision)) < 1e16


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (89.4 * 60, "89 min"),
        (3600 * 3.3, "3 h 20 min"),
        (3600 * 1.99, "2 h 00 min"),
        (3600 * 47.5, "47 h 30 min"),
        (86400 * 12.4, "12 days"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration(seconds) == words
