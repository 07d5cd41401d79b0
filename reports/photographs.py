"""The page of restored photographs, written into the folder of the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from derainbench.photographs.restored import Restored

from .format import Images
from .own_files import OwnFiles
from .page.photographs import photographs_html
from .page.pictures import NoPictures, Pictures, PicturesBeside, remove_stale_pictures

_PAGE = "index.html"


def check_page(folder: Path) -> None:
    """UserError where a page would replace a file that is not derainbench's."""
    OwnFiles(folder).check([_PAGE])


def write_page(restored: Restored, images: Images) -> Path:
    """Write ``index.html`` beside the results, with pictures in it, in ``images/`` beside it, or none; its path."""
    pools: Mapping[Images, Callable[[], Pictures]] = {
        "embed": Pictures,
        "beside": lambda: PicturesBeside(restored.folder),
        "none": NoPictures,
    }
    pictures, own = pools[images](), OwnFiles(restored.folder)
    page = own.write(_PAGE, photographs_html(restored, pictures).encode("utf-8", "replace"))
    remove_stale_pictures(restored.folder, pictures.files)
    return page
