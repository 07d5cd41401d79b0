"""The image files below a folder, of whatever layout: what is found where no card says what lies where."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

from derainbench.errors import UserError
from derainbench.support.atomic import storage_error


class FilesBelow(NamedTuple):
    """The files below a folder, in no order: ``images`` have an image's suffix, ``others`` have not."""

    images: list[Path]
    others: list[Path]


def image_files(folder: Path) -> list[Path]:
    """The files below ``folder`` with an image's suffix: :func:`files_below`."""
    return files_below(folder).images


def files_below(folder: Path, but: Path | None = None) -> FilesBelow:
    """The files below ``folder``; hidden files and folders are left out, and so is the folder ``but``.

    Links to folders are followed, but not into a folder that one is in already. A link that leads nowhere counts as
    a file, and is heard of when it is read. :class:`UserError` for a link that leads to itself and for a folder that
    cannot be read.
    """
    found = FilesBelow([], [])
    left_out = _place(but) if but is not None else None
    pending: list[tuple[Path, frozenset[tuple[int, int]]]] = [(folder, frozenset())]
    while pending:
        here, above = pending.pop()
        try:
            facts = here.stat()
            place = facts.st_dev, facts.st_ino
            if place in above or place == left_out:
                continue
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        pending.append((here / entry.name, above | {place}))
                    else:
                        (found.images if _is_image(entry.name) else found.others).append(here / entry.name)
        except OSError as error:
            raise storage_error(here, error) from error
    return found


def _place(folder: Path) -> tuple[int, int] | None:
    """By which a folder is known under all its names; None where there is none."""
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        told = ascii(entry.path)[1:-1] if not entry.path.isprintable() else entry.path
        raise UserError(
            f"{told} is a link that leads to itself; remove it, or make it lead to what it names"
        ) from error


def _is_image(name: str) -> bool:
    stem, _, suffix = name.lower().rpartition(".")
    return bool(stem) and suffix in IMAGE_SUFFIXES


#: What ``.*`` at the end of a pattern stands for, in any case.
IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp")
