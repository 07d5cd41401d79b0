"""The score of a test split's unprocessed input, against the one that the card knows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from derainbench.catalogue.cards import Card
from derainbench.catalogue.input_score import agrees, disagreement
from derainbench.verify.verdict import Finding, InputScores

#: Under which protocol the input is scored where the card does not say.
DEFAULT_PROTOCOL = "y"


def protocol_of(card: Card) -> str:
    """The protocol under which a card's test input is scored."""
    return card.input_score.protocol if card.input_score is not None else DEFAULT_PROTOCOL


def input_scores(card: Card, scores: NDArray[np.float64], sound: bool) -> InputScores:
    """The means of (N, 2) PSNR and SSIM, NaN where a pair has none; ``sound``: whether no pair has a problem."""
    from derainbench.stats.means import finite_mean

    made = scores[~np.isnan(scores[:, 0])]
    psnr, ssim = (finite_mean(column)[0] for column in made.T)
    expected = card.input_score
    reason = ""
    if expected is None:
        reason = "the card gives none"
    elif card.counts.test not in (None, len(scores)):
        reason = f"the card's is of {card.counts.test:,} pairs"
    elif not sound:
        reason = "the pairs are not sound"
    elif math.isnan(psnr) or math.isnan(ssim):
        reason = "some image is too small for SSIM"
    known = (expected.psnr, expected.ssim) if expected is not None else None
    return InputScores(protocol_of(card), psnr, ssim, known, reason)


def score_findings(card: Card, found: InputScores) -> tuple[list[Finding], list[Finding]]:
    """Problems and notices that the files are others than the card's, where the scores were compared and differ.

    A notice where nobody has confirmed the card's.
    """
    expected = card.input_score
    if expected is None or found.not_compared or agrees(expected, found.psnr, found.ssim):
        return [], []
    text = disagreement(expected, found.psnr, found.ssim)
    if expected.unconfirmed:
        return [], [Finding("score", (), text)]
    return [Finding("score", (), f"{text}; fetch those that it names")], []
