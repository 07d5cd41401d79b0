"""Image files to arrays and back: 8-bit RGB whatever the file holds, and one clear line where it is broken."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from derainbench.errors import UserError

Array = np.ndarray

#: How values in [0, 1] become whole grey levels. ``truncate`` is what ``uint8(255 * x)`` does, a common slip in code
#: that writes results: half a level darker on average, 0.17 dB at 37.5 dB.
Quantisation = Literal["round", "truncate"]


def open_image(path: Path) -> Image.Image:
    """The decoded image, turned as its EXIF orientation says; :class:`UserError` where it cannot be read."""
    with _opened(path) as image:
        image.load()
        return ImageOps.exif_transpose(image)


def read_rgb(path: Path) -> Array:
    """(H, W, 3) uint8. Grey is repeated, palettes are resolved, alpha is dropped, 16 bits are scaled to 8."""
    return to_rgb(open_image(path))


def to_rgb(image: Image.Image) -> Array:
    """(H, W, 3) uint8 of a decoded image of any mode."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float64)
        image = Image.fromarray(np.rint(np.clip(grey / _peak(image.mode, grey), 0, 1) * 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns of the direct way
    return np.asarray(image.convert("RGB"))


def read_layer(path: Path) -> Array:
    """(H, W) float32 in [0, 1] of a single-channel layer such as depth, 8 or 16 bits."""
    image = open_image(path)
    if image.mode.startswith("I"):
        return (np.asarray(image, dtype=np.float32) / 65535).clip(0, 1)
    return np.asarray(image.convert("L"), dtype=np.float32) / 255


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the decoded image, from the file's header."""
    with _opened(path) as image:
        width, height = image.size
        # Pillow turns a TIFF itself, its size included.
        turned = image.format != "TIFF" and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def read_pair(rainy: Path, clean: Path) -> tuple[Array, Array]:
    """Both images of a pair, (H, W, 3) uint8; :class:`UserError` naming both where their sizes differ."""
    first, second = read_rgb(rainy), read_rgb(clean)
    if first.shape != second.shape:
        sizes = [f"{a.shape[1]}x{a.shape[0]}" for a in (first, second)]
        raise UserError(f"{rainy} is {sizes[0]} but its partner {clean} is {sizes[1]}; restore the right pair")
    return first, second


def to_tensor(image: Array) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) float32 in [0, 1]."""
    # Always a copy: torch warns of Pillow's read-only memory, which a single row or column would otherwise share.
    return torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C")).float().div_(255)


def to_array(image: Tensor, quantisation: Quantisation = "round") -> Array:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    scaled = grey_levels(image.detach().float().clamp(0, 1), quantisation).to(torch.uint8)
    return scaled.permute(1, 2, 0).cpu().numpy()


def grey_levels(image: Tensor, quantisation: Quantisation = "round") -> Tensor:
    """Values in [0, 1] as whole grey levels, 0 to 255, in a new tensor of the same type."""
    if quantisation == "round":
        return image.mul(255).round_()
    # In float32, as networks and their authors compute: there 255 * (k / 255) is k again, in float64 it may fall below.
    return image.float().mul(255).floor_().to(image.dtype)


def png_bytes(image: Array) -> bytes:
    """(H, W, 3) uint8 as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Whatever goes wrong while the file is open, as one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a 108-megapixel photograph is one
            with Image.open(path) as image:
                yield image
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such image; check the path") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} has over {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; scale it down first") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} cannot be read as an image ({_reason(error)}); restore it") from error


def _peak(mode: str, grey: Array) -> float:
    """White of a grey image of more than 8 bits. Pillow's plain conversion to RGB would clip at 255."""
    largest = grey.max(initial=0)
    if mode == "F" and largest <= 1:
        return 1.0
    return 65535.0 if mode.startswith("I;16") or largest > 255 else 255.0  # "I" is how many 16-bit files open


def _reason(error: Exception) -> str:
    return str(error).split(" <_io")[0].split(": '")[0].split(" '")[0] or type(error).__name__
