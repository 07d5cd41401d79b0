"""Whether a test split's images have the sizes that its card knows: told apart are cropped and rotated copies."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derainbench.catalogue.cards import Card

#: Width and height in pixels.
Size = tuple[int, int]

#: Of each side of an image, the least share that a cropped copy keeps; with less it is taken for a reduced one.
_CROPPED = 0.9

_MOST = 4  # sizes on a line


def other_sizes(card: Card, sides: NDArray[np.integer[Any]]) -> str:
    """What to say where the rainy test images, (N, 2) heights and widths, have other sizes than the card's.

    Nothing where their number is another, or one could not be read (0): that is a problem of its own.
    """
    expected = _expected(card)
    if not expected or expected.total() != len(sides) or not sides.all():
        return ""
    found = Counter((int(width), int(height)) for height, width in sides)
    if found == expected:
        return ""
    return f"the test images are {_listed(found)}; the card says {_listed(expected)}: {_suggestion(found, expected)}"


def _expected(card: Card) -> Counter[Size]:
    """The card's ``test_sizes``: ``481x321``, width first, to the number of images."""
    counted: Counter[Size] = Counter()
    for size, count in card.test_sizes.items():
        width, height = size.split("x")
        counted[int(width), int(height)] += count
    return counted


def _suggestion(found: Counter[Size], expected: Counter[Size]) -> str:
    if _upright(found) == _upright(expected):
        return "some are turned by 90 degrees"
    # Smallest with smallest: whether it was cropped or turned as well, each has one that it was made from.
    pairs = list(zip(sorted(_upright(found).elements()), sorted(_upright(expected).elements()), strict=True))
    shares = [here / there for one, other in pairs for here, there in zip(one, other, strict=True)]
    if max(shares) > 1:
        return "other images, or an enlarged copy"
    turned = "" if _landscapes(found) == _landscapes(expected) else ", with some turned by 90 degrees"
    return f"a {'cropped' if min(shares) >= _CROPPED else 'reduced'} copy{turned}"


def _upright(sizes: Counter[Size]) -> Counter[Size]:
    """The same with the longer side last, whatever the orientation."""
    counted: Counter[Size] = Counter()
    for (width, height), count in sizes.items():
        counted[min(width, height), max(width, height)] += count
    return counted


def _landscapes(sizes: Counter[Size]) -> int:
    return sum(count for (width, height), count in sizes.items() if width > height)


def _listed(sizes: Counter[Size]) -> str:
    """``67 of 481x321 and 33 of 321x481``, the most frequent first."""
    texts = [f"{count:,} of {width}x{height}" for (width, height), count in sizes.most_common(_MOST)]
    if len(sizes) > _MOST:
        texts.append(f"{len(sizes) - _MOST:,} sizes more")
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
