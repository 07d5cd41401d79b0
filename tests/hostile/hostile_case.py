"""What a case of the table is: a hostile input, the command that meets it, and what should be said of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Row = TypeVar("Row")
Column = TypeVar("Column")

#: Makes the hostile input in the folder that the command works in.
Prepare = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """Nothing is to be made: the words alone are hostile."""


@dataclass(frozen=True)
class Case:
    """One row of the table.

    ``said`` stands in the line that the input gets. ``status`` is 2 for a mistake, one line on standard error and no
    file made; where the input is harmless, or is told in a list, ``status`` is another one. ``makes`` is the one file
    or folder that a command may make then.
    """

    kind: str
    what: str
    arguments: tuple[str, ...]
    said: str
    prepare: Prepare = nothing
    status: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)
    makes: str = ""

    @property
    def name(self) -> str:
        """What the row is called: printable and short."""
        text = f"{self.kind}: {self.what}"
        return text if text.isprintable() else ascii(text)[1:-1]


def run(*more: str, methods: str = "identity", datasets: str = "tiny", out: str = "new") -> tuple[str, ...]:
    """The arguments of a run in the folder of the case, which would make the folder ``new``."""
    fixed = ("--card", "card.toml", "--plugin", "plugin.py", "--device", "cpu", "--out", out)
    recipe = () if "--recipe" in more else ("--recipe", "tiny.toml")
    return ("run", "--methods", methods, "--datasets", datasets, *fixed, *recipe, *more)


def text_file(name: str, text: str | bytes) -> Prepare:
    """Writes a file, in place of what is there."""
    data = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / name).write_bytes(data)


def some(rows: Iterable[Row], columns: Iterable[Column], every: int) -> Iterator[tuple[Row, Column]]:
    """One of ``every`` pairs, such that each row and each column takes its turn."""
    listed = list(columns)
    for i, row in enumerate(rows):
        yield from ((row, column) for j, column in enumerate(listed) if (i + j) % every == 0)


def shown(word: str) -> str:
    """A word as the table names it."""
    printable = word if word.isprintable() else ascii(word)[1:-1]
    return f"{printable[:20]}... ({len(word):,} characters)" if len(printable) > 40 else printable or "nothing"


#: A word that no UTF-8 stands behind, as Python hands it over.
NO_TEXT = os.fsdecode(b"caf\xe9")
