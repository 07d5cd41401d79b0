"""LaTeX floats in a document of their own: whether it compiles, and whether they fit the line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_BEFORE = (
    r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{lmodern}\usepackage[a4paper,margin=2.5cm]{geometry}"
    r"\usepackage{booktabs}\begin{document}"
)


def overfull_lines(body: str, folder: Path) -> list[str]:
    """What pdflatex says of boxes that are too wide; the test is skipped where it is not installed."""
    (folder / "tables.tex").write_text(_BEFORE + body + r"\end{document}", encoding="ascii")
    try:
        run = subprocess.run(
            ["pdflatex", "-halt-on-error", "tables.tex"], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("pdflatex is not installed")
    assert run.returncode == 0, run.stdout[-2000:]
    return [line for line in run.stdout.splitlines() if line.startswith("Overfull")]
