"""Training recipes: what is valid, the learning rate they prescribe, and which one a run uses."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from derainbench.engine.trainer import learning_rate
from derainbench.plugins.method import Derainer, Method
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.recipe_book import PAPER_RECIPE, QUICK, QUICK_RECIPE, RecipeBook, recipe_book

Refused = Callable[..., AbstractContextManager[None]]

PUBLISHED = Recipe(lr=1e-3, epochs=100, stride=80, batch=18, patch=100, loss="-ssim")
NET = Method(name="net", title="Net", network=Derainer, recipe=PUBLISHED, quick={"batch": 2})
OTHER = Method(name="other", title="Other", network=Derainer, recipe=Recipe(lr=1, steps=9, batch=1, patch=8, loss="l1"))
FIXED = Method(name="fixed", title="Fixed", network=Derainer)


def recipe(**changes: Any) -> Recipe:
    """A recipe with the fields a test needs."""
    return Recipe.model_validate({"lr": 0.1, "steps": 100, "batch": 1, "patch": 8, "loss": "l1", **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"steps": None}, "either steps or epochs"),
        ({"epochs": 3}, "either steps or epochs"),
        ({"steps": None, "epochs": 3}, "epochs need a stride"),
        ({"lr": 0}, "greater than 0"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"validation": 1.0}, "less than 1"),
        ({"milestones": (0.5, 1.5)}, "less than 1"),
        ({"augment": ("zoom",)}, "'rot90'"),
        ({"optimiser": "lion"}, "'radam'"),
        ({"learning_rate": 0.1}, "Extra inputs"),
        ({"lr": math.nan}, "lr"),
        ({"lr": math.inf}, "lr"),
        ({"betas": (1.0, 0.9)}, "betas.0\n.*less than 1"),
        ({"betas": (0.9, -0.1)}, "betas.1\n.*greater than or equal to 0"),
        ({"betas": (math.nan, 0.9)}, "betas.0"),
        ({"eps": 0}, "eps\n.*greater than 0"),
        ({"eps": math.inf}, "eps"),
        ({"weight_decay": math.nan}, "weight_decay"),
        ({"weight_decay": math.inf}, "weight_decay"),
        ({"gamma": math.inf}, "gamma"),
        ({"clip": math.nan}, "clip"),
        ({"batch": 10**9}, "batch"),
        ({"patch": 10**6}, "patch"),
        ({"stride": 10**6}, "stride"),
        ({"steps": 10**15}, "steps"),
        ({"batch": 4096, "patch": 4096}, "68,719,476,736 pixels a step"),
    ],
)
def test_what_is_no_recipe(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        recipe(**changes)


def test_a_length_replaces_the_other() -> None:
    assert PUBLISHED.changed({"steps": 7}).model_dump() == {**PUBLISHED.model_dump(), "steps": 7, "epochs": None}
    by_epochs = recipe(stride=8).changed({"epochs": 2})
    assert (by_epochs.steps, by_epochs.epochs) == (None, 2)
    assert PUBLISHED.changed({"lr": 0.5}).epochs == 100
    with pytest.raises(ValidationError, match="either steps or epochs"):
        PUBLISHED.changed({"steps": 7, "epochs": 2})


def test_cosine_schedule() -> None:
    cosine = recipe(schedule="cosine", lr=2e-4)
    rates = [learning_rate(cosine, step, 300_000) for step in (0, 100_000, 150_000, 200_000, 300_000)]
    assert rates == pytest.approx([2e-4, 1.5e-4, 1e-4, 0.5e-4, 0], abs=1e-19)


@pytest.mark.parametrize("steps", [100, 250, 1000, 58_300])
def test_multistep_schedule(steps: int) -> None:
    """PReNet's: a fifth after 30, 50 and 80 of 100 epochs."""
    multistep = recipe(schedule="multistep", lr=1e-3, milestones=(0.3, 0.5, 0.8), gamma=0.2)
    for share, before, after in ((0.3, 1e-3, 2e-4), (0.5, 2e-4, 4e-5), (0.8, 4e-5, 8e-6)):
        step = round(share * steps)
        assert learning_rate(multistep, step - 1, steps) == pytest.approx(before)
        assert learning_rate(multistep, step, steps) == pytest.approx(after)


def test_constant_schedule() -> None:
    assert {learning_rate(recipe(milestones=(0.5,)), step, 10) for step in range(10)} == {0.1}


def test_linear_schedule() -> None:
    """DID-MDN's: nothing is left at the end."""
    rates = [learning_rate(recipe(schedule="linear", lr=2e-4), step, 400) for step in (0, 100, 399)]
    assert rates == pytest.approx([2e-4, 1.5e-4, 5e-7])


