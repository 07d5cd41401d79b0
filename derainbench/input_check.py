"""Whether a dataset's files are the ones its card describes, told by the scores of the unprocessed input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from derainbench.catalogue.cards import Card, InputScore

if TYPE_CHECKING:
    from derainbench.results import Results

#: How far the scores may be from the card's, whose last digit is rounded: in dB, and of SSIM.
TOLERANCES = {"psnr": 0.005, "ssim": 0.0002}


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


def agrees(expected: InputScore, psnr: float, ssim: float) -> bool:
    """Whether mean scores of the input are the card's, but for its rounding; NaN agrees with nothing."""
    return abs(psnr - expected.psnr) <= TOLERANCES["psnr"] and abs(ssim - expected.ssim) <= TOLERANCES["ssim"]


def disagreement(expected: InputScore, psnr: float, ssim: float) -> str:
    """What to say where they are not."""
    doubt = ", or its score is wrong, which nobody has confirmed" if expected.unconfirmed else ""
    return (
        f"the input scores {psnr:.3f} dB / {ssim:.4f}, the card says {expected.psnr} dB / {expected.ssim} under "
        f"{expected.protocol}: the files are not the ones the card describes{doubt}"
    )


def _check(results: Results, card: Card, unprocessed: str) -> dict[str, Any] | None:
    from derainbench.metrics import finite_mean  # imports torch, which the comparison itself does not need

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
