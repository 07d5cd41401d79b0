"""The comparison as a web page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..content import Content
from ..format import Format, Images, Style
from ..own_files import OwnFiles
from ..page.html import html
from ..page.pictures import NoPictures, Pictures, PicturesBeside, remove_stale_pictures


def _write(content: Content, own: OwnFiles, style: Style) -> Path:
    pools: Mapping[Images, Callable[[], Pictures]] = {
        "embed": Pictures,
        "beside": lambda: PicturesBeside(own.folder),
        "none": NoPictures,
    }
    pictures = pools[style.images]()
    page = own.write("index.html", html(content, pictures).encode())
    remove_stale_pictures(own.folder, pictures.files)
    return page


FORMAT = Format(files=("index.html",), write=_write, rank=0)
