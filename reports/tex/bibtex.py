"""BibTeX of any origin: which entries can be cited, under which keys, and the ``.bib`` file that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .escape import escape

#: Commands that may stand in an entry: accents, letters and emphasis. BibTeX hands on what it reads for TeX to run.
_COMMANDS = frozenset(
    [*"\"'`^~=.&%$#_-/ ", *"uvHcdbrkoOlLij", "ss", "ae", "AE", "oe", "OE", "aa", "AA", "emph", "textit", "textsc"]
)
_MONTHS = frozenset(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
#: Fields that styles print by \\url, which shows signs as they are; one that it could not read is left out.
_ADDRESSES = ("url", "doi")
_HEAD = re.compile(r"\s*@([A-Za-z]+)\s*\{\s*([A-Za-z0-9][A-Za-z0-9:._+/-]*)\s*,")
_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*")


@dataclass(frozen=True)
class BibEntry:
    """A BibTeX entry: ``kind`` such as ``article``, its key, and its fields with TeX's accents and braces."""

    kind: str
    key: str
    fields: Mapping[str, str]

    @property
    def work(self) -> str:
        """What is the same for two entries of one work: letters and digits of title and year."""
        return re.sub(r"\\[A-Za-z]+|[^a-z0-9]", "", (self.fields["title"] + self.fields.get("year", "")).lower())

    def text(self, key: str) -> str:
        """The entry as plain ASCII under another key."""
        width = max(map(len, self.fields))
        lines = ",\n".join(f"  {name:{width}} = {{{value}}}" for name, value in self.fields.items())
        return f"@{self.kind}{{{key},\n{lines}\n}}\n"


@dataclass(frozen=True)
class Bibliography:
    """``entries`` by key, in the order in which they were first given; ``keys`` by what was given."""

    entries: Mapping[str, BibEntry]
    keys: Mapping[str, str]

    @property
    def text(self) -> str:
        """A ``.bib`` file."""
        return "\n".join(entry.text(key) for key, entry in self.entries.items())


def bibliography(given: Iterable[str]) -> Bibliography:
    """The entries among ``given``, one for each work; what is no single BibTeX entry cannot be cited.

    A key that another work has already gets a number.
    """
    entries: dict[str, BibEntry] = {}
    works: dict[str, str] = {}
    keys: dict[str, str] = {}
    for text in dict.fromkeys(given):
        try:
            entry = parsed(text)
        except ValueError:
            continue
        if entry.work not in works:
            taken = {key.lower() for key in entries}  # BibTeX takes Wang2019 and wang2019 for one
            key, number = entry.key, 2
            while key.lower() in taken:
                key, number = f"{entry.key}-{number}", number + 1
            works[entry.work], entries[key] = key, entry
        keys[text] = works[entry.work]
    return Bibliography(entries, keys)


def parsed(text: str) -> BibEntry:
    """The one entry that ``text`` is. ValueError where it is none, has no title, or would have TeX run something."""
    head = _HEAD.match(text)
    if head is None or head[1].lower() in ("string", "preamble", "comment"):
        raise ValueError("no BibTeX entry")
    fields: dict[str, str] = {}
    place = head.end()
    while field := _FIELD.match(text, place):
        value, place = _value(text, field.end())
        name = field[1].lower()
        if name == "crossref":
            raise ValueError("a part of another entry")
        if name not in _ADDRESSES:
            fields.setdefault(name, _plain(value))
        elif re.fullmatch(r"[!$&-;=?-Z_a-z~]+", value):
            fields.setdefault(name, value)
        comma = re.compile(r"\s*,").match(text, place)
        if comma is None:
            break
        place = comma.end()
    if not re.compile(r"\s*\}\s*$").match(text, place):
        raise ValueError("an entry that does not end, or something after it")
    if not fields.get("title", "").strip():
        raise ValueError("an entry without a title")
    return BibEntry(head[1].lower(), head[2], fields)


def unreadable(text: str) -> str:
    """Why ``text`` cannot be cited; empty where it can be, or where it is empty."""
    try:
        if text.strip():
            parsed(text)
    except ValueError as error:
        return str(error)
    return ""


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that begins at ``start`` without its delimiters, and where it ends."""
    bare = re.compile(r"[A-Za-z0-9]+").match(text, start)
    if bare is not None:
        if not bare[0].isdecimal() and bare[0].lower() not in _MONTHS:
            raise ValueError(f"an abbreviation that is not defined: {bare[0]}")
        return bare[0].capitalize(), bare.end()
    if text[start : start + 1] not in ("{", '"'):
        raise ValueError("a field without a value")
    quoted = text[start] == '"'
    depth, place = (0 if quoted else 1), start + 1
    while place < len(text):
        character = text[place]
        if character == "\\" and text[place + 1 : place + 2] in ("{", "}"):
            # BibTeX counts such braces, TeX does not: nobody could balance both
            raise ValueError("a brace as text")
        if quoted and character == '"' and depth == 0:
            return text[start + 1 : place], place + 1
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            raise ValueError("braces that do not match")
        if not quoted and depth == 0:
            return text[start + 1 : place], place + 1
        place += 1
    raise ValueError("a value that does not end")


def _plain(value: str) -> str:
    """``value`` on one line in ASCII, with the special characters that are no commands as text."""
    value = " ".join(value.split())
    for command in re.findall(r"\\([A-Za-z]+|.|$)", value):
        if command not in _COMMANDS:
            raise ValueError(f"a command that has no place in an entry: {command!r}")
    value = re.sub(r"(?<!\\)[&%$#_]", r"\\\g<0>", value)
    value = re.sub(r"(?<!\\)\^", r"{\\textasciicircum}", value)
    return re.sub(r"[^ -~]", lambda found: f"{{{escape(found[0])}}}", value)
