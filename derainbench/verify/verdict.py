"""What ``derainbench datasets verify`` found out about a dataset, as plain data."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from derainbench.catalogue.cards import SplitName
from derainbench.images.decode import Half, Source, shown_name


class Finding(NamedTuple):
    """One thing that is wrong, or worth knowing: a kind that does not change, the files, and one line.

    Files, in the line too, are relative to the dataset's folder, with ``(left half)`` or ``(right half)`` behind those
    that are half of a file. docs/verify.md lists the kinds.
    """

    kind: str
    files: tuple[str, ...]
    message: str


@dataclasses.dataclass(frozen=True)
class InputScores:
    """Mean scores of a split's unprocessed input: ``psnr`` in dB, ``ssim``; NaN where there is none.

    ``expected`` are the card's, None where it gives none. ``not_compared`` says why the two were not compared, and is
    empty where they were.
    """

    protocol: str
    psnr: float
    ssim: float
    expected: tuple[float, float] | None
    not_compared: str


@dataclasses.dataclass(frozen=True)
class SplitVerdict:
    """One split. ``pairs`` were found, ``expected`` are the card's, None where it does not say.

    ``repeated`` are groups of scenes that show the same picture, told by the images. ``digest`` and ``manifest`` (its
    file) are None where a problem stands in the way, the file also where the cache cannot be written.
    """

    split: SplitName
    pairs: int
    expected: int | None
    scenes: int
    problems: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    repeated: tuple[tuple[str, ...], ...] = ()
    scores: InputScores | None = None
    digest: str | None = None
    manifest: Path | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A dataset: its splits that are here, and what concerns all of it. A problem makes it unusable."""

    dataset: str
    layout: str
    root: Path
    splits: tuple[SplitVerdict, ...]
    notices: tuple[Finding, ...]

    @property
    def problems(self) -> list[Finding]:
        """Those of all splits."""
        return [each for split in self.splits for each in split.problems]

    @property
    def all_notices(self) -> list[Finding]:
        """Those of all splits, and the dataset's own."""
        return [*(each for split in self.splits for each in split.notices), *self.notices]

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """All of it for ``json.dumps``; a number that is none is None."""
        return {"usable": self.usable, **_plain(dataclasses.asdict(self, dict_factory=dict))}


def below(source: Source, root: Path) -> str:
    """A file's path from the dataset's folder on, with / ; of half a file, with the half behind it."""
    if isinstance(source, Half):
        return f"{below(source.path, root)} ({source.side} half)"
    return source.relative_to(root).as_posix()


def shortened(message: str, files: Iterable[Path], root: Path) -> str:
    """A line that names files below the dataset's folder, with these paths as :func:`below` gives them.

    Nothing else of it changes: the folder's name may well be part of other words.
    """
    known: dict[str, str] = {}
    for path in files:
        name = below(path, root)
        known |= {str(path): name, shown_name(path): shown_name(Path(name))}
    longest_first = sorted(known, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: known[found[0]], message) if known else message


def first_few(names: Sequence[str], most: int = 3) -> str:
    """``a, b, c and 14 more``; ``a, b and c`` where that is all."""
    shown = list(names[:most])
    last = f"{len(names) - most} more" if len(names) > most else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last


def _plain(value: Any) -> Any:
    if isinstance(value, Finding):
        return value._asdict()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
