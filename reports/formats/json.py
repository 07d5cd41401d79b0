"""The report for programs."""

from __future__ import annotations

from pathlib import Path

from ..content import Content
from ..format import Format, Style
from ..own_files import OwnFiles
from ..text.json import results_json


def _write(content: Content, own: OwnFiles, _: Style) -> Path:
    return own.write("results.json", results_json(content).encode())


FORMAT = Format(files=("results.json",), write=_write, rank=5)
