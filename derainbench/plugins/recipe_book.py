"""Which recipe a run uses: ``paper`` as published, ``quick`` for a laptop, or a TOML file that changes either."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Method
from derainbench.plugins.recipe import INSTEAD, Recipe
from derainbench.support.toml import read_toml

#: What ``quick`` does to a recipe whose method does not say better.
QUICK: Mapping[str, Any] = {
    "steps": 200,
    "batch": 4,
    "patch": 48,
    "stride": None,
    "ema": None,  # an average over thousands of steps would still be mostly the beginning
    "checkpoint_every": 25,
}


@dataclass(frozen=True)
class RecipeBook:
    """A named set of changes to the published recipes: ``common`` for every method, ``by_method`` for some."""

    name: str
    quick: bool
    common: Mapping[str, Any] = field(default_factory=dict)
    by_method: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def recipe(self, method: Method, published: Recipe | None = None) -> Recipe:
        """The recipe a method is trained with; :class:`UserError` where a change does not fit.

        ``published`` is the one to change, where a paper trained the method in another way than usual; by default the
        method's own.
        """
        published = published or method.recipe
        if published is None:
            raise UserError(f"method {method.name!r} has no recipe: there is nothing to train")
        changes: dict[str, Any] = {**QUICK, **method.quick} if self.quick else {}
        for closer in (self.common, self.by_method.get(method.name, {})):
            for field_name, others in INSTEAD.items():
                if closer.get(field_name):  # of what a more general rule gave
                    changes = {other: value for other, value in changes.items() if other not in others}
            changes |= closer
        try:
            recipe = published.changed(changes)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "recipe"
            known = f"; {did_you_mean(where, list(Recipe.model_fields))}" if first["type"] == "extra_forbidden" else ""
            message = first["msg"].removeprefix("Value error, ")
            raise UserError(f"recipe {self.name!r} for {method.name!r}: {where}: {message}{known}") from error
        for unknown in sorted(recipe.asks - published.asks):
            raise UserError(f"recipe {self.name!r} for {method.name!r}: {unknown}: the method has none; leave it out")
        get_loss(recipe.loss, method.network.own_losses)  # an unknown one is told now, not when its training begins
        return recipe

    def check(self, methods: Collection[str]) -> None:
        """Raise :class:`UserError` where the book changes a method that does not exist."""
        for name in self.by_method:
            if name not in methods:
                raise UserError(f"recipe {self.name!r} has a table for {name!r}; {did_you_mean(name, list(methods))}")

    def changes(self, method: Method, published: Recipe | None = None) -> list[dict[str, Any]]:
        """What differs from the published recipe, a row a field: what makes scores not comparable with the paper's."""
        published = published or method.recipe
        if published is None:
            return []
        before, used = _facts(published), _facts(self.recipe(method, published))
        return [
            {"method": method.name, "field": name, "paper": before[name], "here": used[name]}
            for name in before
            if before[name] != used[name]
        ]


def _facts(recipe: Recipe) -> dict[str, Any]:
    """What a recipe does to a result, with its length as one fact whatever unit it is given in."""
    looked_at = {"validate_every", "checkpoint_every"}
    length = f"{recipe.steps:,} steps" if recipe.steps is not None else f"{recipe.epochs:,} epochs"
    return {"length": length, **recipe.model_dump(mode="json", exclude={"steps", "epochs", *looked_at})}


PAPER_RECIPE = RecipeBook("paper", quick=False)
QUICK_RECIPE = RecipeBook("quick", quick=True)


def recipe_book(name: str) -> RecipeBook:
    """``paper``, ``quick``, or the path of a TOML file.

    The file has ``base = "paper"`` or ``"quick"``, recipe fields for every method, and ``[methods.NAME]`` tables for
    single ones; or all of that in a table ``[recipe]``, beside which there is something else.
    """
    built_in = {book.name: book for book in (PAPER_RECIPE, QUICK_RECIPE)}
    if name in built_in:
        return built_in[name]
    path = Path(name)
    if path.suffix != ".toml":
        raise UserError(f"no recipe is called {name!r}; give paper, quick or the path of a TOML file")
    content = read_toml(path, "recipe")
    if isinstance(content.get("recipe"), dict):
        content = content["recipe"]
    base, by_method = content.pop("base", "paper"), content.pop("methods", {})
    if not isinstance(base, str) or base not in built_in:
        raise UserError(f"recipe {path}: base is {base!r}; it must be 'paper' or 'quick'")
    if not isinstance(by_method, dict) or not all(isinstance(table, dict) for table in by_method.values()):
        raise UserError(f"recipe {path}: methods must be tables, one [methods.NAME] each")
    for field_name in {key for table in (content, *by_method.values()) for key in table}:
        if field_name not in Recipe.model_fields:
            raise UserError(
                f"recipe {path}: no field {field_name!r}; {did_you_mean(field_name, list(Recipe.model_fields))}"
            )
    label = f"{path.stem}-toml" if path.stem in built_in else path.stem
    return RecipeBook(label, base == "quick", content, by_method)
