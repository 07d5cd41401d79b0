"""Whether a dataset's files are the ones its card describes, told by the scores of the unprocessed input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from derainbench.catalogue.cards import Card

if TYPE_CHECKING:
    from derainbench.results.results import Results
from derainbench.catalogue.input_score import TOLERANCES, agrees, disagreement


def with_input_checks(
    info: Mapping[str, Any], results: Results, cards: Iterable[Card], unprocessed: str
) -> dict[str, Any]:
    """``run.json``'s content with ``input_checks`` brought up to date for these datasets, an entry each.

    ``unprocessed`` names the method that returns its input. A dataset has no entry where its card says no score, or
    where the run has none of that method under the card's protocol.
    """
    cards = list(cards)
    names = {card.name for card in cards}
    checks = [check for check in info.get("input_checks", ()) if check["dataset"] not in names]
    checks += [check for card in cards if (check := _check(results, card, unprocessed))]
    return {**info, "input_checks": checks}


def _check(results: Results, card: Card, unprocessed: str) -> dict[str, Any] | None:
    from derainbench.stats.means import finite_mean

    expected, scores = card.input_score, results.scores
    if expected is None or not any(dataset.whole for dataset in results.datasets if dataset.name == card.name):
        return None  # the score of a part of the images says nothing of the others
    rows = scores[
        (scores["method"] == unprocessed) & (scores["dataset"] == card.name) & (scores["protocol"] == expected.protocol)
    ]
    if rows.empty:
        return None
    found = {name: finite_mean(rows[name])[0] for name in TOLERANCES}
    notice = "" if agrees(expected, **found) else f"dataset {card.name}: {disagreement(expected, **found)}"
    return {"dataset": card.name, "protocol": expected.protocol, **found, "notice": notice}
