"""A qualitative figure for LaTeX: crops as files, words in the document's font, all in one ``picture``."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image as Pillow

from ..tex.escape import escape
from .sheet import Frame, Picture, Sheet, Words, on_paper
from .template import SIZES


def crop_files(sheet: Sheet, dpi: int) -> dict[str, bytes]:
    """A PNG for each picture by its name: crops pixel for pixel the image's, whole images no larger than printed."""
    files = {}
    for picture in sheet.pictures:
        file = io.BytesIO()
        Pillow.fromarray(on_paper(picture, dpi)).save(file, "PNG", optimize=True)
        files[f"{picture.name}.png"] = file.getvalue()
    return files


def figure_tex(sheet: Sheet, name: str, columns: int, caption: str, remarks: Sequence[str]) -> str:
    """A ``figure`` or ``figure*`` to ``\\input``; the document needs graphicx and xcolor.

    Files are looked for in ``name/`` beside the main document, or where ``\\derainfigures`` says, with its slash.
    """
    float_ = "figure" if columns == 1 else "figure*"
    lines = [
        "% Written by derainbench. Needs \\usepackage{graphicx,xcolor}.",
        *(f"% {' '.join(remark.split())}" for remark in remarks),
        "% Where the folder of crops lies elsewhere: \\newcommand{\\derainfigures}{figures/} before \\input.",
        "\\providecommand{\\derainfigures}{}",
        f"\\begin{{{float_}}}[t]",
        "\\centering",
        "\\setlength{\\unitlength}{1bp}",
        f"\\begin{{picture}}({_number(sheet.width)},{_number(sheet.height)})",
        *(line for shape in sheet.shapes for line in _shape(shape, sheet, name)),
        "\\end{picture}",
        f"\\caption{{{caption}}}",
        f"\\label{{fig:derainbench-{name}}}",
        f"\\end{{{float_}}}",
    ]
    return "\n".join(lines) + "\n"


def _shape(shape: Picture | Frame | Words, sheet: Sheet, name: str) -> list[str]:
    if isinstance(shape, Picture):
        size = f"width={_number(shape.width)}bp,height={_number(shape.height)}bp"
        file = f"\\derainfigures {name}/{shape.name}.png"
        return [_put(shape.x, sheet.height - shape.y - shape.height, f"\\includegraphics[{size}]{{{file}}}")]
    if isinstance(shape, Words):
        text = f"\\makebox[0pt][c]{{{SIZES[shape.size]} {escape(shape.text)}}}"
        return [_put(shape.x, sheet.height - shape.y, text)]
    half = shape.line / 2
    left, right, top, bottom = shape.x, shape.x + shape.width, shape.y, shape.y + shape.height
    boxes = (  # rules, since lines of a picture have ends that LaTeX makes as it likes
        (left - half, top + half, shape.width + shape.line, shape.line),
        (left - half, bottom + half, shape.width + shape.line, shape.line),
        (left - half, bottom + half, shape.line, shape.height + shape.line),
        (right - half, bottom + half, shape.line, shape.height + shape.line),
    )
    return [
        _put(x, sheet.height - y, f"{{\\color[HTML]{{{shape.colour}}}\\rule{{{_number(w)}bp}}{{{_number(h)}bp}}}}")
        for x, y, w, h in boxes
    ]


def _put(x: float, y: float, what: str) -> str:
    return f"\\put({_number(x)},{_number(y)}){{{what}}}"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.0005 else "0"
