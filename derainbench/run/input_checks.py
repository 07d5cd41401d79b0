"""Whether a dataset's files are the ones its card describes, told by the scores of the unprocessed input."""

from __future__ import annotations

from collections.abc import Iterable

from derainbench.catalogue.cards import Card
from derainbench.catalogue.input_score import TOLERANCES, agrees, disagreement
from derainbench.results.results import Results
from derainbench.results.run_info import InputCheckInfo, RunInfo
from derainbench.stats.means import finite_mean


def with_input_checks(info: RunInfo, results: Results, cards: Iterable[Card], unprocessed: str) -> RunInfo:
    """``run.json``'s content with ``input_checks`` brought up to date for these datasets, an entry each.

    ``unprocessed`` names the method that returns its input. A dataset has no entry where its card says no score, or
    where the run has none of that method under the card's protocol.
    """
    cards = list(cards)
    names = {card.name for card in cards}
    checks = [check for check in info.input_checks if check.dataset not in names]
    checks += [check for card in cards if (check := _check(results, card, unprocessed))]
    return info.model_copy(update={"input_checks": tuple(checks)})


def _check(results: Results, card: Card, unprocessed: str) -> InputCheckInfo | None:
    expected, scores = card.input_score, results.scores
    if expected is None or not any(dataset.whole for dataset in results.datasets if dataset.name == card.name):
        return None  # the score of a part of the images says nothing of the others
    rows = scores[
        (scores["method"] == unprocessed) & (scores["dataset"] == card.name) & (scores["protocol"] == expected.protocol)
    ]
    if rows.empty:
        return None
    found = {name: finite_mean(rows.loc[rows["metric"] == name, "value"])[0] for name in TOLERANCES}
    notice = "" if agrees(expected, **found) else f"dataset {card.name}: {disagreement(expected, **found)}"
    return InputCheckInfo(dataset=card.name, protocol=expected.protocol, notice=notice, **found)
