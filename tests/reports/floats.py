"""LaTeX floats in a document of their own: whether it compiles, and whether they fit the line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_BEFORE = (
    r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{lmodern}\usepackage[a4paper,margin=2.5cm]{geometry}"
    r"\usepackage{booktabs}\begin{document}"
)


#: Documents of two columns: CVPR's measures in Times, and IEEE's in Computer Modern.
TWO_COLUMNS = tuple(
    rf"\documentclass[10pt,twocolumn]{{article}}\usepackage[T1]{{fontenc}}\usepackage{{{font},booktabs,graphicx}}"
    rf"\setlength{{\textwidth}}{{{width}in}}\setlength{{\columnsep}}{{{gap}in}}\setlength{{\textheight}}{{9in}}"
    r"\begin{document}"
    for font, width, gap in (("times", 6.875, 0.3125), ("lmodern", 7.16, 0.16))
)
#: The shortest line of one column: 12 cm, as llncs has it.
ONE_COLUMN = (
    r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{lmodern,booktabs,graphicx}"
    r"\setlength{\textwidth}{12cm}\setlength{\textheight}{9in}\begin{document}"
)


def overfull_lines(body: str, folder: Path, before: str = _BEFORE) -> list[str]:
    """What pdflatex says of boxes that are too wide; the test is skipped where it is not installed."""
    (folder / "tables.tex").write_text(before + body + r"\end{document}", encoding="ascii")
    try:
        run = subprocess.run(
            ["pdflatex", "-halt-on-error", "tables.tex"], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("pdflatex is not installed")
    assert run.returncode == 0, run.stdout[-2000:]
    return [line for line in run.stdout.splitlines() if line.startswith("Overfull")]
