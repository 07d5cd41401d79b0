"""Path patterns whose fields pair files: ``rainy/{scene}-{frame:d}.png`` with ``clean/{scene}.*``."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from derainbench.catalogue.expressions import FIELD, expression
from derainbench.errors import UserError
from derainbench.support.atomic import storage_error

#: Control characters, and what stands for bytes of a name that are no UTF-8.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

#: The text of a pattern's fields in one path, in the order of :attr:`Pattern.fields`.
Values = tuple[str, ...]


def leads_out(path: str) -> bool:
    """Whether a path is no relative one with / that stays below where it begins."""
    parts = PurePosixPath(path)
    return parts.is_absolute() or ".." in parts.parts or "\\" in path


@dataclass(frozen=True)
class Pattern:
    """A path below a dataset's folder, with fields.

    ``{name}`` is any text without a slash, ``{name:d}`` a number, ``{name:1..900}`` a number from 1 to 900. Numbers
    compare by value, so that ``rain-7`` and ``norain-007`` share ``{id:d}``. ``{name?}`` is text that may be missing. A
    text is as short as it can be, a number as long. A field used twice must have the same text both times. Something
    stands between two texts, and between two numbers. ``.*`` at the end is any image suffix.

    ValueError for a bad pattern.
    """

    text: str

    def __post_init__(self) -> None:
        if leads_out(self.text):
            raise ValueError(f"pattern {self.text!r} leaves the dataset's folder; patterns are relative, with /")
        if (spelt := PurePosixPath(self.text).as_posix()) != self.text:
            raise ValueError(f"pattern {self.text!r} is spelt {spelt!r}")
        kinds: dict[str, set[str]] = {}
        for match in FIELD.finditer(self.text):
            kinds.setdefault(match["name"], set()).add(f"{match['optional']}{match['number']}")
            if match["low"] and int(match["low"]) > int(match["high"]):
                raise ValueError(f"pattern {self.text!r}: {match[0]} has no number in it; swap its ends")
        rest = FIELD.sub("", self.text)
        if "{" in rest or "}" in rest:
            raise ValueError(
                f"pattern {self.text!r}: a field is {{name}}, or {{name:d}} or {{name:1..900}} for a number"
            )
        if "*" in rest.removesuffix(".*"):
            raise ValueError(f"pattern {self.text!r}: * stands only at the end, as .* for any image suffix")
        if not kinds:
            raise ValueError(f"pattern {self.text!r} has no {{field}} to pair by")
        if any("?" in each and not each.endswith("None") for each in set().union(*kinds.values())):
            raise ValueError(f"pattern {self.text!r}: a number cannot be missing; give ? or a number, not both")
        if any(len(each) > 1 for each in kinds.values()):
            raise ValueError(f"pattern {self.text!r} uses one field in two ways")
        expression(self.text)  # refuses what could be taken apart in too many ways

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in order of their first use."""
        return tuple(dict.fromkeys(match["name"] for match in FIELD.finditer(self.text)))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The names of the fields that are numbers."""
        return frozenset(match["name"] for match in FIELD.finditer(self.text) if match["number"])

    def find(self, root: Path, folders: set[str] | None = None) -> list[tuple[str, Values]]:
        """Every file below ``root`` that matches, sorted: its path below it, with / , and the text of its fields.

        ``folders`` receives the folders that were looked into, relative too: a file that comes or goes changes one of
        them. :class:`UserError` where a folder cannot be read.
        """
        return sorted(self._matches(root, set() if folders is None else folders))

    def matches_any(self, root: Path) -> bool:
        """Whether some file below ``root`` matches; stops at the first."""
        return next(self._matches(root, set()), None) is not None

    def match(self, path: str) -> Values | None:
        """The text of the fields of a path; None where it does not match."""
        match = self._expression.fullmatch(path)
        inside = match and all(low <= int(match[name]) <= high for name, low, high in self._ranges)
        return match.groups() if match and inside else None

    def read(self, path: str) -> dict[str, str]:
        """The fields of a path that matches, by name."""
        match = self._expression.fullmatch(path)
        assert match is not None, f"{path} is none of {self.text}"
        return dict(zip(self.fields, match.groups(), strict=True))

    def key(self, values: Values, names: Sequence[str]) -> tuple[str | int, ...]:
        """The values of some fields, for comparison: numbers as numbers, accented letters in one spelling."""
        texts = dict(zip(self.fields, values, strict=True))
        return tuple(
            int(texts[name]) if name in self.numbers else unicodedata.normalize("NFC", texts[name]) for name in names
        )

    def _matches(self, root: Path, folders: set[str]) -> Iterator[tuple[str, Values]]:
        parts = PurePosixPath(self.text).parts
        fixed = next(n for n, part in enumerate(parts) if "{" in part or "*" in part)
        start = "/".join(parts[:fixed])
        for path in _files(root, start, len(parts) - fixed, folders):
            values = self.match(path)
            if values is not None:
                check_text(path, root)
                yield path, values

    @cached_property
    def _ranges(self) -> list[tuple[str, int, int]]:
        return [(m["name"], int(m["low"]), int(m["high"])) for m in FIELD.finditer(self.text) if m["low"]]

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(expression(self.text), re.DOTALL)


def _files(root: Path, start: str, depth: int, folders: set[str]) -> Iterator[str]:
    """Paths of the files exactly ``depth`` levels below ``root/start``, relative to ``root``.

    Links to folders are followed, but not into a folder that one is in already. What is no folder counts as a file:
    a link that leads nowhere is heard of when it is read.
    """
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(start, frozenset())]
    while pending:
        folder, above = pending.pop()
        try:
            here = (root / folder).stat()
            if (here.st_dev, here.st_ino) in above:
                continue
            inside = above | {(here.st_dev, here.st_ino)}
            deeper = depth - len(inside)
            with os.scandir(root / folder) as entries:
                folders.add(folder)
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    is_folder = _is_folder(entry)
                    if deeper and is_folder:
                        pending.append((path, inside))
                    elif not deeper and not is_folder:
                        yield path
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise storage_error(root / folder, error) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def check_text(path: str, root: Path) -> None:
    """:class:`UserError` where the name of a file below ``root`` holds control characters, or is no Unicode."""
    if _NOT_TEXT.search(path):  # a line break would break every list; bytes that are no UTF-8, every file format
        raise UserError(f"{root} has a file whose name is not text: {path!a}; rename it")
