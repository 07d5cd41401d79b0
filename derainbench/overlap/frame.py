"""Bars and frames of one colour around a picture: they are the same on unrelated ones, and are left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from derainbench.images.decode import Array

_COLOUR = 16  # grey levels that a bar's outermost line spans at most: scanners and JPEG leave no bar quite even
_SAME = 4  # grey levels from a bar's colour, on average of a line
_RINGING = 40  # grey levels from it that JPEG makes of single pixels, in the blocks that the picture begins in
_EDGE = 12  # grey levels between a bar and the picture, on average of a line: a sky that begins smooth is no bar
_SOFT = 3  # lines within which compression blurs that edge
_LEAST_SIDE = 16  # pixels of the picture; less, and less than a third of a side, is no framed picture


class Box(NamedTuple):
    """The part of an image inside its frame: rows ``top`` to ``bottom``, columns ``left`` to ``right``, ends apart."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, image: Array) -> Array:
        """That part of an image."""
        return image[self.top : self.bottom, self.left : self.right]


def inside_frame(image: Array) -> Box:
    """The part of an image, (H, W, 3) uint8, that bars of one colour on its sides leave; all of it without such."""
    height, width = image.shape[:2]
    luma = np.asarray(Image.fromarray(image).convert("L"))
    top, bottom = _bar(luma), height - _bar(luma[::-1])
    columns = luma[top:bottom].T
    left, right = _bar(columns), width - _bar(columns[::-1])
    if bottom - top < max(_LEAST_SIDE, height / 3) or right - left < max(_LEAST_SIDE, width / 3):
        return Box(0, height, 0, width)
    return Box(top, bottom, left, right)


def _bar(lines: Array) -> int:
    """How many of the first lines are a bar: of one colour, up to an edge."""
    if not lines.size or np.ptp(lines[0]) > _COLOUR:
        return 0
    colour = (int(lines[0].min()) + int(lines[0].max())) // 2
    distance = np.abs(lines.astype(np.int16) - colour)
    other = np.flatnonzero((distance.mean(axis=1) > _SAME) | (distance.max(axis=1) > _RINGING))
    if not len(other):
        return 0
    end = int(other[0])
    edge = distance[end : end + _SOFT].mean(axis=1).max()
    return end if edge > _EDGE else 0
