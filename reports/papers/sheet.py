"""A qualitative figure as pictures, frames and words with their places in points; every output writes down the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from .template import INCH
from .windows import Image


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W, 3) in a box whose upper left corner is at (x, y); ``name`` is its own in the figure.

    ``exact``: its pixels are shown as they are, however large; otherwise it may be reduced.
    """

    x: float
    y: float
    width: float
    height: float
    pixels: Image
    name: str
    exact: bool = True


@dataclass(frozen=True)
class Frame:
    """The outline of a box, ``line`` points thick, which lie half inside and half outside; ``colour`` is RRGGBB."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    line: float = 1.2


@dataclass(frozen=True)
class Words:
    """A line of text around ``x``, on the baseline ``y``; ``size`` is one of :data:`.template.SIZES`."""

    x: float
    y: float
    text: str
    size: float


@dataclass(frozen=True)
class Sheet:
    """Shapes on ``width`` x ``height`` points, y downwards; the first lies at the bottom."""

    width: float
    height: float
    shapes: tuple[Picture | Frame | Words, ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures among the shapes."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Picture))


def on_paper(picture: Picture, dpi: int) -> Image:
    """A picture's pixels: all of an exact one, of others no more than paper shows of them."""
    height, width = picture.pixels.shape[:2]
    across = round(picture.width * dpi / INCH)
    if picture.exact or across >= width:
        return picture.pixels
    return resized(picture.pixels, across, round(across * height / width))


def resized(pixels: Image, width: int, height: int) -> Image:
    """Larger: each pixel as a block; smaller: averaged."""
    larger = width >= pixels.shape[1] and height >= pixels.shape[0]
    how = Pillow.Resampling.NEAREST if larger else Pillow.Resampling.LANCZOS
    made: Image = np.asarray(Pillow.fromarray(np.ascontiguousarray(pixels)).resize((width, height), how))
    return made
