"""Training recipes: what is valid, the learning rate they prescribe, and which one a run uses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from derainbench.engine.learning_rate import learning_rate
from derainbench.plugins.method import Derainer, Method
from derainbench.plugins.recipe import LATER, OF_SOME_METHODS, Recipe
from derainbench.plugins.recipe_book import PAPER_RECIPE, QUICK, QUICK_RECIPE, RecipeBook, recipe_book
from derainbench.run.cells import in_result

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


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lr_min": 0.2}, "must not be above lr, 0.1"),
        ({"period_minima": (0.2,), "periods": (1,), "schedule": "cosine"}, "must not be above lr"),
        ({"periods": (1, 2)}, "only a cosine schedule.*this one is constant"),
        ({"periods": (1, 2), "schedule": "cosine", "period_weights": (1,)}, "1 numbers for 2 periods"),
        ({"period_minima": (0,)}, "1 numbers for 0 periods"),
        ({"warmup": 1.0}, "less than 1"),
        ({"warmup_within": True}, "give warmup"),
        ({"rate_lag": 100}, "leaves nothing of a length of 100"),
        ({"progressive": [(1, 8, 2), (1, 16, 1)]}, "must be those of the first progressive stage, 8 and 2"),
        ({"progressive": [(1, 8, 1), (0, 16, 1)]}, "greater than 0"),
        ({"progressive": [(1, 8, 1), (1, 2**14, 2**10)]}, "pixels a step"),
        ({"progressive": [(1, 8, 1)], "steps": None, "epochs": 3}, "need a length in steps"),
        ({"mixup_identity": True}, "give mixup"),
        ({"mixup": 0}, "greater than 0"),
        ({"augment": ("mprnet", "hflip")}, "give it alone"),
        ({"ema": 1}, "less than 1"),
        ({"loss": "charbonnier + "}, "no sum of losses"),
    ],
)
def test_what_does_not_fit_together(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        recipe(**changes)


def test_fields_that_came_later_are_not_told_of_unless_they_are_said() -> None:
    assert in_result(recipe()).keys() == {
        *("optimiser", "lr", "betas", "eps", "weight_decay", "schedule", "milestones", "gamma", "steps", "epochs"),
        *("batch", "patch", "stride", "augment", "loss", "clip", "validation"),
    }
    assert recipe().unsaid == {*OF_SOME_METHODS, *LATER}
    assert in_result(recipe(ema=0.5, warmup=0.1)).items() >= {"ema": 0.5, "warmup": 0.1}.items()


def test_a_loss_has_one_spelling() -> None:
    assert recipe(loss="charbonnier+.05 * edge").loss == "charbonnier + 0.05*edge"
    for name in ("l1", "mse", "l1+ssim", "-ssim"):
        assert recipe(loss=name).loss == name


def test_progressive_stages_bring_the_first_ones_patch_and_batch() -> None:
    stages = [(92, 128, 64), (208, 256, 16)]
    fields = {"lr": 0.1, "steps": 300, "loss": "l1", "progressive": stages}
    chosen = Recipe.model_validate(fields)
    assert (chosen.patch, chosen.batch) == (128, 64)
    assert Recipe.model_validate(chosen.model_dump(mode="json")) == chosen, "as a plan for other machines tells it"
    assert recipe().changed({"progressive": stages}).progressive == chosen.progressive
    assert chosen.changed({"batch": 4}).progressive == ()
    assert chosen.changed({"steps": 9}).progressive == chosen.progressive
    assert chosen.changed({"epochs": 9}).progressive == ()


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


def by_epoch(chosen: Recipe, each: int = 7) -> list[float]:
    """The rates of all epochs, each looked at in its first and last step."""
    assert chosen.epochs is not None
    ends = [(epoch * each, (epoch + 1) * each - 1) for epoch in range(chosen.epochs)]
    rates = [[learning_rate(chosen, step, each * chosen.epochs) for step in steps] for steps in ends]
    assert all(first == last for first, last in rates)
    return [first for first, _ in rates]


DOCS = Path(__file__).parents[2] / "docs/recipes.md"

#: The recipes of papers that the documentation shows, by the names of their files.
PAPERS = dict(re.findall(r"```toml\n# (\w+)\.toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
PAPERS.pop("my")


def of_paper(name: str, folder: Path) -> Recipe:
    """What such a file makes of a method's recipe."""
    (folder / f"{name}.toml").write_text(PAPERS[name])
    plain = Method(name="plain", title="Plain", network=Derainer, recipe=recipe())
    return recipe_book(str(folder / f"{name}.toml")).recipe(plain)


