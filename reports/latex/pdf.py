"""Makes ``report.pdf`` of a report's LaTeX, with the LaTeX that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from derainbench.errors import UserError

from ..own_files import OwnFiles

#: What report.tex cannot do without beyond LaTeX itself, and the style of its bibliography.
LATEX_FILES = ("geometry.sty", "booktabs.sty", "longtable.sty", "tikz.sty", "plain.bst")
#: What it loads where it is there: with it letters are outlines under every encoding, without it the old fonts do.
COSMETIC = ("lmodern.sty",)
#: The packages of Debian and of TeX Live that have them, and what may be asked for beside.
_PACKAGES = {
    "geometry.sty": ("texlive-latex-base", "geometry"),
    "booktabs.sty": ("texlive-latex-recommended", "booktabs"),
    "longtable.sty": ("texlive-latex-base", "tools"),
    "tikz.sty": ("texlive-pictures", "pgf"),
    "plain.bst": ("texlive-base", "bibtex"),
    "siunitx.sty": ("texlive-science", "siunitx"),
}
#: What LaTeX reads of a report's folder.
_READ = (".tex", ".bib", ".bbl")
#: Seconds for one pass; a report of hundreds of tables takes ten.
_PATIENCE = 120


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
        debian, texlive = (" ".join(dict.fromkeys(_PACKAGES[name][n] for name in absent)) for n in (0, 1))
        raise UserError(
            f"report.pdf needs {', '.join(absent)}, which LaTeX does not find: apt install {debian} (Debian, Ubuntu) "
            f"or tlmgr install {texlive} (TeX Live), or leave pdf out of --format and compile report.tex elsewhere"
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


def compile_pdf(own: OwnFiles) -> Path:
    """``report.pdf`` of ``report.tex`` in a report's folder and what it inputs; nothing else is left in the folder.

    UserError where LaTeX is not installed, where it finds an error (its log is then ``report.log``, unless somebody
    else has one there) and where it takes more than two minutes for a pass; StorageError if the disk refuses.
    """
    check_latex()
    folder = own.folder
    with tempfile.TemporaryDirectory(prefix="derainbench-latex-") as made:
        place = Path(made)
        for path in folder.iterdir():
            if path.suffix in _READ and path.is_file():
                shutil.copyfile(path, place / path.name)
        _pdflatex(place, own)
        if "\\citation{" in (place / "report.aux").read_text(encoding="latin-1"):
            _bibtex(place)
            _pdflatex(place, own)
        for _ in range(3):
            _pdflatex(place, own)
            if not re.search(r"Rerun to get|Table widths have changed", _log(place)):
                break
        return own.write("report.pdf", (place / "report.pdf").read_bytes())


def _pdflatex(place: Path, own: OwnFiles) -> None:
    done = _run(["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"], place)
    if done.returncode != 0:
        where = ""
        if (place / "report.log").exists() and own.may_write("report.log"):
            where = f"; the whole log is {own.write('report.log', (place / 'report.log').read_bytes())}"
        raise UserError(f"{own.folder / 'report.tex'} does not compile: {_first_error(_log(place))}{where}")


def _bibtex(place: Path) -> None:
    done = _run(["bibtex", "report"], place)
    if done.returncode > 1:  # 1 is a warning
        said = " ".join(done.stdout.decode("latin-1").split())
        raise UserError(
            f"references.bib cannot be read by bibtex: {said[-300:]}; mend the entry in the method's or "
            "dataset's bibtex"
        )


def _run(command: list[str], place: Path) -> subprocess.CompletedProcess[bytes]:
    """``command`` in ``place``; TeX may reach no other folder, since nobody vouches for what a run holds."""
    closed = {"openin_any": "p", "openout_any": "p", "shell_escape": "f", "max_print_line": "1000"}
    try:
        return subprocess.run(
            command, cwd=place, env=os.environ | closed, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=_PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"{command[0]} took more than {_PATIENCE} seconds and was stopped; leave pdf out of --format and compile "
            "report.tex by hand"
        ) from error


def _log(place: Path) -> str:
    path = place / "report.log"
    return path.read_text(encoding="latin-1") if path.exists() else ""


def _first_error(log: str) -> str:
    """The first error of a log with its place, on one line."""
    found = re.search(r"^! (.*(?:\n(?!l\.\d).*){0,8}?)(?:\nl\.(\d+))", log, flags=re.MULTILINE)
    if found is None:
        alone = re.search(r"^! (.*)", log, flags=re.MULTILINE)
        return alone[1].strip() if alone else "LaTeX stopped without saying why"
    return f"{found[1].splitlines()[0].strip()} (line {found[2]})"
