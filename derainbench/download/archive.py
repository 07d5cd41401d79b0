"""Archives of strangers, unpacked: nothing outside of the folder, no links, not more than was to be expected."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from derainbench.errors import StorageError, UserError, one_line
from derainbench.support.atomic import storage_error

#: Images hardly shrink: an archive that holds so many times its own size is none of images.
MOST_TIMES = 50

#: What it may hold in any case, and the most files.
AT_LEAST, MOST_FILES = 2**24, 3_000_000

#: The most bytes that a tar archive's description of one file may have.
_LARGEST_HEADER = 2**22

_CHUNK = 2**20

#: What macOS packs beside the files.
_CLUTTER = "__MACOSX"

#: How files begin by whose name nobody sees that they are something else.
_OTHERS = {b"Rar!": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"<": "a web page"}


class _Member(NamedTuple):
    """A file in an archive: where it goes, how many bytes it says to have, and how they are read."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, into: Path) -> None:
    """All files of a zip or tar archive, below the folder ``into``, which is made.

    :class:`UserError`, in one line, for what is neither, or damaged; for a file that would lie outside of the folder,
    in the place of another, or is a link or a device; for one under a password; for more than :data:`MOST_TIMES` the
    archive's size (16 MB always), more than the disk takes, or more than :data:`MOST_FILES` files. What was unpacked
    until then stays: ``into`` is to be a folder that is thrown away.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        _unpack_all(archive, into)
    except UserError:
        raise
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refused(archive, "holds a file in the place of another") from error
    except (OSError, EOFError, ValueError, RuntimeError, *_DAMAGED) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise storage_error(into, error) from error
        raise _refused(archive, f"is damaged ({one_line(error)[:100]})") from error


def _unpack_all(archive: Path, into: Path) -> None:
    most, free = max(AT_LEAST, MOST_TIMES * archive.stat().st_size), shutil.disk_usage(into).free
    seen, unpacked = set[str](), 0
    for member in _members(archive):
        path = _checked(member.name, archive, seen)
        unpacked += member.size
        if unpacked > most:
            raise _refused(
                archive, f"would unpack to more than {most:,} bytes, which no archive of images of its size does"
            )
        if unpacked > free:
            raise StorageError(f"{into.parent}: {archive.name} unpacked does not fit on the disk; free some space")
        if len(seen) > MOST_FILES:
            raise _refused(archive, f"holds more than {MOST_FILES:,} files")
        if path.parts[0] != _CLUTTER:
            _write(member, into / path)
    if not seen:
        raise _refused(archive, "holds no file")


def _refused(archive: Path, why: str) -> UserError:
    return UserError(f"{archive.name} {why}; nothing was taken of it")


_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError)


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        return _in_zip(archive)
    with archive.open("rb") as file:
        begins = file.read(512)
    for magic, opened in _PACKED.items():
        if begins.startswith(magic):
            return _in_tar(archive, opened)
    if begins[257:262] == b"ustar":
        return _in_tar(archive, lambda path: path.open("rb"))
    other = next((what for magic, what in _OTHERS.items() if begins.lstrip().startswith(magic)), "neither zip nor tar")
    raise _refused(archive, f"is {other}")


_PACKED: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": lambda path: cast("IO[bytes]", gzip.GzipFile(path)),
    b"BZh": lambda path: cast("IO[bytes]", bz2.BZ2File(path)),
    b"\xfd7zXZ": lambda path: cast("IO[bytes]", lzma.LZMAFile(path)),  # noqa: SIM115 - closed by who opens it
}


def _in_zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, f"holds {entry.filename!a}, which is no file")
            if entry.flag_bits & 1:
                raise _refused(archive, "is under a password")
            if not entry.is_dir():
                yield _Member(entry.filename, entry.file_size, lambda entry=entry: packed.open(entry))  # type: ignore[misc]


def _in_tar(archive: Path, opened: Callable[[Path], IO[bytes]]) -> Iterator[_Member]:
    with opened(archive) as stream, tarfile.open(fileobj=cast("IO[bytes]", _Sips(stream)), mode="r:") as packed:
        for entry in packed:
            if entry.isdir():
                continue
            if not entry.isreg() or entry.issparse():
                raise _refused(archive, f"holds {entry.name!a}, which is no file")
            yield _Member(entry.name, entry.size, lambda entry=entry: cast("IO[bytes]", packed.extractfile(entry)))  # type: ignore[misc]


class _Sips:
    """A stream of which nobody reads much at once: tar's header of a file may say that it has gigabytes itself."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise ValueError("a header of it is too large")
        return self._stream.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _checked(name: str, archive: Path, seen: set[str]) -> PurePosixPath:
    """Where a file goes, below the folder."""
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or not path.parts
        or not name.isprintable()
        or any(sign in name for sign in "\\:")
    ):
        raise _refused(archive, f"holds {name!a}, which leads out of its folder")
    same = str(path).casefold()
    if same in seen:
        raise _refused(archive, f"holds {name!a} twice")
    seen.add(same)
    return path


def _write(member: _Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, path.open("xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > member.size:
                raise ValueError(f"{member.name} has more bytes than it says")
            file.write(chunk)
    if written != member.size:
        raise ValueError(f"{member.name} has {written} bytes of {member.size}")
