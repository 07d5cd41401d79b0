"""The regular expression of a path pattern: one that no name keeps busy, however it is made.

Python's expressions try one way after the other. With six fields of any text between dashes, that is millions of ways
to take a name of dashes apart. Nearly all of them are in vain: where a text is followed by some fixed letters and then
by another text, its first end will do, because the other text takes whatever is between that end and any later one.
Here such an end stands once it is found (``(?>...)``), so that what is left is each field's own search.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from derainbench.images.find import IMAGE_SUFFIXES

#: A field of a pattern, as :class:`.patterns.Pattern` describes them.
FIELD = re.compile(r"\{(?P<name>[A-Za-z_]\w*)(?P<optional>\?)?(?::(?P<number>d|(?P<low>\d+)\.\.(?P<high>\d+)))?\}")

#: The most fields of a pattern whose end is found by trial, each for every end of the others.
_MOST_TRIED = 2

#: The most fields; the most that a packaging needs is six.
_MOST_FIELDS = 32


@dataclass
class _Part:
    """A field, or the letters between fields: ``kind`` is ``text``, ``number``, ``again`` or ``letters``."""

    kind: str
    expression: str
    name: str = ""
    used_later: bool = False


@cache
def expression(text: str) -> str:
    """What matches the paths of a pattern, with its fields as named groups, to be compiled with ``re.DOTALL``.

    ValueError where nothing tells where a field ends: for two texts, or two numbers, side by side; for a number that a
    digit follows, unless it is the last field of a name; and for more than :data:`_MOST_TRIED` fields which, because
    they are used again, could end anywhere.
    """
    whole, suffix = text, ""
    if text.endswith(".*"):
        text, suffix = text[:-1], f"(?i:{'|'.join(IMAGE_SUFFIXES)})"
    seen: dict[str, _Part] = {}
    names = [_parts(name, seen) for name in text.split("/")]
    if len(seen) > _MOST_FIELDS:
        raise ValueError(f"pattern {whole!r} has {len(seen):,} fields; give it at most {_MOST_FIELDS}")
    for parts in names:
        _check(whole, parts)
    tried: list[str] = []
    written = "".join(_written(parts, "/" if parts is not names[-1] else suffix, tried) for parts in names)
    if len(tried) > _MOST_TRIED:
        raise ValueError(
            f"pattern {whole!r}: nothing tells where {', '.join(tried)} end, since fields are used again; use each once"
        )
    return written


def _parts(segment: str, seen: dict[str, _Part]) -> list[_Part]:
    parts, end = [], 0
    for match in FIELD.finditer(segment):
        if letters := segment[end : match.start()]:
            parts.append(_Part("letters", re.escape(letters), letters))
        name = match["name"]
        if name in seen:
            seen[name].used_later = True
            parts.append(_Part("again", f"(?P={name})", name))
        else:
            value = "[0-9]+" if match["number"] else "[^/]*?" if match["optional"] else "[^/]+?"
            seen[name] = _Part("number" if match["number"] else "text", f"(?P<{name}>{value})", name)
            parts.append(seen[name])
        end = match.end()
    if letters := segment[end:]:
        parts.append(_Part("letters", re.escape(letters), letters))
    return parts


def _check(text: str, parts: Sequence[_Part]) -> None:
    fields = [part for part in parts if part.kind in ("text", "number")]
    for one, other in pairwise(parts):
        if one.kind == other.kind == "text" or one.kind == other.kind == "number":
            raise ValueError(
                f"pattern {text!r}: nothing tells where {{{one.name}}} ends and {{{other.name}}} begins; put letters "
                "between them, or make them one field"
            )
        if one.kind == "number" and other.kind == "text":
            one.expression = one.expression.replace("[0-9]+", "[0-9]++")  # all digits that there are
        elif one.kind == "number" and _begins_with_a_digit(other) and one is not fields[-1]:
            raise ValueError(
                f"pattern {text!r}: nothing tells where the number {{{one.name}}} ends; put letters after it"
            )


def _begins_with_a_digit(part: _Part) -> bool:
    """Or may do so."""
    return part.kind == "again" or (part.kind == "letters" and part.name[0] in "0123456789")


def _written(parts: Sequence[_Part], end_of_name: str, tried: list[str]) -> str:
    """The expression of a name: its texts, each with what follows it up to the next one, found once where that will do.

    It will not do for what is used again, in this name or another: there only one end may be the right one. Texts of
    which several ends are then tried are added to ``tried``.
    """
    starts = [place for place, part in enumerate(parts) if part.kind == "text"]
    written = "".join(part.expression for part in parts[: starts[0] if starts else len(parts)])
    again = any(part.used_later for part in parts)
    for start, end in zip(starts, [*starts[1:], None], strict=True) if starts else ():
        group = parts[start:end]
        found = "".join(part.expression for part in group)
        if end is not None and not parts[end].used_later and not any(part.used_later for part in group):
            written += f"(?>{found})"
            continue
        written += found
        # The last text of a name ends where the name's end says, unless a number begins without a letter before it.
        if again and (end is not None or (len(group) > 1 and group[1].kind == "number")):
            tried.append(parts[start].name)
        tried += [
            one.name for one, other in pairwise(group) if again and one.kind == "number" and _begins_with_a_digit(other)
        ]
    return written + end_of_name if again or end_of_name != "/" else f"(?>{written}/)"
