"""The weights from which a training starts, where a recipe names some."""

from __future__ import annotations

from derainbench.errors import UserError
from derainbench.plugins.names import ParsedName, parse_name
from derainbench.plugins.options import spell
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant, resolve
from derainbench.plugins.weights_store import own_weights


def initial_weights(variant: Variant, recipe: Recipe) -> Variant | None:
    """The variant with the weights that ``recipe.initial`` names: published ones, or the user's own (docs/weights.md).

    None where it names none. :class:`UserError` where they are not known, or are another network's: of another method,
    or of other options than those that are to be trained.
    """
    if recipe.initial is None:
        return None
    try:
        return _named(variant, recipe.initial)
    except UserError as error:
        raise UserError(f"recipe: initial: {error}") from error


def _named(variant: Variant, text: str) -> Variant:
    asked, method = parse_name(text), variant.method
    if asked.tag is None:
        raise UserError(f"{text!r} names no weights; write {method.name}@TAG")
    if asked.base != method.name:
        raise UserError(
            f"{variant.name} cannot start from {text!r}, the weights of another method; give it in the table"
            f" [methods.{asked.base}]"
        )
    options = asked.options or {name: spell(value) for name, value in variant.options.items()}
    found = resolve(method, ParsedName(asked.base, options, asked.tag), own_weights(method.name))
    if found.options != variant.options:
        same = found.name.partition("@")[0]
        raise UserError(f"{variant.name} cannot start from {found.name}, another network; train {same}")
    return found
