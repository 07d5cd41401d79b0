"""Writes a report into a folder, in the formats asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .content import Content
from .format import Style
from .formats import get_formats
from .own_files import OwnFiles

#: Those that need nothing but Python.
DEFAULT_FORMATS = ("html", "latex", "markdown", "csv", "json")


def write_report(
    content: Content, folder: Path, formats: Sequence[str] = DEFAULT_FORMATS, style: Style | None = None
) -> Path:
    """Write a report into ``folder`` and return the file to open, that of the format with the lowest rank.

    UserError for a format that does not exist, and where a file of that name is there that no report wrote (nothing is
    written then); for ``pdf`` without LaTeX; StorageError if the disk refuses.
    """
    chosen = get_formats(formats).values()
    own = OwnFiles(folder)
    own.check(file for each in chosen for file in each.files)
    written = {each.rank: each.write(content, own, style or Style()) for each in chosen}
    own.finish()
    return written[min(written)]