def test_papers_whose_recipes_the_documentation_shows() -> None:
    assert PAPERS.keys() == {"mprnet", "hinet", "restormer", "nafnet", "nerdrain", "sfnet"}


@pytest.mark.parametrize(
    ("name", "golden", "summary"),
    [
        ("mprnet", "mprnet_250", (250, 16, 256, None, "charbonnier + 0.05*edge")),
        ("sfnet", "sfnet_300", (300, 4, 256, 0.01, "l1 + 0.1*fft-l1")),
        ("nerdrain", "nerdrain_3000", (3000, 1, 256, None, "charbonnier + 0.01*fft + 0.05*edge")),
    ],
)
def test_golden_rates_by_epoch(
    shared: Path, tmp_path: Path, name: str, golden: str, summary: tuple[int | str | None, ...]
) -> None:
    """Warm-up in equal parts, then a cosine over the rest, as GradualWarmupScheduler in torch 1 gave them."""
    chosen = of_paper(name, tmp_path)
    assert (chosen.epochs, chosen.batch, chosen.patch, chosen.clip, chosen.loss) == summary
    np.testing.assert_allclose(by_epoch(chosen), np.load(shared / "golden/schedules.npz")[golden], rtol=1e-12, atol=0)


@pytest.mark.parametrize(("name", "gamma"), [("brn_100", 0.2), ("drn_100", 0.5)])
def test_golden_rates_in_steps_down(shared: Path, name: str, gamma: float) -> None:
    golden = np.load(shared / "golden/schedules.npz")[name]
    chosen = recipe(lr=1e-3, schedule="multistep", milestones=(0.3, 0.5, 0.8), gamma=gamma, steps=None, epochs=100)
    np.testing.assert_allclose(by_epoch(chosen), golden, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("restormer", (300_000, 64, 128, 0.01, "l1")),
        ("hinet", (400_000, 64, 256, 0.01, "0.5*psnr")),
        ("nafnet", (200_000, 32, 256, 0.01, "psnr")),
    ],
)
def test_golden_rates_by_step(shared: Path, tmp_path: Path, name: str, summary: tuple[int | str | None, ...]) -> None:
    """As BasicSR's loop gave them, which counts from 1. HINet's cosine is torch's recursion from its warm-up on."""
    golden, chosen = np.load(shared / "golden/schedules.npz"), of_paper(name, tmp_path)
    assert (chosen.steps, chosen.batch, chosen.patch, chosen.clip, chosen.loss) == summary
    assert chosen.steps is not None
    rates = [learning_rate(chosen, int(step) - 1, chosen.steps) for step in golden[f"{name}/iter"]]
    np.testing.assert_allclose(rates, golden[f"{name}/lr"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", PAPERS)
def test_recipes_of_papers_are_shortened_by_quick(name: str, tmp_path: Path) -> None:
    """And stay what they are otherwise: the same shares of the length."""
    published = of_paper(name, tmp_path)
    quick = QUICK_RECIPE.recipe(Method(name="plain", title="Plain", network=Derainer, recipe=published))
    assert (quick.steps, quick.epochs, quick.progressive) == (QUICK["steps"], None, ())
    assert (quick.warmup, quick.periods, quick.loss) == (published.warmup, published.periods, published.loss)
    assert all(0 <= learning_rate(quick, step, 200) <= quick.lr for step in range(200))


def test_a_file_may_take_away_what_a_published_recipe_has(tmp_path: Path) -> None:
    published = PUBLISHED.changed({"clip": 1.0, "ema": 0.9, "mixup": 1.2, "initial": "net@tag"})
    fields = ("stride", "clip", "ema", "mixup", "initial")
    path = write(tmp_path, "".join(f'{name} = "none"\n' for name in fields))
    chosen = recipe_book(path).recipe(NET, published)
    assert all(getattr(chosen, name) is None for name in fields)
    assert chosen.epochs == 100, "over images, now"


def test_a_warm_up_within_stands_in_the_place_of_the_beginning() -> None:
    """BasicSR's: the schedule has gone on under it, and where it is no cosine it is met where it is then."""
    linear = recipe(schedule="linear", warmup=0.1, warmup_within=True)
    rates = [learning_rate(linear, step, 100) for step in range(100)]
    assert rates[:9] == pytest.approx([0.01 * n for n in range(1, 10)])
    assert rates[9:] == pytest.approx([0.1 * (1 - n / 100) for n in range(9, 100)])


def test_restarts_with_weights() -> None:
    chosen = recipe(schedule="cosine", periods=(50, 50), period_weights=(1, 0.5), lr_min=0.02)
    rates = [learning_rate(chosen, step, 100) for step in (0, 25, 50, 51, 75)]
    assert rates[:3] == pytest.approx([0.1, 0.06, 0.02])
    assert 0.0599 < rates[3] < 0.06
    assert rates[4] == pytest.approx(0.04)


def test_a_warm_up_by_epochs_is_one_by_steps_where_the_length_is_in_steps() -> None:
    published = recipe(schedule="cosine", warmup=0.1, rate_by="epoch", rate_lag=1, steps=None, epochs=10)
    shorter = published.changed({"steps": 20})
    rates = [learning_rate(shorter, step, 20) for step in range(20)]
    assert rates[:5] == pytest.approx([0, 0.05, 0.1, 0.1, 0.1 * (1 + math.cos(math.pi / 18)) / 2])


def test_constant_schedule() -> None:
    assert {learning_rate(recipe(milestones=(0.5,)), step, 10) for step in range(10)} == {0.1}


def test_linear_schedule() -> None:
    """DID-MDN's: nothing is left at the end."""
    rates = [learning_rate(recipe(schedule="linear", lr=2e-4), step, 400) for step in (0, 100, 399)]
    assert rates == pytest.approx([2e-4, 1.5e-4, 5e-7])


SCHEDULES = st.sampled_from(["cosine", "multistep", "linear", "poly", "constant"])


@given(SCHEDULES, st.integers(1, 500), st.floats(0, 0.99), st.booleans(), st.floats(0, 0.05))
def test_after_a_warm_up_no_rate_leaves_its_range(
    schedule: str, steps: int, warmup: float, within: bool, low: float
) -> None:
    chosen = recipe(schedule=schedule, warmup=warmup, warmup_within=within and warmup > 0, lr_min=low, steps=steps)
    warm = round(warmup * steps)
    rates = [learning_rate(chosen, step, steps) for step in range(steps)]
    assert all(0 < rate <= chosen.lr * 1.01 for rate in rates[: warm + 1])
    assert all(low * (1 - 1e-12) <= rate for rate in rates[warm:])
    assert rates[warm:] == sorted(rates[warm:], reverse=True)


@given(SCHEDULES, st.integers(1, 500))
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


def test_stages_replace_what_a_more_general_rule_says_of_patches_and_the_other_way_round() -> None:
    stages = ((1, 16, 4), (1, 32, 2))
    published = Recipe(lr=1, steps=9, loss="l1", progressive=((1, 8, 2), (2, 16, 1)), ema=0.999)  # type: ignore[call-arg]
    net = Method(name="net", title="Net", network=Derainer, recipe=published)
    quick = QUICK_RECIPE.recipe(net)
    assert (quick.progressive, quick.patch, quick.batch, quick.ema) == ((), QUICK["patch"], QUICK["batch"], None)
    staged = RecipeBook("mine", quick=True, common={"progressive": stages, "ema": 0.9}).recipe(net)
    assert (staged.progressive, staged.patch, staged.batch, staged.ema) == (stages, 16, 4, 0.9)
    one = RecipeBook("mine", quick=False, common={"progressive": stages}, by_method={"net": {"batch": 6}}).recipe(net)
    assert (one.progressive, one.patch, one.batch) == ((), 8, 6)


def test_a_loss_that_is_not_there_is_told_when_the_method_is_made(refused: Refused) -> None:
    for fields in (
        {"recipe": recipe(loss="l1 + 0.1*egde")},
        {"recipe": recipe(), "recipe_on": {"tiny": {"loss": "egde"}}},
        {"recipe": recipe(), "quick": {"loss": "egde"}},
    ):
        with refused("unknown loss 'egde'", "did you mean 'edge'?"):
            Method(name="net", title="Net", network=Derainer, **fields)


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
