"""Patterns that may tell which test pair a restored image is of, read off the names of the files.

Nobody agrees on names: of the pair ``rain-001.png`` people save ``rain-001.png``, ``norain-001.png``,
``norain-001x2.png``, ``1.png``, ``001_derained.jpg``, in folders of any depth. What all of these have in common are
the fields of the card's own pattern, with other letters around them. So a few files are taken, each of the fields'
values is looked for in their names, and what stands around it becomes a pattern. Whether it pairs all files is tried
by :mod:`.pairing`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice
from pathlib import PurePosixPath

from derainbench.catalogue.expressions import FIELD
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.patterns import Pattern

Value = str | int

#: How many kinds of names are looked at, and how many patterns are tried at most.
_SHAPES, _MOST = 6, 400
#: The most numbers in a path of which each may be a field.
_NUMBERS = 10


@dataclass(frozen=True)
class Fields:
    """The fields of a split's pairs, as the card's pattern reads them off the rainy files: a text a pair.

    ``templates`` are the names that the card's layouts give to images of these pairs, without folder and suffix.
    """

    texts: dict[str, tuple[str, ...]]
    templates: tuple[str, ...] = ()

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The fields that are a number for every pair, whatever the card calls them: they compare by value."""
        return frozenset(name for name, of in self.texts.items() if all(re.fullmatch("[0-9]+", text) for text in of))

    @cached_property
    def telling(self) -> tuple[str, ...]:
        """The fields that differ between pairs; all of them where none does."""
        differing = tuple(name for name, of in self.texts.items() if len(set(of)) > 1)
        return differing or tuple(self.texts)

    def value(self, name: str, text: str) -> Value | None:
        """A text as a value of that field; None where the field is a number and the text is none."""
        if name in self.numbers:
            return int(text) if text.isascii() and text.isdigit() else None
        return unicodedata.normalize("NFC", text).casefold()

    def keys(self, names: Sequence[str]) -> list[tuple[Value | None, ...]]:
        """The values of some fields, pair by pair."""
        return list(zip(*(self._values[name] for name in names), strict=True))

    @cached_property
    def _values(self) -> dict[str, list[Value | None]]:
        return {name: [self.value(name, text) for text in of] for name, of in self.texts.items()}

    def tell_apart(self, names: Sequence[str]) -> bool:
        """Whether each pair has values of its own in these fields."""
        keys = self.keys(names)
        return bool(names) and len(set(keys)) == len(keys)


def fields_of(dataset: Dataset) -> Fields:
    """The fields of a dataset's test pairs."""
    patterns = dataset.layout.test
    assert patterns is not None
    rainy = Pattern(patterns.rainy)
    read = [rainy.read(path) for path in dataset.pairs("test").column("rainy").to_pylist()]
    texts = {name: tuple(each[name] for each in read) for name in rainy.fields}
    names = ["-".join(f"{{{name}}}" for name in rainy.fields)]  # as derainbench itself names restored images
    for layout in dataset.card.layouts:
        if layout.test is not None:
            for text in (layout.test.rainy, layout.test.clean):
                names.append(PurePosixPath(text).name.rpartition(".")[0] if "." in text else PurePosixPath(text).name)
    known = [
        name for name in dict.fromkeys(names) if {m["name"] for m in FIELD.finditer(name)} <= texts.keys() and name
    ]
    return Fields(texts, tuple(known))


def candidates(paths: Sequence[str], fields: Fields) -> list[str]:
    """Patterns that some of the paths fit, those with the fewest free fields first."""
    found: dict[str, None] = {}
    for shape in _shapes(paths):
        for text in islice(_by_number(shape, fields), _MOST):
            found.setdefault(text)
        for path in shape[:2]:
            for text in islice(_by_text(path, fields), _MOST):
                found.setdefault(text)
    usable = [text for text in found if _is_pattern(text)]
    return sorted(usable, key=lambda text: (text.count("{any"), len(text)))[:_MOST]


def _shapes(paths: Sequence[str]) -> list[list[str]]:
    """Paths that are alike but for their numbers, the largest groups first; each alone where no two are."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(re.sub("[0-9]+", "0", _stem(path)), []).append(path)
    return sorted(groups.values(), key=len, reverse=True)[:_SHAPES]


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def _by_number(alike: Sequence[str], fields: Fields) -> Iterator[str]:
    """Each way to take some of the numbers in these paths for the fields, in the fields' order.

    The other numbers stay as they are in the first path, or in the last; or those that differ may be anything.
    """
    split = [re.split("([0-9]+)", _stem(path)) for path in alike]  # numbers at the odd places
    places = range(1, len(split[0]), 2)
    varying = {place for place in places if len({each[place] for each in split}) > 1}
    free = [f"{{any{place}:d}}" if place in varying else part for place, part in enumerate(split[0])]
    tried = list(places) if len(places) <= _NUMBERS else sorted(varying)[:_NUMBERS]
    for names in _number_fields(fields):
        for chosen in combinations(tried, len(names)):
            for others in (split[0], split[-1], free):
                text = list(others)
                for place, name in zip(chosen, names, strict=True):
                    text[place] = f"{{{name}:d}}"
                yield "".join(text) + ".*"


def _number_fields(fields: Fields) -> Iterator[tuple[str, ...]]:
    """The fields that tell pairs apart and are numbers: as few as do, then all."""
    numbers = [name for name in fields.telling if name in fields.numbers]
    for count in range(1, len(numbers) + 1):
        yield from (names for names in combinations(numbers, count) if fields.tell_apart(names))


def _by_text(path: str, fields: Fields) -> Iterator[str]:
    """What stands around a pair's own name, wherever this path has one; longer names first."""
    stem = _stem(path)
    around: Counter[tuple[str, str, str]] = Counter()
    for template in fields.templates:
        names = [match["name"] for match in FIELD.finditer(template)]
        if not fields.tell_apart(list(dict.fromkeys(names))):
            continue
        kinds = FIELD.sub(
            lambda m: f"{{{m['name']}:d}}" if m["name"] in fields.numbers else f"{{{m['name']}}}", template
        )
        for number in range(len(next(iter(fields.texts.values())))):
            own = FIELD.sub(lambda match: fields.texts[match["name"]][number], template)  # noqa: B023 - used at once
            for start in _places(stem, own):
                around[stem[:start], kinds, stem[start + len(own) :]] = len(own)
    for (before, template, after), _ in around.most_common():
        yield f"{before}{template}{after}.*"


def _places(text: str, part: str) -> Iterable[int]:
    start = text.find(part) if part else -1
    while start >= 0:
        yield start
        start = text.find(part, start + 1)


def _is_pattern(text: str) -> bool:
    try:
        Pattern(text)
    except ValueError:  # letters that have a meaning, or fields that nothing tells apart
        return False
    return True
