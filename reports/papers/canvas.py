"""Figures drawn by matplotlib, an optional dependency: as PDF with embedded fonts, as PNG to the pixel.

Nothing of the user's matplotlib settings plays a part, and no date is written: the same figure is the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from derainbench.errors import UserError

from ..charts.drawing import Drawing, Line, Mark, Path, Rect, Text, outline
from ..charts.tikz import COLOURS
from .sheet import Frame, Picture, Sheet, Words, on_paper, resized
from .template import INCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["pdf", "png"]

#: Type 42 keeps fonts whole letters of their own, which IEEE asks for; STIX is matplotlib's own Times.
_SETTINGS: dict[str, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Serif"],
    "pdf.fonttype": 42,
    "pdf.compression": 9,
    "image.composite_image": False,
    "axes.unicode_minus": False,
    "text.usetex": False,
}
#: A PNG's side in pixels, as matplotlib draws.
MOST_PIXELS = 2**16
#: The axes, with frames and words, lie above pictures that are placed by pixels, which are the figure's own.
_ABOVE = 1e6
_METADATA: dict[Kind, dict[str, None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def check_canvas() -> None:
    """:class:`UserError` where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise UserError(
            "figures as pdf or png need matplotlib: pip install 'derainbench[figures]', or give --format latex (crops) "
            "or --format pgf (charts), which need nothing"
        )


def sheet_file(sheet: Sheet, kind: Kind, dpi: int) -> bytes:
    """A qualitative figure as a file; in a PDF crops are the image's own pixels, in a PNG magnified without mixing."""
    draw_picture = _picture_exact if kind == "png" else _picture
    drawn: dict[type, Callable[..., None]] = {Picture: draw_picture, Frame: _frame, Words: _words}
    if kind == "png" and max(sheet.width, sheet.height) * dpi / INCH >= MOST_PIXELS:
        raise UserError(f"a PNG of {sheet.height / INCH:.0f} in at {dpi} dots an inch is too large; give a lower --dpi")
    with _canvas(sheet.width, sheet.height, dpi if kind == "png" else INCH) as (figure, axes):
        for number, shape in enumerate(sheet.shapes):
            drawn[type(shape)](figure, axes, sheet, shape, dpi, number)
        return _saved(figure, kind)


def drawing_file(drawing: Drawing, kind: Kind, points: float, dpi: int) -> bytes:
    """A chart as a file; ``points`` is what one unit of the drawing takes."""
    width, height = drawing.width * points, drawing.height * points
    with _canvas(width, height, dpi if kind == "png" else INCH) as (figure, axes):
        for number, shape in enumerate(drawing.shapes):
            _DRAWN[type(shape)](axes, shape, points, number)
        return _saved(figure, kind)


@contextlib.contextmanager
def _canvas(width: float, height: float, dpi: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of so many points whose only axes cover it, in points, y downwards."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that no font here has; a box stands for them
        mpl.rcdefaults()
        settings: Any = mpl.rcParams
        settings.update(_SETTINGS)
        figure = Figure(figsize=(width / INCH, height / INCH), dpi=dpi, facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1), zorder=_ABOVE)
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_autoscale_on(False)
        yield figure, axes


def _saved(figure: Figure, kind: Kind) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=figure.dpi, metadata=_METADATA[kind])
    return _same_subset_names(file.getvalue()) if kind == "pdf" else file.getvalue()


def _same_subset_names(pdf: bytes) -> bytes:
    """Subsets of fonts are called after a hash that differs between processes; any six letters do."""
    found = list(dict.fromkeys(re.findall(rb"/([A-Z]{6})\+", pdf)))
    for number, name in enumerate(found):
        pdf = pdf.replace(name + b"+", b"DERAI" + bytes([ord("A") + number % 26]) + b"+")
    return pdf


def _picture(figure: Figure, axes: Axes, sheet: Sheet, picture: Picture, dpi: int, order: int) -> None:
    extent = (picture.x, picture.x + picture.width, picture.y + picture.height, picture.y)
    axes.imshow(on_paper(picture, dpi), extent=extent, interpolation="none", aspect="auto", zorder=order)


