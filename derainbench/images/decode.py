"""Image files to arrays and back: 8-bit RGB whatever the file holds, and one clear line where it is broken."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image

from derainbench.errors import UserError, one_line

#: Told by content, whatever the file is called. Not all that Pillow knows: for some it starts other programs (EPS), and
#: some have no signature, so that any file may pass for one.
_FORMATS = ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF", "JPEG2000"]
if find_spec("PIL.AvifImagePlugin"):  # from Pillow 11.3 on
    _FORMATS.append("AVIF")

#: Formats whose files mostly do not hold the pixels that were saved, as Pillow names them.
LOSSY = ("JPEG", "WEBP", "JPEG2000", "AVIF", "GIF")

#: Bytes of an image file: of 16-bit images of as many pixels as are read, uncompressed, two thirds.
LARGEST_FILE = 2**32

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


Array = np.ndarray


@dataclass(frozen=True)
class Half:
    """One half of an image file that shows two images side by side."""

    path: Path
    side: Literal["left", "right"]

    def __str__(self) -> str:
        return f"{self.path} ({self.side} half)"


#: Where an image's pixels are: a file, or one half of it.
Source = Path | Half


def file_of(source: Source) -> Path:
    """The file that an image is in."""
    return source.path if isinstance(source, Half) else source


#: What Pillow calls the kinds of pixels that have a meaning as RGB here.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "I", "I;16", "I;16L", "I;16B", "F")


def open_image(source: Source) -> Image.Image:
    """The decoded image, turned as its EXIF orientation says; :class:`UserError` where it cannot be read.

    Of several images in a file (animations, pages) it is the first.
    """
    path = file_of(source)
    with opened_image(path) as opened:
        opened.load()
        if opened.mode not in _MODES:
            raise UserError(
                f"{shown_name(path)} holds {opened.mode} values, which are not RGB; save it as an 8-bit RGB image"
            )
        image = turned(opened)
    if not isinstance(source, Half):
        return image
    columns = _columns(source, image.width)
    return image.crop((columns.start, 0, columns.stop, image.height))


def read_rgb(source: Source) -> Array:
    """(H, W, 3) uint8. Grey is repeated, palettes are resolved, alpha is dropped, 16 bits are scaled to 8."""
    if not isinstance(source, Half):
        return to_rgb(open_image(source))
    # As a whole first: what is white in an image of more than 8 bits may be decided by either half.
    whole = to_rgb(open_image(source.path))
    return whole[:, _columns(source, whole.shape[1])]


def to_rgb(image: Image.Image) -> Array:
    """(H, W, 3) uint8 of a decoded image of any mode."""
    if _is_deep(image):
        image = Image.fromarray(np.rint(_deep_grey(image) * 255).astype(np.uint8))
    return np.asarray(image if image.mode == "RGB" else _without_palette(image).convert("RGB"))


def read_layer(path: Path) -> Array:
    """(H, W) float32 in [0, 1] of a single-channel layer such as depth, of 8 or 16 bits or in float."""
    image = open_image(path)
    if image.mode.startswith("I"):
        return (np.asarray(image, dtype=np.float32) / 65535).clip(0, 1)
    if _is_deep(image):
        return _deep_grey(image).astype(np.float32)
    return np.asarray(_without_palette(image).convert("L"), dtype=np.float32) / 255


def image_size(source: Source) -> tuple[int, int]:
    """(height, width) of the decoded image, from the file's header: the pixels may yet be damaged."""
    path = file_of(source)
    with opened_image(path) as image:
        height, width = size_as_turned(image, path)
    if isinstance(source, Half):
        columns = _columns(source, width)
        width = columns.stop - columns.start
    return height, width


def read_pair(rainy: Source, clean: Source) -> tuple[Array, Array]:
    """Both images of a pair, (H, W, 3) uint8; :class:`UserError` naming both where their sizes differ."""
    if isinstance(rainy, Half) and isinstance(clean, Half) and rainy.path == clean.path:
        whole = read_rgb(rainy.path)  # decoded once
        first, second = (whole[:, _columns(half, whole.shape[1])] for half in (rainy, clean))
    else:
        first, second = read_rgb(rainy), read_rgb(clean)
    if first.shape != second.shape:
        sizes = [f"{a.shape[1]}x{a.shape[0]}" for a in (first, second)]
        raise UserError(f"{rainy} is {sizes[0]} but its partner {clean} is {sizes[1]}; restore the right pair")
    return first, second


def png_bytes(image: Array) -> bytes:
    """(H, W, 3) uint8 as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def _columns(half: Half, width: int) -> slice:
    """Which columns of an image of that width are the half's."""
    if width % 2:
        shown = shown_name(half.path)
        raise UserError(f"{shown} is {width} pixels wide, and two images side by side have an even width; mend it")
    return slice(0, width // 2) if half.side == "left" else slice(width // 2, width)


def _without_palette(image: Image.Image) -> Image.Image:
    """The same without a transparent palette, of whose direct conversion Pillow warns."""
    return image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _deep_grey(image: Image.Image) -> Array:
    """(H, W) float64 in [0, 1] of a grey image of more than 8 bits; NaN, which a float image may hold, is black.

    Pillow's own conversion would clip at 255.
    """
    with np.errstate(invalid="ignore"):  # of what some NaN is, numpy warns
        grey = np.nan_to_num(np.asarray(image, dtype=np.float64))
    largest = grey.max(initial=0)
    sixteen = image.mode.startswith("I;16") or largest > 255  # "I" is how many 16-bit files open
    peak = 1 if image.mode == "F" and largest <= 1 else 65535 if sixteen else 255
    return (grey / peak).clip(0, 1)
