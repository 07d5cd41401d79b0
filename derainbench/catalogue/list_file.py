"""Text files that name images, a line each: sets say in them which are for training, and users which ones count.

A line is the path of a rainy image below the dataset's folder, or the end of that path; its suffix may be left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from derainbench.errors import UserError
from derainbench.images.find import IMAGE_SUFFIXES
from derainbench.support.atomic import file_hash, read_regular

_LARGEST = 2**28  # bytes of a list: SPA-Data's has 638,493 lines
_SHOWN = 80  # letters of a line


class Line(NamedTuple):
    """A line that names something, without what stands around it, and its number from 1 on."""

    number: int
    text: str


def read_lines(file: Path) -> list[Line]:
    """The lines of a list. Empty ones, and those that begin with #, count for nothing.

    :class:`UserError` where the file is not there, or is no text in UTF-8.
    """
    _check(file)
    try:
        lines = [line.strip() for line in read_regular(file).decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise UserError(f"list {file} is no text in UTF-8; save it as such") from error
    return [Line(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]


def list_hash(file: Path) -> str:
    """sha256 of a list; errors as in :func:`read_lines`."""
    _check(file)
    return file_hash(file)


def _check(file: Path) -> None:
    if not file.is_file() or file.stat().st_size > _LARGEST:
        raise UserError(f"list {file} is no text file that is here; give one with the name of an image a line")


class Listed(NamedTuple):
    """Which of some images a list names, by their places, and what is wrong with its lines."""

    chosen: set[int]
    problems: list[str]


def listed(file: Path, rainy: Sequence[str], clean: Sequence[str | None], scenes: Sequence[str]) -> Listed:
    """The images that ``file`` names, of some with these rainy and clean files (paths below the dataset's folder).

    A line may name the clean file instead, which stands for all rainy ones of it, or both, with space between them. The
    whole path comes before its end, and rainy files before clean ones. An image may be named twice. Lines that name
    nothing, images of several scenes, or a path that leaves the folder are problems. Errors as in :func:`read_lines`.
    """
    lines = read_lines(file)
    hits = _Hits(name for line in lines for name in (line.text, *line.text.split()))
    hits.look_at(rainy, clean)
    chosen: set[int] = set()
    problems: list[str] = []
    for line in lines:
        found = hits.of(line.text)
        words = line.text.split()
        if not found and len(words) > 1:
            found = set.intersection(*map(hits.of, words))
        if not found or len({scenes[place] for place in found}) > 1:
            where = f"{file}, line {line.number}: {line.text[:_SHOWN]!a}"
            problems.append(f"{where} {_what_is_wrong(line.text, bool(found), rainy)}")
        else:
            chosen |= found
    return Listed(chosen, problems)


def _what_is_wrong(text: str, several: bool, rainy: Sequence[str]) -> str:
    if any(_leaves_the_folder(name) for name in (text, *text.split())):
        return "leaves the dataset's folder; write paths below it, without / in front and without .."
    if several:
        return "names images of several scenes; write more of the path"
    such = f", such as {rainy[0]}" if rainy else ""
    return f"names no image that is here; restore it, remove the line, or write paths below the dataset's folder{such}"


def _leaves_the_folder(name: str) -> bool:
    path = PureWindowsPath(name)  # takes both / and \
    return bool(path.anchor) or ".." in path.parts


class _Hits:
    """Which images each of some names means."""

    def __init__(self, names: Iterable[str]) -> None:
        # Of the list's names only: of all ends of all paths there are far more.
        self._known = {_plain(name): _Places(set(), set(), set()) for name in names if not _leaves_the_folder(name)}

    def look_at(self, rainy: Sequence[str], clean: Sequence[str | None]) -> None:
        for place, path in enumerate(rainy):
            for end, whole in _ends(path):
                if end in self._known:
                    (self._known[end].path if whole else self._known[end].rainy).add(place)
        ends_of: dict[str, list[str]] = {}
        for place, other in enumerate(clean):
            if other is not None:
                for end in ends_of.setdefault(other, [end for end, _ in _ends(other) if end in self._known]):
                    self._known[end].clean.add(place)

    def of(self, name: str) -> set[int]:
        found = self._known.get(_plain(name))
        return set() if found is None else found.path or found.rainy or found.clean


class _Places(NamedTuple):
    """Where a name is a rainy file's whole path, the end of one, and a clean file's path or the end of one."""

    path: set[int]
    rainy: set[int]
    clean: set[int]


def _ends(path: str) -> Iterator[tuple[str, bool]]:
    """A path and its ends, each with and without the suffix, and whether it is the whole one."""
    parts = PurePosixPath(unicodedata.normalize("NFC", path)).parts
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        yield end, start == 0
        stem, dot, suffix = end.rpartition(".")
        if dot and suffix.lower() in IMAGE_SUFFIXES:
            yield stem, start == 0


def _plain(name: str) -> str:
    """As :func:`_ends` spells it: with / and without . and repeated ones."""
    return PurePosixPath(re.sub(r"[\\/]+", "/", unicodedata.normalize("NFC", name))).as_posix()