def _picture_exact(figure: Figure, axes: Axes, sheet: Sheet, picture: Picture, dpi: int, order: int) -> None:
    """On whole pixels of the PNG: nothing between two pixels of the image is made up."""
    scale = dpi / INCH
    left, right = round(picture.x * scale), round((picture.x + picture.width) * scale)
    top, bottom = round(picture.y * scale), round((picture.y + picture.height) * scale)
    pixels = resized(picture.pixels, max(right - left, 1), max(bottom - top, 1))
    figure.figimage(pixels, left, round(sheet.height * scale) - bottom, origin="upper", zorder=order)


def _frame(figure: Figure, axes: Axes, sheet: Sheet, frame: Frame, dpi: int, order: int) -> None:
    from matplotlib.patches import Rectangle

    place = (frame.x, frame.y), frame.width, frame.height
    axes.add_patch(
        Rectangle(
            *place, fill=False, edgecolor=f"#{frame.colour}", linewidth=frame.line, joinstyle="miter", zorder=order
        )
    )


def _words(figure: Figure, axes: Axes, sheet: Sheet, words: Words, dpi: int, order: int) -> None:
    axes.text(
        words.x, words.y, words.text, fontsize=words.size, ha="center", va="baseline", parse_math=False, zorder=order
    )


def _line(axes: Axes, line: Line, points: float, order: int) -> None:
    _stroke(axes, ((line.x1, line.y1), (line.x2, line.y2)), line, points, order)


def _path(axes: Axes, path: Path, points: float, order: int) -> None:
    _stroke(axes, path.points, path, points, order)


def _stroke(axes: Axes, places: tuple[tuple[float, float], ...], line: Line | Path, points: float, order: int) -> None:
    x, y = ([points * place[axis] for place in places] for axis in (0, 1))
    dashes = (0, (4 * points, 3 * points)) if line.dashed else "solid"
    width = line.width * points
    how: dict[str, Any] = {"color": f"#{COLOURS[line.role]}", "linestyle": dashes, "solid_capstyle": "butt"}
    axes.plot(x, y, linewidth=width, solid_joinstyle="round", scalex=False, scaley=False, zorder=order, **how)


def _mark(axes: Axes, mark: Mark, points: float, order: int) -> None:
    from matplotlib.patches import Circle, Polygon

    colour = f"#{COLOURS[mark.role]}"
    look: dict[str, Any] = {
        "facecolor": "white" if mark.hollow else colour,
        "edgecolor": colour,
        "linewidth": 1.4 * points if mark.hollow else 0,
        "alpha": mark.opacity,
        "zorder": order,
    }
    if mark.shape == "circle":
        axes.add_patch(Circle((points * mark.x, points * mark.y), points * mark.radius, **look))
    else:
        axes.add_patch(Polygon([(points * x, points * y) for x, y in outline(mark)], closed=True, **look))


def _rect(axes: Axes, rect: Rect, points: float, order: int) -> None:
    from matplotlib.patches import Rectangle

    colour = f"#{COLOURS[rect.role]}"
    filled = {"facecolor": colour, "alpha": rect.opacity, "linewidth": 0}
    look: dict[str, Any] = filled if rect.opacity else {"fill": False, "edgecolor": colour, "linewidth": 1.2 * points}
    place = (points * rect.x, points * rect.y), points * rect.width, points * rect.height
    axes.add_patch(Rectangle(*place, zorder=order, **look))


def _text(axes: Axes, text: Text, points: float, order: int) -> None:
    at = {"start": "left", "middle": "center", "end": "right"}[text.anchor]
    axes.text(
        points * text.x, points * text.y, text.text, fontsize=points * text.size, color=f"#{COLOURS[text.role]}",
        ha=at, va="baseline", fontweight="bold" if text.bold else "normal", parse_math=False, zorder=order,
    )  # fmt: skip


_DRAWN: dict[type, Callable[..., None]] = {Line: _line, Path: _path, Mark: _mark, Rect: _rect, Text: _text}
