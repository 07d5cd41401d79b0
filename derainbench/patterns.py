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

    Numbers compare by value, so that ``rain-7`` and ``norain-007`` share ``{id:d}``. A field used twice
    must have the same text both times. ValueError for a bad pattern.
    """

    text: str

    def __post_init__(self) -> None:
        path = PurePosixPath(self.text)
        if path.is_absolute() or ".." in path.parts or "\\" in self.text:
            raise ValueError(f"pattern {self.text!r} leaves the dataset's folder; patterns are relative, with /")
        names: dict[str, set[str | None]] = {match["name"]: set() for match in _FIELD.finditer(self.text)}
        for match in _FIELD.finditer(self.text):
            names[match["name"]].add(match["digits"])
        rest = _FIELD.sub("", self.text)
        if "{" in rest or "}" in rest:
            raise ValueError(f"pattern {self.text!r}: a field is {{name}}, or {{name:d}} for a number")
        if not names:
            raise ValueError(f"pattern {self.text!r} has no {{field}} to pair by")
        if any(len(kinds) > 1 for kinds in names.values()):
            raise ValueError(f"pattern {self.text!r} uses a field as text and as a number")

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in order of their first use."""
        return tuple(dict.fromkeys(match["name"] for match in _FIELD.finditer(self.text)))

    @property
    def numbers(self) -> frozenset[str]:
        """The names of the fields that are numbers."""
        return frozenset(match["name"] for match in _FIELD.finditer(self.text) if match["digits"])

    def find(self, root: Path) -> Iterator[tuple[Path, dict[str, str]]]:
        """Every file below ``root`` that matches, sorted by path, with the text of its fields."""
        yield from sorted(self._walk(root), key=lambda item: item[0].as_posix())

    def matches_any(self, root: Path) -> bool:
        """Whether some file below ``root`` matches; stops at the first."""
        return next(self._walk(root), None) is not None

    def key(self, fields: dict[str, str], names: tuple[str, ...]) -> tuple[str | int, ...]:
        """The values of some fields, numbers as numbers."""
        return tuple(int(fields[name]) if name in self.numbers else fields[name] for name in names)

    def _walk(self, root: Path) -> Iterator[tuple[Path, dict[str, str]]]:
        expression = self._expression()
        for folder, _, names in os.walk(root / self._fixed_folder()):
            for name in names:
                path = Path(folder, name)
                match = expression.fullmatch(path.relative_to(root).as_posix())
                if match:
                    yield path, match.groupdict()

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
            again = f"(?P<{match['name']}>" in "".join(parts)
            text = r"[0-9]+" if match["digits"] else "[^/]+?"
            parts.append(f"(?P={match['name']})" if again else f"(?P<{match['name']}>{text})")
            end = match.end()
        return re.compile("".join([*parts, re.escape(self.text[end:])]))
