"""What the page needs for windows that a reader draws: the size of images, and the command that makes a figure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from derainbench.errors import UserError
from derainbench.images.decode import Source, image_size

from .pictures import LONGEST_SIDE


def figure_command(folder: Path, *more: str) -> str:
    """``derainbench figure`` of a run's folder as its user named it; a whole path, which says where somebody keeps
    things, is shown without the folders above."""
    return shlex.join(["derainbench", "figure", named(folder), *more])


def named(folder: Path) -> str:
    """A folder as it was named; of a whole path its name alone."""
    return folder.name if folder.is_absolute() else folder.as_posix()


def pixel_sizes(sources: Sequence[Source | None], sizes: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Width and height of the images whose display copies, of ``sizes``, may be reduced, by number.

    An image that is gone is not among them: nobody can make a figure of it.
    """
    found = {}
    for number, (source, size) in enumerate(zip(sources, sizes, strict=True)):
        if max(size) >= LONGEST_SIDE and source is not None:
            try:
                height, width = image_size(source)
            except UserError:
                continue
            found[number] = (width, height)
    return found
