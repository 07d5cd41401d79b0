"""An image file opened for decoding: told by its content, and one line where it is broken or no image at all."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from PIL import ExifTags, Image

from derainbench.errors import UserError, one_line

#: Told by content, whatever the file is called. Not all that Pillow knows: for some it starts other programs (EPS), and
#: some have no signature, so that any file may pass for one.
_FORMATS = ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF", "JPEG2000"]
if find_spec("PIL.AvifImagePlugin"):  # from Pillow 11.3 on
    _FORMATS.append("AVIF")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextlib.contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """The image, its header read and nothing decoded. Whatever goes wrong in the block is a :class:`UserError`."""
    shown = shown_name(path)
    try:
        _check_regular(path.stat(), shown)
        with _pillow_quiet(), Image.open(path, formats=_FORMATS) as image:
            yield image
    except FileNotFoundError as error:
        what = "a link to a file that is not there" if path.is_symlink() else "no such image"
        raise UserError(f"{shown}: {what}; check the path") from error
    except PermissionError as error:
        raise UserError(f"{shown} may not be read; change its permissions") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{shown} has over {_most_pixels():,} pixels; scale it down first") from error
    except UserError:
        raise
    except Exception as error:  # Pillow's parsers raise of every kind, wherever a damaged byte leads them
        raise UserError(f"{shown} cannot be read as an image ({_reason(error)}); restore it") from error


def turned(image: Image.Image) -> Image.Image:
    """A copy of a decoded image, turned as its EXIF orientation says."""
    turn = _TURNS.get(_orientation(image.getexif))
    return image.copy() if turn is None else image.transpose(turn)


def size_as_turned(image: Image.Image, path: Path) -> tuple[int, int]:
    """(height, width) of an opened image once it is decoded and turned; of most files without decoding it."""
    width, height = image.size
    if image.format == "TIFF":  # Pillow turns it itself, its size included
        return height, width
    sideways = _orientation(lambda: _exif_of_header(image, path)) >= 5
    return (width, height) if sideways else (height, width)


def shown_name(path: Path) -> str:
    """For a message, which is one line and may go to a terminal: a name may hold anything."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _orientation(read_exif: Callable[[], Image.Exif]) -> int:
    """EXIF's number of the turn, 1 to 8; 1 for none, and where the metadata cannot be read."""
    try:
        number = int(read_exif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # of every kind, as while decoding; but the pixels are there
        return 1
    return number if number in _TURNS else 1


def _exif_of_header(image: Image.Image, path: Path) -> Image.Exif:
    """The EXIF data. For those behind a PNG's pixels Pillow decodes it; mostly there are none."""
    if image.format == "PNG" and not _metadata_behind_pixels(path):
        return Image.Image.getexif(image)
    return image.getexif()


def _metadata_behind_pixels(png: Path) -> bool:
    with png.open("rb") as file:
        file.seek(8)
        behind = False
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if behind and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            behind = behind or kind == b"IDAT"
            file.seek(length + 4, os.SEEK_CUR)
    return False


class _Quiet:
    """How many threads are decoding, and what brings the filters of before back."""

    def __init__(self) -> None:
        self.lock, self.threads, self.restore = threading.Lock(), 0, warnings.catch_warnings()


_quiet = _Quiet()
if hasattr(os, "register_at_fork"):  # another thread may decode while a process forks
    os.register_at_fork(after_in_child=lambda: _Quiet.__init__(_quiet))


@contextlib.contextmanager
def _pillow_quiet() -> Iterator[None]:
    """Without Pillow's warnings: of metadata that it cannot read and leaves out, and of a 108-megapixel photograph.

    Python's filters belong to all threads: the first that decodes changes them, the last that ends restores them.
    """
    with _quiet.lock:
        if not _quiet.threads:
            _quiet.restore = warnings.catch_warnings()
            _quiet.restore.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _quiet.threads += 1
    try:
        yield
    finally:
        with _quiet.lock:
            _quiet.threads -= 1
            if not _quiet.threads:
                _quiet.restore.__exit__(None, None, None)


def _check_regular(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):  # reading from a pipe would wait for ever
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise UserError(f"{shown} is {kind}, not an image; give an image file")
    if status.st_size == 0:
        raise UserError(f"{shown} is empty, not an image; restore it")


def _most_pixels() -> int:
    """Pillow refuses an image of more by its header, before anything is decoded."""
    return 2 * (Image.MAX_IMAGE_PIXELS or 0)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error).split(" <_io")[0].split(": '")[0].split(" '")[0] or type(error).__name__
