"""Path patterns whose fields pair files: ``rainy/{scene}-{frame:d}.png`` with ``clean/{scene}.png``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_FIELD = re.compile(r"\{(?P<name>[A-Za-z_]\w*)(?P<digits>:d)?\}")


@dataclass(frozen=True)
class Pattern:
    """A path below a dataset's folder, with fields: ``{name}`` is any text without a slash, ``{name:d}`` a number.

    Numbers compare by value, so that ``rain-7`` and ``norain-007`` share ``{id:d}``. ValueError for a bad pattern.
    """

    text: str

    def __post_init__(self) -> None:
        path = PurePosixPath(self.text)
        if path.is_absolute() or ".." in path.parts or "\\" in self.text:
            raise ValueError(f"pattern {self.text!r} leaves the dataset's folder; patterns are relative, with /")
        names = [match["name"] for match in _FIELD.finditer(self.text)]
        rest = _FIELD.sub("", self.text)
        if "{" in rest or "}" in rest:
            raise ValueError(f"pattern {self.text!r}: a field is {{name}}, or {{name:d}} for a number")
        if not names:
            raise ValueError(f"pattern {self.text!r} has no {{field}} to pair by")
        if len(set(names)) != len(names):
            raise ValueError(f"pattern {self.text!r} uses a field twice")

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(match["name"] for match in _FIELD.finditer(self.text))

    @property
    def numbers(self) -> frozenset[str]:
        """The names of the fields that are numbers."""
        return frozenset(match["name"] for match in _FIELD.finditer(self.text) if match["digits"])

    def find(self, root: Path) -> Iterator[tuple[Path, dict[str, str]]]:
        """Every file below ``root`` that matches, sorted by path, with the text of its fields."""
        expression = self._expression()
        start = root / self._fixed_folder()
        found = []
        for folder, folders, names in os.walk(start):
            folders.sort()
            for name in names:
                path = Path(folder, name)
                match = expression.fullmatch(path.relative_to(root).as_posix())
                if match:
                    found.append((path, match.groupdict()))
        yield from sorted(found, key=lambda item: item[0].as_posix())

    def key(self, fields: dict[str, str], names: tuple[str, ...]) -> tuple[str | int, ...]:
        """The values of some fields, numbers as numbers."""
        return tuple(int(fields[name]) if name in self.numbers else fields[name] for name in names)

    def _fixed_folder(self) -> PurePosixPath:
        fixed = []
        for part in PurePosixPath(self.text).parts[:-1]:
            if "{" in part:
                break
            fixed.append(part)
        return PurePosixPath(*fixed)

    def _expression(self) -> re.Pattern[str]:
        parts, end = [], 0
        for match in _FIELD.finditer(self.text):
            parts.append(re.escape(self.text[end : match.start()]))
            parts.append(f"(?P<{match['name']}>{r'[0-9]+' if match['digits'] else '[^/]+?'})")
            end = match.end()
        return re.compile("".join([*parts, re.escape(self.text[end:])]))
