"""What a report is asked for, checked before a run is read. Needs no torch, so that a mistake is told at once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from derainbench.atomic import read_json
from derainbench.errors import UserError, did_you_mean
from derainbench.names import split_list

from .published.shipped import paper_tables

#: Every format, the one that people read most easily first.
FORMATS = ("html", "pdf", "markdown", "latex", "csv", "json")
#: Those that need nothing but Python.
DEFAULT_FORMATS = ("html", "latex", "markdown", "csv", "json")


def formats_of(words: str) -> list[str]:
    """The formats that ``--format`` names; ``all`` is every one. UserError for others, and where LaTeX is missing."""
    asked = [name for word in split_list(words) for name in (FORMATS if word == "all" else [word])]
    check_formats(asked)
    if "pdf" in asked:
        check_latex()
    return list(dict.fromkeys(asked))


def check_formats(formats: Sequence[str]) -> None:
    """UserError for a format that does not exist, or where none is given."""
    if not formats:
        raise UserError(f"no report format is given: name one or more of {', '.join(FORMATS)}, or all")
    for name in formats:
        if name not in FORMATS:
            known, hint = f"known: {', '.join(FORMATS)}, or all", did_you_mean(name, [*FORMATS])
            near = f"{hint} ({known})" if hint.startswith("did you mean") else known
            raise UserError(f"unknown report format {name!r}; {near}")


def check_latex() -> None:
    """UserError where the programs that make ``report.pdf`` are not installed."""
    missing = [name for name in ("pdflatex", "bibtex") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"report.pdf needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not on the PATH; "
            "install TeX Live, or leave pdf out of --format and compile report.tex elsewhere"
        )


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
