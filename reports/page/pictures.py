"""Display copies of images for the page: small WebP pictures inside it, or as files beside it."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from derainbench.errors import UserError
from derainbench.images.decode import Half, Source, file_of, read_rgb
from derainbench.support.atomic import storage_error, write_atomic
from derainbench.support.workers import default_workers

#: WebP quality of display copies: no difference to see at this size, and far smaller than PNG.
QUALITY = 90
#: Longest side of a display copy in pixels; larger images are reduced.
LONGEST_SIDE = 1024
#: Bytes of a page that its pictures may take: beyond this browsers take seconds to open it.
EMBEDDED_BYTES = 20 * 10**6
#: The folder of pictures beside the page.
FOLDER_NAME = "images"
#: How files of that folder are called; nothing else in it is ever removed.
_OURS = re.compile(r"[0-9a-f]{24}\.webp")


class Pictures:
    """A pool of pictures inside the page, as data URIs. The same picture is held once.

    ``addresses`` is what the page shows and ``sizes`` its width and height in pixels, both by number. Once ``budget``
    bytes are used, :attr:`room` is 0 and whoever adds images should stop.
    """

    #: Whether pictures are kept at all.
    kept = True
    #: Where the page may load pictures from, in the words of a Content-Security-Policy.
    policy = "data:"

    def __init__(self, budget: float = EMBEDDED_BYTES) -> None:
        self.addresses: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.room = budget
        self._numbers: dict[str, int] = {}
        self._sources: dict[Source, int | None] = {}

    @property
    def files(self) -> frozenset[str]:
        """The names of the files beside the page that it needs."""
        return frozenset()

    def add(self, sources: Sequence[Source | None]) -> tuple[int | None, ...]:
        """The numbers of these pictures in :attr:`addresses`; None where there is no readable image."""
        asked = [source for source in dict.fromkeys(sources) if source is not None and source not in self._sources]
        new = [source for source in asked if _exists(source)]
        if new:
            with ThreadPoolExecutor(default_workers()) as pool:
                for source, picture in zip(new, pool.map(self._picture, new), strict=True):
                    self._sources[source] = None if picture is None else self._number(*picture)
        return tuple(None if source is None else self._sources.get(source) for source in sources)

    def _picture(self, source: Source) -> tuple[str, tuple[int, int]] | None:
        """Address and size of a picture; None where there is no readable image."""
        copy = display_copy(source)
        if copy is None:
            return None
        return "data:image/webp;base64," + base64.b64encode(copy).decode("ascii"), _size(io.BytesIO(copy))

    def _number(self, address: str, size: tuple[int, int]) -> int:
        if address not in self._numbers:
            self._numbers[address] = len(self.addresses)
            self.addresses.append(address)
            self.sizes.append(size)
            self.room = max(0.0, self.room - len(address))
        return self._numbers[address]


class NoPictures(Pictures):
    """An empty pool, for a page that may go where the dataset's images may not."""

    kept = False

    def add(self, sources: Sequence[Source | None]) -> tuple[int | None, ...]:
        """None for each: no picture is kept."""
        return (None,) * len(sources)


class PicturesBeside(Pictures):
    """Pictures as files in ``report/images``, where ``report`` is the page's folder, each loaded when it is shown.

    A file is named after a hash of where its original lies, its size and time, so that a second report makes only what
    changed. StorageError if the disk refuses.
    """

    # a page opened from the disk: Chromium takes 'self' for files too, other browsers may want them named
    policy = "data: 'self' file:"

    def __init__(self, report: Path) -> None:
        super().__init__(budget=math.inf)
        self._folder = report / FOLDER_NAME

    @property
    def files(self) -> frozenset[str]:
        """The names of the files that the page needs."""
        return frozenset(address.rpartition("/")[2] for address in self.addresses)

    def _picture(self, source: Source) -> tuple[str, tuple[int, int]] | None:
        name = _file_name(source)
        address = f"{FOLDER_NAME}/{name}"
        try:
            return address, _size(self._folder / name)
        except (OSError, ValueError, Image.DecompressionBombError):  # not made yet, or no picture any more
            copy = display_copy(source)
        if copy is None:
            return None
        write_atomic(self._folder / name, copy)
        return address, _size(io.BytesIO(copy))


def display_copy(source: Source) -> bytes | None:
    """An image as a WebP file, 8-bit RGB; None if it is missing or not a readable image."""
    try:
        copy = Image.fromarray(read_rgb(source))
    except UserError:
        return None
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    copy.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def _size(picture: Path | io.BytesIO) -> tuple[int, int]:
    """Width and height of a display copy; OSError if it is none."""
    with Image.open(picture, formats=["WEBP"]) as opened:
        return opened.size


def remove_stale_pictures(report: Path, needed: frozenset[str]) -> None:
    """Remove the pictures of an earlier page from the folder ``report`` that the new one does not need.

    To be called once the new page is written. Files that are not ours stay. StorageError if the disk refuses.
    """
    folder = report / FOLDER_NAME
    if not folder.is_dir() or folder.is_symlink():
        return
    try:
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in needed:
                path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise storage_error(folder, error) from error


def _exists(source: Source) -> bool:
    """Whether there is such a file: thousands may be gone, and asking is cheap."""
    try:
        return file_of(source).is_file()
    except (OSError, ValueError):
        return False


def _file_name(source: Source) -> str:
    """Never made of what a user may have called the image."""
    path = file_of(source)
    state = path.stat()
    side = source.side if isinstance(source, Half) else "whole"
    known_by = (str(path.resolve()), side, state.st_size, state.st_mtime_ns, QUALITY, LONGEST_SIDE)
    return hashlib.sha256(repr(known_by).encode("utf-8", "surrogatepass")).hexdigest()[:24] + ".webp"
