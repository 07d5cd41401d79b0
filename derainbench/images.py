"""Image files to arrays and back: 8-bit RGB whatever the file holds, and one clear line where it is broken."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from derainbench.errors import UserError
from derainbench.image_file import opened_image, shown_name, size_as_turned, turned

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

#: What Pillow calls the kinds of pixels that have a meaning as RGB here.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "I", "I;16", "I;16L", "I;16B", "F")


def open_image(source: Source) -> Image.Image:
    """The decoded image, turned as its EXIF orientation says; :class:`UserError` where it cannot be read.

    Of several images in a file (animations, pages) it is the first.
    """
    path = source.path if isinstance(source, Half) else source
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
    path = source.path if isinstance(source, Half) else source
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
