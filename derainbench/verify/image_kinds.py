"""What an image file holds other than 8-bit RGB, and whether its name says something else than its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from derainbench.errors import UserError
from derainbench.images.decode import opened_image

#: Kinds of files whose pixels are not taken just as they are: what is done with them.
TREATMENT: Mapping[str, str] = {
    "16-bit": "scaled to 8 bits",
    "palette": "its colours are looked up",
    "grey": "repeated as R, G and B",
    "alpha": "dropped",
    "CMYK": "converted to RGB",
    "turned": "turned as the EXIF orientation says",
}

_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF", "webp": "WEBP"}
_PNG_DEPTH = 24  # which byte of a PNG says how many bits a channel has
_GREY = ("1", "L", "LA")
_WITH_ALPHA = ("LA", "PA", "RGBA", "RGBa")


class Kinds(NamedTuple):
    """Those of :data:`TREATMENT` that a file is, and its format where its suffix is another's, otherwise ``""``."""

    treated: tuple[str, ...] = ()
    contradicts: str = ""


def kinds_of(path: Path) -> Kinds:
    """By the file's header; nothing where it cannot be read: whoever decodes the image says what is wrong."""
    try:
        with opened_image(path) as image:
            # A phone's JPEG with a second picture behind the first, such as its depth, is what Pillow calls an MPO.
            found = "JPEG" if image.format == "MPO" else image.format or ""
            named = _FORMATS.get(path.suffix[1:].lower(), found)
            return Kinds(tuple(_treated(image, path)), found if named != found else "")
    except UserError:
        return Kinds()


def _treated(image: Image.Image, path: Path) -> list[str]:
    deep = image.mode.startswith("I") or image.mode == "F"
    if image.format == "PNG" and not deep:  # of 16-bit RGB Pillow shows the upper 8 bits
        with path.open("rb") as file:
            deep = file.read(_PNG_DEPTH + 1)[-1] == 16
    # Pillow's own way with a PNG decodes it first, in search of metadata behind the pixels.
    exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
    found = {
        "16-bit": deep,
        "palette": image.mode in ("P", "PA"),
        "grey": image.mode in _GREY or image.mode.startswith("I") or image.mode == "F",
        "alpha": image.mode in _WITH_ALPHA or "transparency" in image.info,
        "CMYK": image.mode == "CMYK",
        "turned": exif.get(ExifTags.Base.Orientation, 1) not in (0, 1),
    }
    return [kind for kind, is_so in found.items() if is_so]
