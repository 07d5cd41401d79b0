"""Weighted sums of losses as text, ``charbonnier + 0.05*edge``: read, checked, spelled in one way. No torch here."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

#: Losses whose names read like sums or differences: a text that is one of them is that loss, as it was before sums.
WHOLE = ("l1+ssim", "-ssim")

_NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_TERM = re.compile(rf"\s*(?:({_NUMBER})\s*\*\s*)?(-?[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)\s*")

#: What a loss of a plugin's own may be called.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")


class Term(NamedTuple):
    """One summand: the loss of that name, times a number above 0."""

    weight: float
    name: str


def read_sum(text: str) -> tuple[Term, ...]:
    """The terms of a sum, in its order; :class:`ValueError` where it is none, with what a sum looks like."""
    if text in WHOLE:
        return (Term(1.0, text),)
    terms: list[Term] = []
    place = 0
    while True:
        match = _TERM.match(text, place)
        if match is None:
            raise ValueError(_malformed(text, text[place:].strip()))
        weight, name = float(match[1] or 1), match[2]
        if not (0 < weight < math.inf):
            raise ValueError(f"loss {text!r}: the weight of {name} is {match[1]}; give one above 0, or leave it out")
        if name in (term.name for term in terms):
            raise ValueError(f"loss {text!r} names {name} twice; give it once, with one weight")
        terms.append(Term(weight, name))
        place = match.end()
        if place == len(text):
            return tuple(terms)
        if text[place] != "+":
            raise ValueError(_malformed(text, text[place:].strip()))
        place += 1


def spell_sum(terms: tuple[Term, ...]) -> str:
    """A sum as it is recorded: one text for all that mean the same terms in the same order."""
    return " + ".join(name if weight == 1 else f"{weight!r}*{name}" for weight, name in terms)


def _malformed(text: str, rest: str) -> str:
    at = f"at {rest[:40]!r}" if rest else "at its end"
    return f"loss {text!r} is no sum of losses ({at}); write one as charbonnier + 0.05*edge"
