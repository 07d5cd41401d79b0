"""Suites as data: what their rows mean here, and the cells that follow, shared ones once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from derainbench.catalogue.locate import Dataset
from derainbench.plugins.recipe_book import PAPER_RECIPE, QUICK_RECIPE, RecipeBook
from derainbench.plugins.registry import discover
from derainbench.run.cells import EvalCell, TrainCell
from derainbench.run.suite import Adaptation, measurements, not_registered, parse_options
from derainbench.run.suite_grid import NotHere, SuiteGrid, found_datasets
from derainbench.run.wanted import Suite, Wanted

Refused = Callable[..., AbstractContextManager[None]]


class TinyDataset(Protocol):
    """The fixture of tests/conftest.py."""

    def open(self) -> Dataset: ...


def wanted(method: str, row: str = "row", table: str = "t/1", tested_on: str = "a", **more: Any) -> Wanted:
    """A cell of a table, trained where it is tested unless ``trained_on`` says otherwise."""
    fields = {"trained_on": tested_on, "recipe": {}, "column": tested_on, **more}
    return Wanted(method, tested_on=tested_on, row=row, table=table, **fields)


def suite(*rows: Wanted) -> Suite:
    """A suite of these rows."""
    return Suite("s", rows)


ABLATIONS = suite(
    wanted("nasnet[attention=se]", "SENet", "p/7", "spa"),
    wanted("nasnet", "NASNet", "p/7", "spa"),
    wanted("nasnet", "Stage=3", "p/8", "rain"),
    wanted("nasnet", "NASNet", "p/9", "spa"),
    wanted("prenet", "PReNet", "p/9", "spa", trained_on="rain"),
    wanted("absent", "DDN", "p/9", "spa"),
    wanted("absent[a=1]", "DDN", "p/9", "rain"),
)


def grid(
    tiny: TinyDataset,
    chosen: Suite,
    adaptation: Adaptation = Adaptation(),  # noqa: B008 - it is frozen
    book: RecipeBook = PAPER_RECIPE,
    seeds: Sequence[int] = (0,),
) -> SuiteGrid:
    """The suite's plan, whose datasets are all the same tiny files under several names."""
    rows = measurements(chosen, discover(), adaptation)
    here = tiny.open()
    cards = {name: here.card.model_copy(update={"name": name}) for name in ("a", "b", "spa", "rain")}
    found = found_datasets(rows, cards, lambda name: Dataset(cards[name], here.root, here.layout))
    return SuiteGrid(chosen, rows, found, book, seeds, ["y"], "fp32")


def test_shared_cells_are_planned_once(tiny_dataset: TinyDataset) -> None:
    plan = grid(tiny_dataset, ABLATIONS)
    assert [cell.name for cell in plan.cells()] == [
        "train/nasnet[attention=se]/spa/seed0",
        "eval/nasnet[attention=se]/spa/seed0/spa",
        "train/nasnet/spa/seed0",
        "eval/nasnet/spa/seed0/spa",
        "train/nasnet/rain/seed0",
        "eval/nasnet/rain/seed0/rain",
        "train/prenet/rain/seed0",
        "eval/prenet/rain/seed0/spa",
    ]
    shared = plan.cells()[2]
    assert [row.wanted.place for row in plan.rows(shared) if row.wanted] == ["p/7 NASNet", "p/9 NASNet"]
    assert not_registered(ABLATIONS, discover()) == ["DDN"]


def test_what_fills_which_place(tiny_dataset: TinyDataset) -> None:
    told = grid(tiny_dataset, ABLATIONS, Adaptation({"width": "8"}, "a"), QUICK_RECIPE, seeds=(3, 4)).description()
    assert told.name == "s"
    assert [(row.table, row.row, row.column, row.method) for row in told.rows] == [
        ("p/7", "SENet", "spa", "nasnet[width=8,attention=se]"),
        ("p/7", "NASNet", "spa", "nasnet[width=8]"),
        ("p/8", "Stage=3", "rain", "nasnet[width=8]"),
        ("p/9", "NASNet", "spa", "nasnet[width=8]"),
        ("p/9", "PReNet", "spa", "prenet"),  # it has no such option
    ]
    assert {(row.trained_on, row.dataset) for row in told.rows} == {("a", "a")}


def test_every_seed_is_a_training_and_every_evaluation_follows_its_own(tiny_dataset: TinyDataset) -> None:
    cells = grid(tiny_dataset, suite(wanted("nasnet"), wanted("identity")), seeds=(0, 7)).cells()
    assert [cell.name for cell in cells if isinstance(cell, TrainCell)] == [
        "train/nasnet/a/seed0",
        "train/nasnet/a/seed7",
    ]
    evaluations = [cell for cell in cells if isinstance(cell, EvalCell)]
    assert [cell.name for cell in evaluations][-1] == "eval/identity/untrained/seed0/a"
    for cell in evaluations[:-1]:
        assert cell.training in cells[: cells.index(cell)]


