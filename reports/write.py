"""Writes a report into a folder, in the formats asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from derainbench.atomic import write_atomic

from .asked import DEFAULT_FORMATS, FORMATS, check_formats
from .content import Content
from .data.results_json import results_json
from .latex.documents import published_tex, report_tex, tables_tex, weights_tex
from .latex.numbers import PLAIN, NumberStyle
from .latex.pdf import compile_pdf
from .latex.references import references_bib
from .own_files import refuse_to_replace
from .page.html import html
from .page.pictures import NoPictures, Pictures, PicturesBeside, remove_stale_pictures
from .text.markdown import markdown
from .text.scores import scores_csv, scores_notes

Images = Literal["embed", "beside", "none"]


@dataclass(frozen=True)
class Style:
    """How a report is written: where the page's pictures are, and how LaTeX sets numbers."""

    images: Images = "embed"
    numbers: NumberStyle = PLAIN


def _html(content: Content, folder: Path, style: Style) -> list[Path]:
    pools: Mapping[Images, Callable[[], Pictures]] = {
        "embed": Pictures,
        "beside": lambda: PicturesBeside(folder),
        "none": NoPictures,
    }
    pictures = pools[style.images]()
    page = _written(folder / "index.html", html(content, pictures))
    remove_stale_pictures(folder, pictures.files)
    return [page]


def _latex(content: Content, folder: Path, style: Style) -> list[Path]:
    return [
        _written(folder / "report.tex", report_tex(content, style.numbers)),
        _written(folder / "tables.tex", tables_tex(content, style.numbers)),
        _written(folder / "weights.tex", weights_tex(content)),
        _written(folder / "published.tex", published_tex(content)),
        _written(folder / "references.bib", references_bib(content)),
    ]


def _pdf(content: Content, folder: Path, style: Style) -> list[Path]:
    sources = _latex(content, folder, style)
    return [compile_pdf(folder), *sources]


def _markdown(content: Content, folder: Path, _: Style) -> list[Path]:
    return [_written(folder / "report.md", markdown(content))]


def _csv(content: Content, folder: Path, _: Style) -> list[Path]:
    return [
        _written(folder / "scores.csv", scores_csv(content)),
        _written(folder / "scores-notes.txt", scores_notes(content)),
    ]


def _json(content: Content, folder: Path, _: Style) -> list[Path]:
    return [_written(folder / "results.json", results_json(content))]


#: What writes each format; the first file of each is the one to open.
_WRITERS: Mapping[str, Callable[[Content, Path, Style], list[Path]]] = MappingProxyType(
    {"html": _html, "latex": _latex, "markdown": _markdown, "csv": _csv, "json": _json, "pdf": _pdf}
)


def write_report(
    content: Content, folder: Path, formats: Sequence[str] = DEFAULT_FORMATS, style: Style | None = None
) -> Path:
    """Write a report into ``folder`` and return the file to open, that of the first of :data:`.asked.FORMATS` in it.

    UserError for a format that does not exist, or where a file would be replaced that no report wrote (nothing is
    written then), or for ``pdf`` without LaTeX; StorageError if the disk refuses.
    """
    check_formats(formats)
    refuse_to_replace(folder, formats)
    written = {name: _WRITERS[name](content, folder, style or Style()) for name in dict.fromkeys(formats)}
    return next(written[name][0] for name in FORMATS if name in written)


def _written(path: Path, text: str) -> Path:
    write_atomic(path, text.encode("utf-8"))
    return path
