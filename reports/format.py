"""What a report's format is: a way of writing it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .content import Content
from .latex.numbers import PLAIN, NumberStyle
from .own_files import OwnFiles

Images = Literal["embed", "beside", "none"]


@dataclass(frozen=True)
class Style:
    """How a report is written: where the page's pictures are, and how LaTeX sets numbers.

    ``columns`` are those of the document that the tables are for, one or two; None: a line of 16 cm.
    """

    images: Images = "embed"
    numbers: NumberStyle = PLAIN
    columns: int | None = None


def nothing_needed(style: Style) -> None:
    """The format needs nothing but Python."""


@dataclass(frozen=True)
class Format:
    """``FORMAT`` of a module in ``reports/formats``, whose name is the format's.

    ``files`` are all that it may write into a report's folder, which is checked before any is written; ``write`` writes
    them and returns the one to open. ``rank`` orders formats, the lowest for what people read most easily. ``check``
    raises :class:`~derainbench.errors.UserError` where something is missing that it needs.
    """

    files: tuple[str, ...]
    write: Callable[[Content, OwnFiles, Style], Path]
    rank: int
    check: Callable[[Style], None] = nothing_needed