def test_a_rows_recipe_is_what_counts_as_published(tiny_dataset: TinyDataset) -> None:
    row = wanted("nasnet", recipe={"lr": 1e-4, "steps": 200_000})
    plan = grid(tiny_dataset, suite(row))
    (training, _) = plan.cells()
    assert isinstance(training, TrainCell)
    assert (training.recipe.lr, training.recipe.steps, training.recipe.patch) == (1e-4, 200_000, 240)
    assert plan.changes() == []
    assert plan.row_recipe(training) == row.recipe

    longer = grid(tiny_dataset, suite(row), book=RecipeBook("mine", quick=False, common={"steps": 9}))
    assert longer.changes() == [{"method": "nasnet", "field": "length", "paper": "200,000 steps", "here": "9 steps"}]
    (training, _) = longer.cells()
    assert isinstance(training, TrainCell)
    assert (training.recipe.lr, training.recipe.steps) == (1e-4, 9)


def test_two_rows_that_want_one_training_in_two_ways(tiny_dataset: TinyDataset, refused: Refused) -> None:
    rows = suite(wanted("nasnet", "first", "t/1", recipe={"lr": 1e-4}), wanted("nasnet", "second", "t/2"))
    with refused("t/1 first (lr 0.0001)", "t/2 second (lr 0.0002)", "two run folders", "derainbench report A B"):
        grid(tiny_dataset, rows).cells()
    same = grid(tiny_dataset, rows, book=RecipeBook("mine", quick=False, common={"lr": 0.1}))
    assert len(same.cells()) == 2, "what makes them alike again is no conflict"


def test_what_an_adapted_suite_differs_in_is_named(tiny_dataset: TinyDataset) -> None:
    rows = suite(wanted("nasnet[blocks=2]", tested_on="spa", trained_on="rain"), wanted("identity", tested_on="spa"))
    changes = grid(tiny_dataset, rows, Adaptation({"width": "8"}, "a")).changes()
    assert [(change["method"], change["field"], change["paper"], change["here"]) for change in changes] == [
        ("nasnet", "width", 64, 8),
        ("nasnet", "dataset", "rain", "a"),
        ("nasnet", "dataset", "spa", "a"),
        ("identity", "dataset", "spa", "a"),
    ]
    assert {change["suite"] for change in changes} == {"s"}
    assert grid(tiny_dataset, rows, Adaptation(stand_in="spa")).changes() == [
        {"method": "nasnet", "field": "dataset", "paper": "rain", "here": "spa", "suite": "s"}
    ]


def test_published_weights_are_never_reduced() -> None:
    rows = suite(wanted("prenet@rain100l"), wanted("nasnet"))
    published, trained = measurements(rows, discover(), Adaptation({"width": "8"}))
    assert (published.variant.name, published.trained_on) == ("prenet@rain100l", None)
    assert trained.variant.name == "nasnet[width=8]"


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([wanted("nasnet")], {"width": "wide"}, ["row 'row' of t/1", "width='wide'"]),
        ([wanted("nasnet")], {"depth": "1"}, ["--reduce depth", "(nasnet)", "derainbench methods"]),
        ([wanted("nasnet"), wanted("nasnet[stages=1]")], {"stages": "2"}, ["--reduce stages", "sets stages itself"]),
        ([wanted("prenet@rain100l")], {"width": "8"}, ["--reduce width", "none is trained"]),
        ([wanted("nasnet[fussion=none]")], {}, ["row 'row' of t/1", "'fussion'", "did you mean 'fusion'?"]),
        ([wanted("nasnet", recipe={"lr": -1})], {}, ["row 'row' of t/1", "recipe: lr", "mend the table"]),
        ([wanted("absent")], {}, ["suite 's' has no row whose method is in the registry", "--plugin"]),
    ],
)
def test_mistakes(rows: list[Wanted], options: dict[str, str], words: list[str], refused: Refused) -> None:
    with refused(*words):
        measurements(suite(*rows), discover(), Adaptation(options))


def test_options_as_they_are_typed(refused: Refused) -> None:
    assert parse_options("blocks=1, width=8") == {"blocks": "1", "width": "8"}
    for wrong in ("blocks", "blocks=1,blocks=2", "blocks=[1]"):
        with refused("--reduce", wrong, "option=value"):
            parse_options(wrong)


def test_a_plan_names_datasets_that_are_not_here(tiny_dataset: TinyDataset, refused: Refused) -> None:
    card = tiny_dataset.open().card
    rows = measurements(suite(wanted("nasnet", tested_on="tiny")), discover(), Adaptation())
    found = found_datasets(rows, {"tiny": card}, lambda name: None)
    assert isinstance(found["tiny"], NotHere)
    assert not any(found["tiny"].has(split) for split in ("train", "test"))
    plan = SuiteGrid(suite(), rows, found, PAPER_RECIPE, [0], ["y"], "fp32")
    assert [cell.name for cell in plan.cells()] == ["train/nasnet/tiny/seed0", "eval/nasnet/tiny/seed0/tiny"]
    with refused("no dataset is called 'tiny'", "--card"):
        found_datasets(rows, {}, lambda name: None)