@given(st.sampled_from(["cosine", "multistep", "linear", "poly", "constant"]), st.integers(1, 500))
def test_schedules_never_rise_nor_leave_their_range(schedule: str, steps: int) -> None:
    chosen = recipe(schedule=schedule, milestones=(0.2, 0.7))
    rates = [learning_rate(chosen, step, steps) for step in range(steps)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == chosen.lr
    assert 0 < rates[-1] <= chosen.lr
    assert all(math.isfinite(rate) for rate in rates)


def test_the_paper_recipe_is_the_published_one() -> None:
    assert recipe_book("paper") is PAPER_RECIPE
    assert PAPER_RECIPE.recipe(NET) == PUBLISHED
    assert PAPER_RECIPE.changes(NET) == []


def test_the_quick_recipe_says_what_it_changes() -> None:
    quick = recipe_book("quick").recipe(NET)
    assert (quick.steps, quick.epochs, quick.stride) == (QUICK["steps"], None, None)
    assert quick.batch == 2, "the method knows better than the default"
    assert quick.loss == "-ssim"
    length = {"method": "net", "field": "length", "paper": "100 epochs", "here": f"{QUICK['steps']} steps"}
    assert length in QUICK_RECIPE.changes(NET)
    named = {change["field"] for change in QUICK_RECIPE.changes(NET)}
    assert named == {"length", "stride", "batch", "patch"}


def test_a_method_without_a_recipe(refused: Refused) -> None:
    assert QUICK_RECIPE.changes(FIXED) == []
    with refused("'fixed' has no recipe", "nothing to train"):
        QUICK_RECIPE.recipe(FIXED)


def write(folder: Path, text: str) -> str:
    """A recipe's file, as it is given on the command line."""
    (folder / "mine.toml").write_text(text)
    return str(folder / "mine.toml")


def test_a_file_changes_all_methods_and_single_ones(tmp_path: Path) -> None:
    book = recipe_book(write(tmp_path, 'base = "quick"\nlr = 0.5\naugment = ["hflip"]\n[methods.net]\nlr = 0.25\n'))
    assert (book.name, book.quick) == ("mine", True)
    assert (book.recipe(NET).lr, book.recipe(OTHER).lr) == (0.25, 0.5)
    assert book.recipe(OTHER).augment == ("hflip",)
    assert book.recipe(NET).steps == QUICK["steps"]


def test_a_file_builds_on_the_paper(tmp_path: Path) -> None:
    book = recipe_book(write(tmp_path, "batch = 4\nvalidate_every = 10\n"))
    assert not book.quick
    assert book.recipe(NET) == PUBLISHED.model_copy(update={"batch": 4, "validate_every": 10})
    assert book.changes(NET) == [{"method": "net", "field": "batch", "paper": 18, "here": 4}]


def test_the_closest_rule_sets_the_length(tmp_path: Path) -> None:
    quick = recipe_book(write(tmp_path, 'base = "quick"\nepochs = 2\nstride = 8\n'))
    assert (quick.recipe(NET).steps, quick.recipe(NET).epochs) == (None, 2)
    mixed = recipe_book(write(tmp_path, "epochs = 2\nstride = 8\n[methods.net]\nsteps = 5\n"))
    assert (mixed.recipe(NET).steps, mixed.recipe(NET).epochs) == (5, None)
    assert (mixed.recipe(OTHER).steps, mixed.recipe(OTHER).epochs) == (None, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr = ", ["not TOML", "mend it"]),
        ('base = "fast"', ["base is 'fast'", "'paper' or 'quick'"]),
        ('base = ["paper"]', ["base is ['paper']", "'paper' or 'quick'"]),
        ("batchsize = 2", ["'batchsize'", "did you mean 'batch'?"]),
        ("[methods.net]\nlearning = 2", ["'learning'"]),
        ("methods = 3", ["methods must be tables", "[methods.NAME]"]),
        ("[methods]\nnet = 3", ["methods must be tables"]),
    ],
)
def test_a_mistake_in_a_file(tmp_path: Path, text: str, words: list[str], refused: Refused) -> None:
    name = write(tmp_path, text)
    with refused(f"recipe {name}", *words):
        recipe_book(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr = -1", ["lr", "greater than 0"]),
        ('augment = ["zoom"]', ["augment.0", "'rot90'"]),
        ("steps = 3\nepochs = 4", ["either steps or epochs"]),
        ("[methods.net]\nbatch = 0", ["batch", "greater than or equal to 1"]),
    ],
)
def test_a_value_that_does_not_fit(tmp_path: Path, text: str, words: list[str], refused: Refused) -> None:
    book = recipe_book(write(tmp_path, text))
    with refused("recipe 'mine' for 'net'", *words):
        book.recipe(NET)


def test_a_field_that_no_recipe_has(refused: Refused) -> None:
    with refused("'odd' for 'net'", "steeps", "did you mean 'steps'?"):
        RecipeBook("odd", quick=False, common={"steeps": 3}).recipe(NET)


def test_what_is_no_recipe_book(tmp_path: Path, refused: Refused) -> None:
    with refused("'fast'", "paper, quick or the path of a TOML file"):
        recipe_book("fast")
    with refused(str(tmp_path / "no.toml"), "No such file", "check the path"):
        recipe_book(str(tmp_path / "no.toml"))


def test_a_paper_may_train_a_method_in_another_way(tmp_path: Path) -> None:
    """What it did is what counts as published, and what a book changes is changed on top of it."""
    row = PUBLISHED.changed({"lr": 0.5, "steps": 9})
    assert PAPER_RECIPE.recipe(NET, row) == row
    assert PAPER_RECIPE.changes(NET, row) == []
    book = recipe_book(write(tmp_path, "batch = 4\n"))
    assert book.recipe(NET, row) == row.model_copy(update={"batch": 4})
    assert book.changes(NET, row) == [{"method": "net", "field": "batch", "paper": 18, "here": 4}]
    assert QUICK_RECIPE.recipe(NET, row).lr == 0.5
