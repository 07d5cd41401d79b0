"""What methods are called inside a chart, where room is short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count, takewhile

from .drawing import fitted, text_width


def fitted_apart(names: Sequence[str], width: float, size: float) -> tuple[str, ...]:
    """:func:`fitted`, but no two different names look alike.

    Of names that would, the middle is left out: what they begin with, and from where they differ. Where that does not
    tell them apart either, they are numbered.
    """
    texts = {name: fitted(name, width, size) for name in names}
    for shared in [text for text, often in Counter(texts.values()).items() if often > 1]:
        group = [name for name in texts if texts[name] == shared]
        others = {text for name, text in texts.items() if name not in group}
        for way in (_from_the_difference, _from_the_end):
            found = dict(zip(group, way(group, width, size), strict=True))
            often = Counter(found.values())
            apart = {name: text for name, text in found.items() if often[text] == 1 and text not in others}
            texts |= apart
            others.update(apart.values())
            group = [name for name in group if name not in apart]
        texts |= _numbered(group, others, width, size)
    return tuple(texts[name] for name in names)


def _from_the_difference(group: Sequence[str], width: float, size: float) -> list[str]:
    """Begin, an ellipsis, and what follows from the word on that is not the same in all of the group."""
    lines = [" ".join(name.split()) for name in group]
    pairs = zip(min(lines, default=""), max(lines, default=""), strict=False)
    same = "".join(a for a, b in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(same.rfind(between) for between in " (,[=") + 1
    return [_joined(line, line[start:], width, size) for line in lines]


def _from_the_end(group: Sequence[str], width: float, size: float) -> list[str]:
    """Begin, an ellipsis, and as much of the end."""
    lines = [" ".join(name.split()) for name in group]
    ends = [fitted(line[::-1], width / 2, size).removesuffix("…")[::-1] for line in lines]
    return [_joined(line, end, width, size) for line, end in zip(lines, ends, strict=True)]


def _joined(line: str, tail: str, width: float, size: float) -> str:
    if text_width(line, size) <= width:
        return line
    tail = fitted(tail, 0.7 * width, size)
    return fitted(line, width - text_width(tail, size), size) + tail


def _numbered(group: Sequence[str], others: set[str], width: float, size: float) -> dict[str, str]:
    """The begin of each and a number."""
    found: dict[str, str] = {}
    for name in group:
        numbers = (f" {number}" for number in count(1))
        ways = (fitted(name, width - text_width(number, size), size) + number for number in numbers)
        found[name] = next(text for text in ways if text not in others and text not in found.values())
    return found
