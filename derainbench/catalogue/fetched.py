"""A dataset from its addresses to the folder in which its card finds it: whole, or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from derainbench.catalogue.cards import Card, Layout
from derainbench.catalogue.dataset import Dataset, best_packed
from derainbench.catalogue.locate import locate, places
from derainbench.download.archive import unpack
from derainbench.download.remote import RemoteFile
from derainbench.download.transfer import PATIENCE
from derainbench.download.whole import Told, fetched
from derainbench.errors import UserError, did_you_mean
from derainbench.support.atomic import PART, storage_error
from derainbench.support.leftovers import take_over, unfinished_beside

#: How deep in an archive, and in how many folders, the dataset's own folder is looked for.
_DEEP, _FOLDERS = 4, 2000


def layout_to_fetch(card: Card, name: str = "") -> Layout:
    """The packaging of that name, or the first of those that can be fetched.

    :class:`UserError` where no address is known, and where derainbench makes the dataset itself.
    """
    if card.embedded:
        raise UserError(f"dataset {card.name!r} is made on first use; there is nothing to fetch")
    known = card.fetchable
    page = f"fetch it by hand from {card.source}" if card.source else "its card names no source"
    if not known:
        raise UserError(f"no address of the files of dataset {card.name!r} is known; {page}")
    if not name:
        return known[0]
    names = [layout.name for layout in known]
    if name not in names:
        raise UserError(f"dataset {card.name!r} has no layout {name!r} with addresses; {did_you_mean(name, names)}")
    return known[names.index(name)]


def target(card: Card, layout: Layout, data_root: Path | None) -> Path:
    """The folder in which the files of a packaging will lie; :class:`UserError` without a data root to put it in."""
    found = places(card, layout, data_root)
    if not found:
        raise UserError(f"dataset {card.name!r} needs a place; give --data-root, the folder that holds the datasets")
    return next((place for place in found if place != data_root), found[0])


def fetch_dataset(
    card: Card, layout: Layout, data_root: Path | None, told: Told | None = None, patience: float = PATIENCE
) -> Dataset:
    """Fetch the files of a packaging, unpack them beside the place in which they will lie, and move them there.

    :class:`UserError` where an address gives no file, an archive is not to be trusted, its files are packed as no
    layout of the card says, or something else is in their place. Nothing is there then that was not there before.
    """
    place = target(card, layout, data_root)
    _check_free(card, place, data_root)
    beside = (place if place != data_root else place / card.name).absolute()
    others = [other.name for other in card.fetchable if other.name != layout.name]
    page = card.source + (f"; it is also fetched as --layout {' or '.join(map(repr, others))}" if others else "")
    with fetched(layout.files, beside.with_name(f"{beside.name} files"), page, told, patience=patience) as files:
        if (left := take_over(beside, PART)) is not None:
            shutil.rmtree(left, ignore_errors=True)
        staging = unfinished_beside(beside, PART)
        try:
            for file in layout.files:
                _lay(file, files / file.name, staging / file.into)
            root, packed = _own_folder(card, layout, staging)
            place = place if packed is layout else target(card, packed, data_root)
            _check_free(card, place, data_root)
            _move(root, place, data_root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    dataset = locate(card, data_root)
    assert dataset is not None
    return dataset


def _check_free(card: Card, place: Path, data_root: Path | None) -> None:
    """:class:`UserError` where something lies in the dataset's place that is not the dataset."""
    if place != data_root and (place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir())))):
        raise UserError(
            f"{place} is in the way of dataset {card.name!r}, and does not hold it as its card knows; rename it, or "
            "give another --data-root"
        )


def _lay(file: RemoteFile, source: Path, folder: Path) -> None:
    """A fetched file into its folder, unpacked if it is an archive; of a fetched folder each file."""
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            inner = RemoteFile(name="file", addresses=file.addresses)
            name = path.relative_to(source)
            _lay(inner.model_copy(update={"name": name.name}), path, folder / name.parent)
    elif file.is_archive:
        unpack(source, folder)
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / file.name)
        except OSError as error:
            raise storage_error(folder, error) from error


def _own_folder(card: Card, fetched_layout: Layout, staging: Path) -> tuple[Path, Layout]:
    """The folder in what was unpacked from which on the paths are those of a layout: rather of the one fetched, rather
    of one with both splits, rather near the top."""
    layouts = [fetched_layout, *(layout for layout in card.layouts if layout is not fetched_layout)]
    folders = list(islice(_folders(staging, _DEEP), _FOLDERS))
    found = best_packed((folder, layout) for layout in layouts for folder in folders)
    if found is not None:
        return found
    names = sorted(path.relative_to(staging).as_posix() for path in islice(staging.rglob("*.*"), 3))
    raise UserError(
        f"what was fetched for dataset {card.name!r} is not packed as its card knows: it has {', '.join(names)}; "
        "nothing was kept of it"
    )


def _folders(root: Path, deep: int) -> Iterator[Path]:
    """The folder and those in it, the nearest first."""
    level = [root]
    for _ in range(deep + 1):
        yield from level
        level = [Path(entry.path) for folder in level for entry in _sorted(folder) if entry.is_dir()]


def _sorted(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _move(root: Path, place: Path, data_root: Path | None) -> None:
    """All of a folder to its place: it is renamed, or, where the place is the data root, each that is in it."""
    try:
        if place != data_root:
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir():
                place.rmdir()  # empty
            root.rename(place)
            return
        names = sorted(path.name for path in root.iterdir())
        if taken := [name for name in names if (place / name).exists()]:
            raise UserError(f"{place / taken[0]} is in the way; rename it, or give another --data-root")
        moved: list[str] = []
        try:
            for name in names:
                (root / name).rename(place / name)
                moved.append(name)
        except BaseException:
            for name in moved:
                with contextlib.suppress(OSError):
                    (place / name).rename(root / name)
            raise
    except OSError as error:
        raise storage_error(place, error) from error
