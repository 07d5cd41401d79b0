"""What a qualitative figure shows, as plain data: images, windows of them, and what methods made of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from derainbench.errors import UserError, did_you_mean, printable
from derainbench.plugins.names import parse_name

from ..comparison.labels import short_names
from .windows import Box, Image

#: The columns that are no method's, by key and title.
INPUT, TRUTH = "rainy", "truth"
TITLES = {INPUT: "Rainy", TRUTH: "Ground truth"}


@dataclass(frozen=True)
class Order:
    """What is asked for. ``images``, ``methods`` and ``windows`` are empty where rules choose.

    ``titles`` are by what a method may be called; ``errors`` asks for maps of the difference from the ground truth.
    """

    images: tuple[str, ...] = ()
    windows: tuple[tuple[str, Box], ...] = ()
    methods: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    protocol: str | None = None
    errors: bool = False

    @property
    def wanted(self) -> tuple[str, ...]:
        """The images that are named, in order: by themselves, or else with windows."""
        return self.images or tuple(dict.fromkeys(name for name, _ in self.windows))


@dataclass(frozen=True)
class Version:
    """An image (H, W, 3) as it is in a column, and its scores as they are printed, none where nothing is scored."""

    pixels: Image
    scores: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """An image with its windows; ``versions`` are by the keys of columns. ``whole`` is the one that is shown whole.

    ``name`` is how the command asks for it; ``image`` and ``dataset`` are for a caption, the dataset empty where it is
    of none; ``rule`` says why it is shown where nobody asked.
    """

    name: str
    image: str
    dataset: str
    whole: Image
    windows: tuple[Box, ...]
    versions: Mapping[str, Version]
    rule: str = ""


@dataclass(frozen=True)
class Plate:
    """A figure: ``columns`` are titles by key, from left to right.

    ``metrics`` are the titles of the scores, in their order, and ``protocol`` what they are measured under: both empty
    where nothing is scored. ``errors``: each window has its map of errors below.
    """

    subjects: tuple[Subject, ...]
    columns: Mapping[str, str]
    metrics: tuple[str, ...] = ()
    protocol: str = ""
    errors: bool = False


def found(word: str, names: Sequence[str], what: str) -> str:
    """The one of ``names`` that ``word`` is: itself, or with other zeros in front, or without a suffix.

    :class:`UserError` where it is none, or several.
    """
    ways: tuple[Callable[[str], str], ...] = (str, _plain, lambda name: _plain(name.rpartition(".")[0] or name))
    for way in ways:
        same = [name for name in names if way(name) == way(word) or way(name) == word]
        if len(same) == 1:
            return same[0]
        if same:
            raise UserError(f"{what} {word!r} may be {' or '.join(map(repr, same[:5]))}; write the whole name")
    shown = [*names][:20]
    raise UserError(f"{what} {word!r}: no such one; {did_you_mean(word, shown if len(names) > 20 else [*names])}")


def _plain(name: str) -> str:
    """A name without zeros in front of its numbers."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)


def windows_of(name: str, windows: Iterable[tuple[str, Box]]) -> tuple[Box, ...]:
    """Those of the image of that name, each once."""
    return tuple(dict.fromkeys(box for image, box in windows if image == name))


@dataclass(frozen=True)
class Columns:
    """All columns that a figure may have: titles by key, and the keys that each name may stand for."""

    titles: Mapping[str, str]
    called: Mapping[str, Sequence[str]]

    def find(self, word: str, option: str) -> str:
        """The key of the column that a word of ``option`` names; :class:`UserError` where it is none, or several."""
        keys = self.called.get(word) or [key for key in self.titles if _same_method(key, word)]
        if len(keys) == 1:
            return keys[0]
        if keys:
            raise UserError(f"{option} {word!r} may be {' or '.join(map(repr, keys))}; write one of these")
        raise UserError(f"{option} {word!r}: no such method here; {did_you_mean(word, sorted(self.called))}")

    def chosen(self, order: Order) -> tuple[str, ...]:
        """The keys of the methods that are asked for, in that order; of all without any."""
        asked = dict.fromkeys(self.find(word, "--methods") for word in order.methods)
        return tuple(key for key in asked or self.titles if key not in TITLES)

    def renamed(self, keys: Iterable[str], order: Order) -> dict[str, str]:
        """The titles of some columns, as ``--rename`` has them; long ones without what stands in parentheses.

        :class:`UserError` where it names a column twice, or would make two of these look alike.
        """
        short = dict(zip(self.titles, short_names(tuple(self.titles.values())), strict=True))
        given: dict[str, str] = {}
        for name, title in order.titles.items():
            key = self.find(name, "--rename")
            if key in given:
                raise UserError(f"--rename {name!r}: {key!r} has the title {given[key]!r} already; keep one")
            given[key] = title
        titles = {key: printable(" ".join(given.get(key, short[key]).split())) for key in keys}
        for title, count in Counter(titles.values()).items():
            if count > 1:
                alike = " and ".join(repr(key) for key in titles if titles[key] == title)
                raise UserError(f"--rename: {alike} would all be called {title!r}; give each a title of its own")
        return titles


def _same_method(key: str, word: str) -> bool:
    """Whether two names mean one method: options may stand in any order."""
    try:
        return parse_name(key) == parse_name(word)
    except UserError:
        return False


def columns(titles: Mapping[str, str], names: Mapping[str, Iterable[str]]) -> Columns:
    """Columns by key; each is called by its key, or by one of its ``names``, also where those are not its alone."""
    all_titles = {INPUT: TITLES[INPUT], **titles, TRUTH: TITLES[TRUTH]}
    called: dict[str, list[str]] = {key: [key] for key in all_titles}
    for key, others in names.items():
        for name in others:
            if name not in all_titles:
                called.setdefault(name, []).append(key)
    return Columns(all_titles, {name: list(dict.fromkeys(keys)) for name, keys in called.items()})
