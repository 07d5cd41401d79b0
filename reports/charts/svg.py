"""A drawing as SVG inside a page: colours are classes that follow the page's theme, words are text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from .drawing import Drawing, Line, Mark, Path, Rect, Text, outline

_ANCHORS = {"start": "", "middle": ' text-anchor="middle"', "end": ' text-anchor="end"'}


def svg(drawing: Drawing, name: str) -> Markup:
    """``drawing`` as an ``<svg>`` element that scales with its box; ``name`` makes its ids unique on the page.

    It has the role of an image with the drawing's title and description. Its classes are those of ``charts.css``.
    """
    title = f"<title id={_quoted(name + '-title')}>{escaped(drawing.title)}</title>"
    said = f"<desc id={_quoted(name + '-desc')}>{escaped(drawing.description)}</desc>"
    ids = _quoted(f"{name}-title"), _quoted(f"{name}-desc")
    head = (
        f'<svg class="chart" viewBox="0 0 {_number(drawing.width)} {_number(drawing.height)}" role="img" '
        f"aria-labelledby={ids[0]} aria-describedby={ids[1]}>"
    )
    # no line ends: a page of a hundred charts has a hundred thousand shapes
    return Markup(head + title + said + "".join(map(_shape, drawing.shapes)) + "</svg>")


def escaped(text: str) -> str:
    """``text`` as text of a page; what would move, hide or reorder other text becomes visible."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _quoted(text: str) -> str:
    return f'"{escaped(text)}"'


def _shape(shape: Line | Path | Mark | Rect | Text) -> str:
    return _WRITERS[type(shape)](shape)


def _line(line: Line) -> str:
    ends = f'x1="{_number(line.x1)}" y1="{_number(line.y1)}" x2="{_number(line.x2)}" y2="{_number(line.y2)}"'
    return f"<line {_stroke(line)} {ends}/>"


def _path(path: Path) -> str:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in path.points)
    return f'<polyline {_stroke(path)} points="{points}"/>'


def _stroke(line: Line | Path) -> str:
    dashes = " dashed" if line.dashed else ""
    width = f' stroke-width="{_number(line.width)}"' if line.width != 1 else ""
    return f'class="{line.role}{dashes}"{width}'


def _mark(mark: Mark) -> str:
    look = f'class="{mark.role}{" hollow" if mark.hollow else ""}"'
    look += f' opacity="{_number(mark.opacity)}"' if mark.opacity < 1 else ""
    words = f"<title>{escaped(mark.title)}</title>" if mark.title else ""
    if mark.shape == "circle":
        place = f'cx="{_number(mark.x)}" cy="{_number(mark.y)}" r="{_number(mark.radius)}"'
        return f"<circle {look} {place}>{words}</circle>" if words else f"<circle {look} {place}/>"
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in outline(mark))
    return f'<polygon {look} points="{points}">{words}</polygon>' if words else f'<polygon {look} points="{points}"/>'


def _rect(rect: Rect) -> str:
    box = f'x="{_number(rect.x)}" y="{_number(rect.y)}" width="{_number(rect.width)}" height="{_number(rect.height)}"'
    look = f' opacity="{_number(rect.opacity)}"' if 0 < rect.opacity < 1 else ""
    return f'<rect class="{rect.role}{"" if rect.opacity else " hollow"}"{look} {box}/>'


def _text(text: Text) -> str:
    look = f'{_ANCHORS[text.anchor]} font-size="{_number(text.size)}"' + (' font-weight="600"' if text.bold else "")
    return f'<text class="{text.role}" x="{_number(text.x)}" y="{_number(text.y)}"{look}>{escaped(text.text)}</text>'


def _number(value: float) -> str:
    """A tenth of a pixel is enough."""
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


_WRITERS: dict[type, Callable[[Any], str]] = {Line: _line, Path: _path, Mark: _mark, Rect: _rect, Text: _text}
