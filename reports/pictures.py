"""Display copies of images for a page that is one file: small WebP pictures as data URIs, each stored once."""

from __future__ import annotations

import base64
import io

from PIL import Image

from derainbench.errors import UserError
from derainbench.images import Source, read_rgb

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
        self._sources: dict[Source, int | None] = {}

    def add(self, source: Source) -> int | None:
        """The number of the picture in :attr:`uris`; None if there is no readable image."""
        if source not in self._sources:
            self._sources[source] = self._number(source)
        return self._sources[source]

    def _number(self, source: Source) -> int | None:
        uri = display_copy(source)
        if uri is None:
            return None
        if uri not in self._numbers:
            self._numbers[uri] = len(self.uris)
            self.uris.append(uri)
        return self._numbers[uri]


class NoPictures(Pictures):
    """An empty pool, for a page that may go where the dataset's images may not."""

    kept = False

    def add(self, source: Source) -> int | None:
        """None: no picture is kept."""
        return None


def display_copy(source: Source) -> str | None:
    """An image as a WebP data URI, 8-bit RGB; None if it is missing or not a readable image."""
    try:
        copy = Image.fromarray(read_rgb(source))
    except UserError:
        return None
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    copy.save(file, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")
