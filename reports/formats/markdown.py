"""The comparison as a Markdown document."""

from __future__ import annotations

from pathlib import Path

from ..content import Content
from ..format import Format, Style
from ..own_files import OwnFiles
from ..text.markdown import markdown


def _write(content: Content, own: OwnFiles, _: Style) -> Path:
    return own.write("report.md", markdown(content).encode())


FORMAT = Format(files=("report.md",), write=_write, rank=2)
