"""Suites: the table cells that a run should fill, and which variant, training and recipe each of them means here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from derainbench.errors import UserError
from derainbench.plugins.names import ParsedName, parse_name
from derainbench.plugins.options import option_defaults, spell
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import Registry
from derainbench.plugins.variant import Variant, choose
from derainbench.run.wanted import Suite, Wanted


@dataclass(frozen=True)
class Measurement:
    """What fills a table cell on this machine.

    ``trained_on`` is None for a variant that is not trained, and so is ``published``, the recipe that counts as the
    paper's. ``wanted`` is None for the unprocessed input, which no row asks for. ``departures`` are what differs from
    the row beside the recipe, in the form of :meth:`.recipe_book.RecipeBook.changes`.
    """

    variant: Variant
    trained_on: str | None
    tested_on: str
    published: Recipe | None = None
    wanted: Wanted | None = None
    departures: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Adaptation:
    """How a suite is changed to be tried out: ``options`` for every network that has them, one dataset for all."""

    options: Mapping[str, str] = field(default_factory=dict)
    stand_in: str | None = None


def parse_options(text: str) -> dict[str, str]:
    """``blocks=1,width=8`` taken apart; :class:`UserError` where it does not follow that form."""
    try:
        return parse_name(f"any[{text}]").options
    except UserError as error:
        raise UserError(f"--reduce {text!r} is not a list of options; write option=value,option=value") from error


def not_registered(suite: Suite, registry: Registry) -> list[str]:
    """The titles of rows whose method does not exist here, each once."""
    known = registry.names()
    return list(dict.fromkeys(w.row for w in suite.wanted if parse_name(w.method).base not in known))


def measurements(suite: Suite, registry: Registry, adaptation: Adaptation) -> list[Measurement]:
    """What fills the suite's cells, in its order, without the rows of :func:`not_registered`.

    :class:`UserError` for a row whose options or recipe do not fit its method, where no network of the suite has an
    option of the adaptation, or a row sets that option itself.
    """
    known = registry.names()
    parsed = [(wanted, parse_name(wanted.method)) for wanted in suite.wanted]
    here = [(wanted, name) for wanted, name in parsed if name.base in known]
    if not here:
        raise UserError(f"suite {suite.name!r} has no row whose method is in the registry; add one with --plugin")
    _check_options(here, registry, adaptation.options)
    return [_measurement(suite, wanted, name, registry, adaptation) for wanted, name in here]


def _check_options(rows: Sequence[tuple[Wanted, ParsedName]], registry: Registry, options: Mapping[str, str]) -> None:
    for option in options:
        used = False
        for wanted, name in rows:
            if option in name.options:
                raise UserError(
                    f"--reduce {option}: row {wanted.row!r} of {wanted.table} sets {option} itself; leave it"
                )
            used |= name.tag is None and option in option_defaults(registry.get(name.base).network)
        if not used:
            names = ", ".join(sorted({name.base for _, name in rows if name.tag is None})) or "none is trained"
            raise UserError(
                f"--reduce {option}: no network of the suite has that option ({names}); "
                "derainbench methods lists what each has"
            )


def _measurement(
    suite: Suite, wanted: Wanted, name: ParsedName, registry: Registry, adaptation: Adaptation
) -> Measurement:
    try:
        asked = registry.variant(wanted.method)
        variant = asked if asked.weights is not None else _reduced(asked, adaptation.options)
        published = _published(variant, adaptation.stand_in or wanted.trained_on, wanted.recipe)
    except UserError as error:
        raise UserError(f"suite {suite.name!r}, row {wanted.row!r} of {wanted.table}: {error}") from error
    departures = [
        {"method": name.base, "field": option, "paper": _setting(asked, option), "here": variant.options[option]}
        for option in variant.options
        if variant.options[option] != asked.options.get(option)
    ]
    tested_on, trained_on = adaptation.stand_in or wanted.tested_on, adaptation.stand_in or wanted.trained_on
    for paper in dict.fromkeys([wanted.trained_on, wanted.tested_on] if variant.trainable else [wanted.tested_on]):
        if adaptation.stand_in not in (None, paper):
            departures.append({"method": name.base, "field": "dataset", "paper": paper, "here": adaptation.stand_in})
    marked = tuple({**departure, "suite": suite.name} for departure in departures)
    return Measurement(variant, trained_on if variant.trainable else None, tested_on, published, wanted, marked)


def _reduced(variant: Variant, options: Mapping[str, str]) -> Variant:
    """The variant with those of the options that its network has."""
    has = option_defaults(variant.method.network)
    spelt = {name: spell(value) for name, value in variant.options.items()}
    return choose(variant.method, {**spelt, **{name: value for name, value in options.items() if name in has}})


def _setting(variant: Variant, option: str) -> Any:
    return variant.options.get(option, option_defaults(variant.method.network)[option])


def _published(variant: Variant, trained_on: str, changes: Mapping[str, Any]) -> Recipe | None:
    published = variant.method.published_recipe(trained_on)
    if not variant.trainable or published is None:
        return None
    try:
        return published.changed(dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise UserError(f"recipe: {where}: {first['msg'].removeprefix('Value error, ')}; mend the table") from error
