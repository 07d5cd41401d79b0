"""Archives of strangers: unpacked as they are, or refused in one line, and never anything outside of the folder."""

from __future__ import annotations

import contextlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.download import archive
from derainbench.download.archive import unpack
from derainbench.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]

FILES = {"rain/1.png": b"one", "norain/1.png": b"two", "a/b/c/readme.txt": b"", "é ü/x.png": b"three"}


def zipped(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip archive of these."""
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    """A tar archive, packed as its name says."""
    how: Any = {".tgz": "w:gz", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, how) as packed:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return path


def one_of_kind(path: Path, kind: bytes) -> Path:
    """A tar archive with a link, or a device."""
    with tarfile.open(path, "w") as packed:
        entry = tarfile.TarInfo("rain/1.png")
        entry.type, entry.linkname = kind, "/etc/passwd"
        packed.addfile(entry)
    return path


def read(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"])
def test_what_is_in_it(tmp_path: Path, name: str) -> None:
    made = (zipped if name.endswith("zip") else tarred)(tmp_path / name, {**FILES, "__MACOSX/._1.png": b"?"})
    unpack(made, tmp_path / "out")
    assert read(tmp_path / "out") == FILES


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/tmp/x", "a\\..\\x", "C:/x", "\\\\host\\x", "a\nb", "\x1b[2J", "."]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_no_way_out(tmp_path: Path, name: str, pack: Callable[..., Path], refused: Refused) -> None:
    before = read(tmp_path)
    made = pack(tmp_path / "a.archive", {"fine": b"fine", name: b"out"})
    with refused("a.archive holds", "leads out of its folder", "nothing was taken"):
        unpack(made, tmp_path / "deep" / "out")
    made.unlink()
    assert {path: data for path, data in read(tmp_path).items() if path != "deep/out/fine"} == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_no_links_and_devices(tmp_path: Path, kind: bytes, refused: Refused) -> None:
    with refused("holds 'rain/1.png', which is no file"):
        unpack(one_of_kind(tmp_path / "a.tar", kind), tmp_path / "out")
    assert read(tmp_path / "out") == {}


def test_no_links_in_zip(tmp_path: Path, refused: Refused) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(entry, "/etc")
    with refused("holds 'link', which is no file"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_two_of_one_name(tmp_path: Path, pack: Callable[..., Path], refused: Refused) -> None:
    with refused("twice"):
        unpack(pack(tmp_path / "a", {"a.png": b"1", "A.png": b"2"}), tmp_path / "out")
    with refused("in the place of another"):
        unpack(pack(tmp_path / "a", {"x": b"1", "x/y": b"2"}), tmp_path / "other")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_no_bombs(tmp_path: Path, name: str, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "AT_LEAST", 100_000)
    pack = zipped if name.endswith("zip") else tarred
    bomb = pack(tmp_path / name, {f"{n}.png": bytes(2_000_000) for n in range(3)})
    with refused("would unpack to more than", "nothing was taken"):
        unpack(bomb, tmp_path / "out")
    assert read(tmp_path / "out") == {}


def test_a_zip_that_says_less_than_it_holds(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", {"x.png": bytes(5_000_000)})
    data = made.read_bytes().replace((5_000_000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    made.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        unpack(made, tmp_path / "out")
    assert sum(map(len, read(tmp_path / "out").values())) <= 50


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path, refused: Refused) -> None:
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 2**33
    (tmp_path / "a.tar").write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))
    with refused("damaged"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_not_too_many_files(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 10)
    with refused("holds more than 10 files"):
        unpack(zipped(tmp_path / "a.zip", {f"{n}.png": b"" for n in range(11)}), tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither zip nor tar"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"Rar!\x1a\x07", "is a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
        (b"\x1f\x8b\x08 and no more", "is damaged"),
        (b"BZh9 and no more", "is damaged"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, content: bytes, said: str, refused: Refused) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with refused("a.zip", said):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@given(st.data())
def test_a_damaged_archive_never_gives_other_files(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    made = data.draw(st.sampled_from([zipped, tarred]))(folder / "a.zip", {"1.png": b"12" * 500, "2/3.png": b"x"})
    content = bytearray(made.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    made.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(UserError):
        unpack(made, folder / "deep" / "out")
    assert {path.split("/")[0] for path in read(folder)} <= {"a.zip", "deep"}
