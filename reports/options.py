"""What a report is asked for, checked before a run is read. Needs no torch, so that a mistake is told at once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from derainbench.errors import UserError, did_you_mean
from derainbench.support.atomic import read_json
from derainbench.support.words import split_list

from .published.shipped import paper_tables

#: Every format, the one that people read most easily first.
FORMATS = ("html", "pdf", "markdown", "latex", "csv", "json")
#: What report.tex loads beyond LaTeX itself, and the style of its bibliography.
LATEX_FILES = ("geometry.sty", "lmodern.sty", "booktabs.sty", "longtable.sty", "tikz.sty", "plain.bst")
#: Where Debian has them, and what may be asked for beside.
_DEBIAN = {
    "geometry.sty": "texlive-latex-base",
    "lmodern.sty": "lmodern",
    "booktabs.sty": "texlive-latex-recommended",
    "longtable.sty": "texlive-latex-base",
    "tikz.sty": "texlive-pictures",
    "plain.bst": "texlive-base",
    "siunitx.sty": "texlive-science",
}
#: Those that need nothing but Python.
DEFAULT_FORMATS = ("html", "latex", "markdown", "csv", "json")


def formats_of(words: str, siunitx: bool = False) -> list[str]:
    """The formats that ``--format`` names; ``all`` is every one.

    UserError for others, and where a PDF is asked for and LaTeX, or a package that it needs, is missing; ``siunitx``
    is one of them where numbers are set with it.
    """
    asked = [name for word in split_list(words) for name in (FORMATS if word == "all" else [word])]
    check_formats(asked)
    if "pdf" in asked:
        check_latex([*LATEX_FILES, *(["siunitx.sty"] if siunitx else [])])
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


def check_latex(files: Sequence[str] = LATEX_FILES) -> None:
    """UserError where the programs that make ``report.pdf``, or these of LaTeX's files, are not installed."""
    missing = [name for name in ("pdflatex", "bibtex") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"report.pdf needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not on the PATH; "
            "install TeX Live, or leave pdf out of --format and compile report.tex elsewhere"
        )
    absent = _absent(files)
    if absent:
        packages = " ".join(dict.fromkeys(_DEBIAN[name] for name in absent))
        raise UserError(
            f"report.pdf needs {', '.join(absent)}, which LaTeX does not find: install the LaTeX packages (on Debian: "
            f"apt install {packages}), or leave pdf out of --format and compile report.tex elsewhere"
        )


def _absent(files: Sequence[str]) -> list[str]:
    """Those that LaTeX does not find, by the program that it looks them up with; none where that does not run."""
    try:
        done = subprocess.run(
            ["kpsewhich", *files], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = {Path(line).name for line in done.stdout.decode("utf-8", "replace").splitlines()}
    return [name for name in files if name not in found] if done.returncode in (0, 1) else []


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
