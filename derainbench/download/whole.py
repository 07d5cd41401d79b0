"""Files from the first of their addresses that gives them: all of them whole and as they are known, or none."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pooch

from derainbench.download.drive import DriveTransfer, fetch_folder
from derainbench.download.remote import Address, RemoteFile
from derainbench.download.transfer import PATIENCE, DeadLinkError, OnBytes, Transfer
from derainbench.errors import StorageError, UserError
from derainbench.support.atomic import PART, storage_error
from derainbench.support.leftovers import take_over, unfinished_beside
from derainbench.support.words import bytes_text

#: The most bytes that are taken where nobody says how large a file is: 1 TB.
MOST = 10**12

#: How the name of a file ends of which not all is here yet.
_BEGUN = ".begun"


class Told:
    """What a person hears of it: a ``line`` now and then, and each file's bytes as they come. Here nobody listens."""

    def line(self, text: str) -> None:
        """A sentence, such as that an address is dead and another one is tried."""

    def bytes_of(self, name: str) -> OnBytes:
        """What is to be told of the bytes of a file."""
        return lambda more, total: None


@contextlib.contextmanager
def fetched(
    files: Sequence[RemoteFile],
    beside: Path,
    page: str = "",
    told: Told | None = None,
    most: int = MOST,
    patience: float = PATIENCE,
) -> Iterator[Path]:
    """A folder with the files, whole and of their known hashes, as long as the block runs; it lies next to ``beside``.

    What a process that ended before its time has fetched for the same ``beside`` is gone on with. ``page`` is where a
    person finds the files. :class:`UserError` where one comes from none of its addresses; what has come of it is kept
    if its hash is known.
    """
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        folder = take_over(beside, PART)
        if folder is None:
            folder = unfinished_beside(beside, PART)
            folder.mkdir()
    except OSError as error:
        raise storage_error(beside, error) from error
    known, came = {file.name for file in files if file.sha256}, False
    try:
        for file in files:
            _fetch(file, folder, page, told or Told(), most, patience)
        came = True
        yield folder
    except StorageError:  # with more space, it can be gone on with
        raise
    except Exception:
        if came or not any(path.name.removesuffix(_BEGUN) in known and _bytes_in(path) for path in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _fetch(file: RemoteFile, folder: Path, page: str, told: Told, most: int, patience: float) -> None:
    _check_space(file, folder)
    reasons: list[str] = []
    for number, address in enumerate(file.addresses):
        try:
            _from(address, file, folder, told, most, patience)
        except DeadLinkError as error:
            reasons.append(f"{address.url} {error}")
            if number + 1 < len(file.addresses):
                told.line(f"{reasons[-1]}; trying {file.addresses[number + 1].url}")
        else:
            return
    more = f"; look for it at {page}" if page else ""
    begun = folder / f"{file.name}{_BEGUN}"
    kept = _bytes_in(begun) if file.sha256 and begun.is_file() else 0
    gone_on = f"; {bytes_text(kept)} of it are kept, the same command goes on" if kept else ""
    raise UserError(f"{file.name} was not fetched: {'; '.join(reasons)}{more}{gone_on}")


def _from(address: Address, file: RemoteFile, folder: Path, told: Told, most: int, patience: float) -> None:
    """The file from one address; :class:`DeadLinkError` where that does not give it."""
    begun, whole = folder / f"{file.name}{_BEGUN}", folder / file.name
    if address.is_folder:
        if not whole.is_dir():
            fetch_folder(address.url, begun, patience)
            begun.rename(whole)
        return
    if not file.sha256:  # bytes of another file could not be told from those of this one
        begun.unlink(missing_ok=True)
    went_on, on_bytes = begun.exists() and _bytes_in(begun) > 0, told.bytes_of(file.name)
    on_bytes(_bytes_in(begun) if went_on else 0, file.size)
    transfer = (
        DriveTransfer(most, patience) if address.on_drive else Transfer(begun, file.size, most, on_bytes, patience)
    )
    try:
        _retrieve(address.url, file, folder, transfer)
    except _OtherBytesError as error:
        if not went_on:
            raise DeadLinkError(str(error)) from error
        _from(address, file, folder, told, most, patience)  # it may be what had come before: from its beginning, then


class _OtherBytesError(Exception):
    """What came is not the known file."""


def _retrieve(url: str, file: RemoteFile, folder: Path, transfer: Transfer | DriveTransfer) -> None:
    """By pooch, which fetches nothing where the file is there with its hash, and moves it there when its hash is it."""
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}" if file.sha256 else None,
            fname=file.name,
            path=folder,
            downloader=transfer,
        )
    except ValueError as error:
        got = str(error).partition("but got ")[2][:64]
        raise _OtherBytesError(
            f"gives other bytes than those that are known (sha256 {got}, expected {file.sha256})"
        ) from error


def _check_space(file: RemoteFile, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if file.size is not None and file.size > free:
        raise StorageError(
            f"{folder.parent}: {file.name} has {bytes_text(file.size)}, of which the disk takes {bytes_text(free)}; "
            "free some space and run the same command again"
        )


def _bytes_in(path: Path) -> int:
    return path.stat().st_size
