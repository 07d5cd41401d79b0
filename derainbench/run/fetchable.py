"""What an order asks for that is not on this machine, and whose addresses are known: ``derainbench run --fetch``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from derainbench.catalogue.cards import RESERVED, Card, all_cards
from derainbench.catalogue.locate import card_named, locate
from derainbench.plugins.registry import Registry
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights_store import place
from derainbench.run.choices import choose_variants
from derainbench.run.plan import Order
from derainbench.run.suite import Adaptation, measurements
from derainbench.support.words import split_list


class Fetchable(NamedTuple):
    """Weights that were published, networks by their names, and datasets, of which nothing is here."""

    weights: Sequence[Variant] = ()
    networks: Sequence[str] = ()
    cards: Sequence[Card] = ()


def lacking(order: Order, registry: Registry) -> Fetchable:
    """What of an order's weights and datasets is not here and can be fetched.

    Datasets that are not asked for by name, such as ``all``, are those that are here.
    """
    variants, names = _asked(order, registry)
    cards = all_cards(order.card)
    named = [card_named(name, cards, RESERVED) for name in dict.fromkeys(names)]
    asked = [part for card in named for part in _parts(card)]
    return Fetchable(
        weights=[each for each in variants if _is_known(each) and place(each).state != "here"],
        cards=[
            card for card in asked if not card.embedded and card.fetchable and locate(card, order.data_root) is None
        ],
    )


def _parts(card: Card) -> list[Card]:
    """A union's members, as far as they are known; of any other card itself."""
    return [card] if card.union is None else [part for part in card.union.plain if part is not None]


def _is_known(variant: Variant) -> bool:
    return variant.weights is not None and bool(variant.weights.files)


def _asked(order: Order, registry: Registry) -> tuple[Sequence[Variant], list[str]]:
    """The variants and the datasets that an order names, in its words or by its suite."""
    named = [word for word in split_list(order.datasets or "") if word not in RESERVED]
    if order.suite is None:
        return choose_variants(registry, order.methods or "", None), named
    wanted = measurements(order.suite, registry, Adaptation({}, None))
    variants = list({each.variant.name: each.variant for each in wanted}.values())
    if order.datasets is not None:  # one stands in for all
        return variants, named
    known = all_cards(order.card)
    sets = [name for each in wanted for name in (each.trained_on, each.tested_on) if name in known]
    return variants, [name for name in sets if name is not None]
