"""Writes a report into a folder, in the formats asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from derainbench.atomic import write_atomic
from derainbench.errors import UserError, did_you_mean
from derainbench.results import Results

from .html import html, html_without_images
from .latex import report_tex, tables_tex
from .markdown import markdown
from .scores import scores_csv, scores_notes

#: What each format consists of: file name and what renders it. The first file is the one to open.
FORMATS: Mapping[str, Mapping[str, Callable[[Results], str]]] = MappingProxyType(
    {
        "html": {"index.html": html},
        "latex": {"report.tex": report_tex, "tables.tex": tables_tex},
        "markdown": {"report.md": markdown},
        "csv": {"scores.csv": scores_csv, "scores-notes.txt": scores_notes},
    }
)


def write_report(
    results: Results,
    folder: Path,
    formats: Sequence[str] = ("html", "latex", "markdown", "csv"),
    images: Literal["embed", "none"] = "embed",
) -> Path:
    """Write the report of ``results`` into ``folder`` and return the file to open: ``index.html`` or the first one.

    ``images`` says whether the page holds copies of the images; most datasets may not be passed on.
    UserError for a format that does not exist (nothing is written then); StorageError if the disk refuses.
    """
    if not formats:
        raise UserError(f"no report format is given: name one or more of {', '.join(FORMATS)}")
    for name in formats:
        if name not in FORMATS:
            raise UserError(
                f"unknown report format {name!r} (there are {', '.join(FORMATS)}): {did_you_mean(name, [*FORMATS])}"
            )
    renderings = {**FORMATS, "html": {"index.html": html if images == "embed" else html_without_images}}
    written = []
    for name in dict.fromkeys(formats):
        for file, render in renderings[name].items():
            write_atomic(folder / file, render(results).encode("utf-8"))
            written.append(folder / file)
    index = folder / "index.html"
    return index if index in written else written[0]
