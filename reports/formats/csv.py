"""Every score of every image as a table, and what must be known of them."""

from __future__ import annotations

from pathlib import Path

from ..content import Content
from ..format import Format, Style
from ..own_files import OwnFiles
from ..text.csv import scores_csv, scores_notes


def _write(content: Content, own: OwnFiles, _: Style) -> Path:
    scores = own.write("scores.csv", scores_csv(content).encode())
    own.write("scores-notes.txt", scores_notes(content).encode())
    return scores


FORMAT = Format(files=("scores.csv", "scores-notes.txt"), write=_write, rank=4)
