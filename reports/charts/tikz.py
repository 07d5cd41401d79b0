"""A drawing as a TikZ picture: in the document's font, in colours that also print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tex.escape import escape
from .drawing import Drawing, Line, Mark, Path, Rect, Role, Text, outline

#: Points of a document that one unit of a drawing takes; a drawing 400 units wide fills half of a line of 16 cm.
POINTS = 0.55
#: The colours of the page's light theme (``charts.css``), grey where the page uses its own.
COLOURS: dict[Role, str] = {
    "ink": "000000", "soft": "555555", "rule": "CFCFCF",
    "series-1": "0072B2", "series-2": "C94F00", "series-3": "00805E", "series-4": "B0568A", "series-5": "9A6700",
    "series-6": "2B88BF", "series-7": "6A3D9A", "series-8": "6B6B6B", "series-9": "8C1D18",
}  # fmt: skip
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(drawing: Drawing, points: float = POINTS) -> str:
    """``drawing`` as a ``tikzpicture``; the document needs ``\\usepackage{tikz}`` and nothing else.

    The picture is as wide as the drawing says, ``points`` of TeX a unit, whatever the document's font makes of its
    words.
    """
    used = sorted({shape.role for shape in drawing.shapes})
    colours = [rf"\definecolor{{{_colour(role)}}}{{HTML}}{{{COLOURS[role]}}}" for role in used]
    lines = [
        rf"\begin{{tikzpicture}}[x={points:.4g}pt,y=-{points:.4g}pt,inner sep=0pt,outer sep=0pt]",
        *colours,
        rf"\path[use as bounding box] (0,0) rectangle ({_number(drawing.width)},{_number(drawing.height)});",
        *map(_shape, drawing.shapes),
        r"\end{tikzpicture}",
    ]
    return "\n".join(lines) + "\n"


def _shape(shape: Line | Path | Mark | Rect | Text) -> str:
    return _WRITERS[type(shape)](shape)


def _line(line: Line) -> str:
    return rf"\draw[{_stroke(line)}] {_point(line.x1, line.y1)} -- {_point(line.x2, line.y2)};"


def _path(path: Path) -> str:
    # TeX reads lines of any length, people and version control do not
    points = [_point(x, y) for x, y in path.points]
    rows = [" -- ".join(points[start : start + 8]) for start in range(0, len(points), 8)]
    return rf"\draw[{_stroke(path)},line join=round] " + "\n -- ".join(rows) + ";"


def _stroke(line: Line | Path) -> str:
    dashes = f",dash pattern=on {_number(4 * POINTS)}pt off {_number(3 * POINTS)}pt" if line.dashed else ""
    return f"{_colour(line.role)},line width={_number(line.width * POINTS)}pt{dashes}"


def _mark(mark: Mark) -> str:
    faint = f",opacity={_number(mark.opacity)}" if mark.opacity < 1 else ""
    fill = "white" if mark.hollow else _colour(mark.role)
    look = f"draw={_colour(mark.role)},fill={fill},line width={_number(1.4 * POINTS if mark.hollow else 0)}pt{faint}"
    if mark.shape == "circle":
        return rf"\path[{look}] {_point(mark.x, mark.y)} circle[radius={_number(mark.radius * POINTS)}pt];"
    return rf"\path[{look}] {' -- '.join(_point(x, y) for x, y in outline(mark))} -- cycle;"


def _rect(rect: Rect) -> str:
    colour = _colour(rect.role)
    faint = f",opacity={_number(rect.opacity)}" if rect.opacity < 1 else ""
    look = f"fill={colour}{faint}" if rect.opacity else f"draw={colour},line width={_number(1.2 * POINTS)}pt"
    corners = f"{_point(rect.x, rect.y)} rectangle {_point(rect.x + rect.width, rect.y + rect.height)}"
    return rf"\path[{look}] {corners};"


def _text(text: Text) -> str:
    weight = r"\bfseries" if text.bold else ""
    # sizes that every document class has: a size of our own would warn in fonts that do not scale
    look = rf"anchor={_ANCHORS[text.anchor]},text={_colour(text.role)},font=\scriptsize{weight}"
    return rf"\node[{look}] at {_point(text.x, text.y)} {{{escape(text.text)}\strut}};"


def _colour(role: Role) -> str:
    return "derain" + role.replace("-", "")


def _point(x: float, y: float) -> str:
    return f"({_number(x)},{_number(y)})"


def _number(value: float) -> str:
    text = f"{value:.2f}"
    return "0" if text == "-0.00" else text.rstrip("0").rstrip(".")


_WRITERS: dict[type, Callable[[Any], str]] = {Line: _line, Path: _path, Mark: _mark, Rect: _rect, Text: _text}
