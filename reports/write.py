"""Writes a report into a folder, in the formats asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from .content import Content
from .latex.documents import published_tex, report_tex, tables_tex, weights_tex
from .latex.numbers import PLAIN, NumberStyle
from .latex.pdf import compile_pdf
from .latex.references import references_bib
from .options import DEFAULT_FORMATS, FORMATS, check_formats
from .own_files import OwnFiles
from .page.html import html
from .page.pictures import NoPictures, Pictures, PicturesBeside, remove_stale_pictures
from .text.csv import scores_csv, scores_notes
from .text.json import results_json
from .text.markdown import markdown

Images = Literal["embed", "beside", "none"]


@dataclass(frozen=True)
class Style:
    """How a report is written: where the page's pictures are, and how LaTeX sets numbers."""

    images: Images = "embed"
    numbers: NumberStyle = PLAIN


def _html(content: Content, own: OwnFiles, style: Style) -> list[Path]:
    pools: Mapping[Images, Callable[[], Pictures]] = {
        "embed": Pictures,
        "beside": lambda: PicturesBeside(own.folder),
        "none": NoPictures,
    }
    pictures = pools[style.images]()
    page = own.write("index.html", html(content, pictures).encode())
    remove_stale_pictures(own.folder, pictures.files)
    return [page]


def _latex(content: Content, own: OwnFiles, style: Style) -> list[Path]:
    return [
        own.write("report.tex", report_tex(content, style.numbers).encode()),
        own.write("tables.tex", tables_tex(content, style.numbers).encode()),
        own.write("weights.tex", weights_tex(content).encode()),
        own.write("published.tex", published_tex(content).encode()),
        own.write("references.bib", references_bib(content).encode()),
    ]


def _pdf(content: Content, own: OwnFiles, style: Style) -> list[Path]:
    sources = _latex(content, own, style)
    return [compile_pdf(own), *sources]


def _markdown(content: Content, own: OwnFiles, _: Style) -> list[Path]:
    return [own.write("report.md", markdown(content).encode())]


def _csv(content: Content, own: OwnFiles, _: Style) -> list[Path]:
    return [
        own.write("scores.csv", scores_csv(content).encode()),
        own.write("scores-notes.txt", scores_notes(content).encode()),
    ]


def _json(content: Content, own: OwnFiles, _: Style) -> list[Path]:
    return [own.write("results.json", results_json(content).encode())]


_SOURCES = ("report.tex", "tables.tex", "weights.tex", "published.tex", "references.bib")
#: The files of each format.
_FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "html": ("index.html",),
        "latex": _SOURCES,
        "markdown": ("report.md",),
        "csv": ("scores.csv", "scores-notes.txt"),
        "json": ("results.json",),
        "pdf": ("report.pdf", *_SOURCES),
    }
)
#: What writes each format; the first file of each is the one to open.
_WRITERS: Mapping[str, Callable[[Content, OwnFiles, Style], list[Path]]] = MappingProxyType(
    {"html": _html, "latex": _latex, "markdown": _markdown, "csv": _csv, "json": _json, "pdf": _pdf}
)


def write_report(
    content: Content, folder: Path, formats: Sequence[str] = DEFAULT_FORMATS, style: Style | None = None
) -> Path:
    """Write a report into ``folder`` and return the file to open, that of the first of :data:`.asked.FORMATS` in it.

    UserError for a format that does not exist, and where a file of that name is there that no report wrote (nothing is
    written then); for ``pdf`` without LaTeX; StorageError if the disk refuses.
    """
    check_formats(formats)
    own = OwnFiles(folder)
    own.check(name for each in formats for name in _FILES[each])
    written = {name: _WRITERS[name](content, own, style or Style()) for name in dict.fromkeys(formats)}
    own.finish()
    return next(written[name][0] for name in FORMATS if name in written)
