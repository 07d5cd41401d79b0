"""What a report is asked for, checked before a run is read. Needs no torch, so that a mistake is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from derainbench.errors import UserError, did_you_mean
from derainbench.support.atomic import read_json
from derainbench.support.words import split_list

from .format import Style
from .formats import format_names, get_formats
from .published.shipped import paper_tables


def formats_of(words: str, style: Style | None = None) -> list[str]:
    """The formats that ``--format`` names; ``all`` is every one.

    UserError for others, and where what a format needs beside Python is missing, such as LaTeX for a PDF.
    """
    asked = [name for word in split_list(words) for name in (format_names() if word == "all" else [word])]
    formats = get_formats(asked)
    for each in formats.values():
        each.check(style or Style())
    return list(formats)


def tables_of(words: Sequence[str]) -> list[str]:
    """The published tables that ``--table`` names, less ``none``. UserError where one is missing or has a mistake."""
    names = [name for name in words if name != "none"]
    paper_tables(names)
    return names


def check_protocol(protocol: str | None, runs: Sequence[Path]) -> None:
    """UserError where none of the runs was measured under the protocol; what is no run is told where it is read."""
    if protocol is None:
        return
    known: list[str] = []
    for run in runs:
        try:
            known += map(str, read_json(run / "run.json")["protocols"])
        except (UserError, KeyError, TypeError):
            return
    if protocol not in known:
        hint = did_you_mean(protocol, list(dict.fromkeys(known)))
        raise UserError(f"no scores under protocol {protocol!r} in {', '.join(map(str, runs))}; {hint}")
