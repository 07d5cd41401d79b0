"""Windows of images that a user names: ``012:120,40,64x64``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from derainbench.errors import UserError

Image = NDArray[np.uint8]

_WINDOW = re.compile(r"(?P<image>.+):(?P<place>\d{1,6},\d{1,6},\d{1,6}[x×]\d{1,6})", flags=re.ASCII | re.DOTALL)
#: Fewer pixels a side show nothing.
SMALLEST = 4


@dataclass(frozen=True)
class Box:
    """A window in pixels: ``x`` from the left edge, ``y`` from the top."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width}x{self.height}"

    def cut(self, image: Image) -> Image:
        """The window's part of an image (H, W, C)."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    def check(self, image: Image, name: str) -> None:
        """:class:`UserError` where the window is not inside the image, which is called ``name``."""
        height, width = image.shape[:2]
        if self.x + self.width > width or self.y + self.height > height:
            raise UserError(
                f"--window {name}:{self} does not lie in the image, which is {width} x {height} pixels; X + W is at "
                f"most {width}, Y + H at most {height}"
            )


def parse_windows(words: Sequence[str]) -> tuple[tuple[str, Box], ...]:
    """(image, window) from ``IMAGE:X,Y,WxH``; :class:`UserError` for a word of another form."""
    found = []
    for word in words:
        match = _WINDOW.fullmatch(word.strip())
        if match is None:
            raise UserError(f"--window {word!r}: write IMAGE:X,Y,WxH in pixels from the upper left corner")
        box = Box(*map(int, re.findall(r"\d+", match["place"])))
        if min(box.width, box.height) < SMALLEST:
            raise UserError(f"--window {word!r} is smaller than {SMALLEST} x {SMALLEST} pixels; give a larger one")
        found.append((match["image"], box))
    return tuple(found)
