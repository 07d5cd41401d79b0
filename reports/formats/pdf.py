"""A document of everything, compiled by the LaTeX that is installed; its sources stay beside it."""

from __future__ import annotations

from pathlib import Path

from ..content import Content
from ..format import Format, Style
from ..latex.numbers import PLAIN
from ..latex.pdf import LATEX_FILES, check_latex, compile_pdf
from ..own_files import OwnFiles
from . import latex


def _write(content: Content, own: OwnFiles, style: Style) -> Path:
    latex.FORMAT.write(content, own, style)
    return compile_pdf(own)


def _check(style: Style) -> None:
    check_latex(LATEX_FILES if style.numbers is PLAIN else [*LATEX_FILES, "siunitx.sty"])


FORMAT = Format(files=("report.pdf", *latex.FORMAT.files), write=_write, rank=1, check=_check)
