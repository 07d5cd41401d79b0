"""Tables for a paper, and a document that inputs them."""

from __future__ import annotations

from pathlib import Path

from ..content import Content
from ..format import Format, Style
from ..latex.documents import published_tex, report_tex, tables_tex, weights_tex
from ..latex.references import references_bib
from ..own_files import OwnFiles


def _write(content: Content, own: OwnFiles, style: Style) -> Path:
    report = own.write("report.tex", report_tex(content, style.numbers, style.columns).encode())
    own.write("tables.tex", tables_tex(content, style.numbers, style.columns).encode())
    own.write("weights.tex", weights_tex(content, style.columns).encode())
    own.write("published.tex", published_tex(content, style.columns).encode())
    own.write("references.bib", references_bib(content).encode())
    return report


FORMAT = Format(
    files=("report.tex", "tables.tex", "weights.tex", "published.tex", "references.bib"), write=_write, rank=3
)
