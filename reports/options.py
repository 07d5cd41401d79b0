"""What a report is asked for, checked before a run is read. Needs no torch, so that a mistake is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

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


def tables_of(words: Sequence[str], runs: Sequence[Path]) -> list[str]:
    """The published tables that ``--table`` names, less ``none``; columns may be datasets that only the runs know.

    UserError where a table is missing or has a mistake.
    """
    names = [name for name in words if name != "none"]
    if names:
        paper_tables(names, _said(runs, lambda info: [each["name"] for each in info["datasets"]]) or ())
    return names


def check_protocol(protocol: str | None, runs: Sequence[Path]) -> None:
    """UserError where none of the runs was measured under the protocol; what is no run is told where it is read."""
    known = None if protocol is None else _said(runs, lambda info: info["protocols"])
    if protocol is not None and known is not None and protocol not in known:
        hint = did_you_mean(protocol, list(dict.fromkeys(known)))
        raise UserError(f"no scores under protocol {protocol!r} in {', '.join(map(str, runs))}; {hint}")


def _said(runs: Sequence[Path], names: Callable[[Any], Iterable[str]]) -> list[str] | None:
    """Names that the runs' ``run.json`` have, all together; None where one cannot be read."""
    said: list[str] = []
    for run in runs:
        try:
            said += map(str, names(read_json(run / "run.json")))
        except (UserError, KeyError, TypeError):
            return None
    return said
