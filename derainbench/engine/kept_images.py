"""Which of a test set's restored images are kept as files."""

from __future__ import annotations

from typing import Literal, get_args

from derainbench.errors import UserError

#: What ``--images`` may ask for.
Kept = Literal["none", "some", "all"]

#: So many of a test set are "some".
SOME = 12


def check_kept(word: str) -> Kept:
    """The word, if ``--images`` knows it; otherwise :class:`UserError`."""
    for known in get_args(Kept):
        if word == known:
            found: Kept = known
            return found
    raise UserError(f"--images {word!r}: give none, some ({SOME} of each test set) or all")


def kept_images(kept: Kept, count: int) -> frozenset[int]:
    """The places, from 0, of the images that are kept of so many: the same in every evaluation, evenly spread."""
    if kept == "none":
        return frozenset()
    if kept == "all" or count <= SOME:
        return frozenset(range(count))
    return frozenset(place * (count - 1) // (SOME - 1) for place in range(SOME))
