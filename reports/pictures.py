"""Display copies of images for a page that is one file: small WebP pictures as data URIs, each stored once."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

#: WebP quality of display copies: no difference to see at this size, and far smaller than PNG.
QUALITY = 90
#: Longest side of a display copy in pixels; larger images are reduced.
LONGEST_SIDE = 1024


class Pictures:
    """A pool of data URIs. The same picture, such as the rainy input and its identity, is held once."""

    #: Whether pictures are kept at all.
    kept = True

    def __init__(self) -> None:
        self.uris: list[str] = []
        self._numbers: dict[str, int] = {}
        self._paths: dict[Path, int | None] = {}

    def add(self, path: Path) -> int | None:
        """The number of the picture at ``path`` in :attr:`uris`; None if there is no readable image."""
        if path not in self._paths:
            self._paths[path] = self._number(path)
        return self._paths[path]

    def _number(self, path: Path) -> int | None:
        uri = display_copy(path)
        if uri is None:
            return None
        if uri not in self._numbers:
            self._numbers[uri] = len(self.uris)
            self.uris.append(uri)
        return self._numbers[uri]


class NoPictures(Pictures):
    """An empty pool, for a page that may go where the dataset's images may not."""

    kept = False

    def add(self, path: Path) -> int | None:
        """None: no picture is kept."""
        return None


def display_copy(path: Path) -> str | None:
    """The image at ``path`` as a WebP data URI, 8-bit RGB; None if it is missing or not a readable image."""
    try:
        with Image.open(path) as image:
            copy = _eight_bit(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    copy.save(file, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey to white when it converts; its high byte is what a screen can show."""
    return image.point(lambda value: value / 257).convert("L") if image.mode.startswith("I") else image
