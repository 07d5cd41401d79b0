"""Which photographs files and folders hold, and what the restored ones are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from derainbench.errors import UserError, printable
from derainbench.images.find import IMAGE_SUFFIXES, files_below


@dataclass(frozen=True)
class Photograph:
    """A photograph's file; ``name`` is its path below the folder that was given, with slashes, or its file's name.

    ``restored`` is what it is called below a method's folder: a PNG at the same place.
    """

    path: Path
    name: str
    restored: str


@dataclass(frozen=True)
class Found:
    """The photographs, in the order of their names with numbers by value; ``skipped`` are other files, by name."""

    photographs: tuple[Photograph, ...]
    skipped: tuple[str, ...]


def find_photographs(sources: Sequence[Path], out: Path) -> Found:
    """The photographs that ``sources`` are, or hold at any depth; results in ``out`` are none of them.

    A file that is given is a photograph whatever it is called; of those in a folder the suffix tells. Hidden files are
    left out. :class:`UserError` where a source is not there, where none is found, and where two have one name.
    """
    paths: dict[str, Path] = {}
    skipped: list[str] = []
    for source in sources:
        if source.is_dir():
            below = files_below(source, out)
            found = {path.relative_to(source).as_posix(): path for path in below.images}
            skipped += sorted(path.relative_to(source).as_posix() for path in below.others)
        else:
            found = {source.name: source}
        for name, path in found.items():
            if name in paths:
                raise UserError(
                    f"{paths[name]} and {path} are both called {name!r}; give the folder that holds both, or one at a "
                    "time with another --out"
                )
            paths[name] = path
    if not paths:
        raise UserError(f"no photographs in {', '.join(map(str, sources))} ({', '.join(IMAGE_SUFFIXES)}); check it")
    names = sorted(paths, key=_by_value)
    called = _restored_names(names)
    photographs = [Photograph(paths[name], name, called[name]) for name in names]
    return Found(tuple(photographs), tuple(map(printable, skipped)))


def _restored_names(names: Sequence[str]) -> dict[str, str]:
    """``a/b.jpg`` becomes ``a/b.png``; where that means two photographs, on some disk, ``a/b.jpg.png``."""
    plain = {name: str(PurePosixPath(name).with_suffix(".png")) for name in names}
    often = Counter(called.casefold() for called in plain.values())
    called = {name: text if often[text.casefold()] == 1 else f"{name}.png" for name, text in plain.items()}
    first: dict[str, str] = {}
    for name, text in called.items():
        if (other := first.setdefault(text.casefold(), name)) != name:
            raise UserError(f"{other} and {name} would both be written to {text}; rename one of them")
    return called


def _by_value(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A key that puts ``2.png`` before ``10.png``."""
    parts = re.findall("[0-9]+|[^0-9]+", name)
    # Above 4,300 digits Python refuses to read a number.
    keys = [(0, int(part), "") if part.isdecimal() and len(part) < 4000 else (1, 0, part) for part in parts]
    return keys, name
