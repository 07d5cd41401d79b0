"""Figures as files in a folder, in the formats that are asked for; what is not ours there is not replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from derainbench.errors import UserError, did_you_mean
from derainbench.support.words import listed, split_list

from ..charts.tikz import tikz
from ..own_files import OwnFiles
from ..tex.escape import escape
from .arrange import arrange, error_words
from .canvas import check_canvas, drawing_file, sheet_file
from .picture import crop_files, figure_tex
from .plots import Chart
from .subjects import Plate
from .template import INCH, Template

#: TeX's points of an inch.
_TEX_INCH = 72.27
#: Formats of qualitative figures, and of charts.
PLATE_FORMATS, CHART_FORMATS = ("pdf", "png", "latex"), ("pdf", "png", "pgf")


@dataclass(frozen=True)
class Look:
    """How figures look: the template and over how many of its columns, and dots an inch of what is made of pixels."""

    template: Template
    columns: int
    dpi: int


def formats_of(words: str, known: Sequence[str]) -> list[str]:
    """The formats that ``--format`` names. :class:`UserError` for others, and where matplotlib is missing for them."""
    asked = list(dict.fromkeys(each for word in split_list(words) for each in (known if word == "all" else [word])))
    for word in asked:
        if word not in known:
            raise UserError(f"--format {word!r}: no such one here; {did_you_mean(word, [*known])}")
    if not asked:
        raise UserError(f"--format names none; give one of {', '.join(known)}")
    if {"pdf", "png"} & {*asked}:
        check_canvas()
    return asked


def write_plate(plate: Plate, folder: Path, name: str, formats: Sequence[str], look: Look) -> tuple[list[Path], float]:
    """A qualitative figure as ``NAME.pdf``, ``.png``, ``.tex`` with ``NAME/``; their paths, its height in inches."""
    sheet = arrange(plate, look.template.width(look.columns))
    files: dict[str, bytes] = {}
    for kind in formats:
        if kind == "latex":
            files[f"{name}.tex"] = figure_tex(sheet, name, look.columns, caption(plate), _remarks(plate)).encode(
                "utf-8", "replace"
            )
            files |= {f"{name}/{crop}": data for crop, data in crop_files(sheet, look.dpi).items()}
        elif kind == "pdf":
            files[f"{name}.pdf"] = sheet_file(sheet, "pdf", look.dpi)
        else:
            files[f"{name}.png"] = sheet_file(sheet, "png", look.dpi)
    return _write(folder, files, f"{name}/" if "latex" in formats else ""), sheet.height / INCH


def write_charts(charts: Sequence[Chart], folder: Path, formats: Sequence[str], look: Look) -> list[Path]:
    """Charts as files of their stems; a ``.pgf`` is a TikZ picture to ``\\input``, in the document's own font."""
    files: dict[str, bytes] = {}
    for chart in charts:
        for kind in formats:
            if kind == "pgf":
                head = f"% Written by derainbench. Needs \\usepackage{{tikz}}. {' '.join(chart.words.split())}\n"
                files[f"{chart.stem}.pgf"] = (head + tikz(chart.drawing, chart.points * _TEX_INCH / INCH)).encode(
                    "utf-8", "replace"
                )
            else:
                data = drawing_file(chart.drawing, "pdf" if kind == "pdf" else "png", chart.points, look.dpi)
                files[f"{chart.stem}.{kind}"] = data
    return _write(folder, files)


def _write(folder: Path, files: dict[str, bytes], beside: str = "") -> list[Path]:
    own = OwnFiles(folder)
    own.check(files)
    own.write_all(files)
    if beside:
        own.remove_others(beside, files)
    return [folder / name for name in files if "/" not in name]


def caption(plate: Plate) -> str:
    """The caption in LaTeX: what is shown, and what the numbers are."""
    by_set: dict[str, list[str]] = {}
    for subject in plate.subjects:
        by_set.setdefault(subject.dataset, []).append(subject.image)
    shown = "; ".join(listed(images) + (f" of {title}" if title else "") for title, images in by_set.items())
    said = f"Qualitative comparison: {escape(shown)}."
    if plate.metrics:
        below = " / ".join(map(escape, plate.metrics))
        said += f" Below the crops {below} of the whole image, protocol \\texttt{{{escape(plate.protocol)}}}."
    if plate.errors:
        said += f" Below each crop the {error_words()}."
    return said


def _remarks(plate: Plate) -> list[str]:
    return [f"--window {subject.name}:{box}" for subject in plate.subjects for box in subject.windows]
