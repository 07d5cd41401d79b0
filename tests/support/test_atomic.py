"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.errors import StorageError, UserError
from derainbench.support.atomic import read_json, storage_error, write_atomic, write_json

Refused = Callable[..., AbstractContextManager[None]]


def failing(error: BaseException) -> Callable[..., NoReturn]:
    """A function that raises, whatever it is given."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


def test_a_file_is_written_and_replaced_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a/b/c.bin"
    for content in (b"first", b"", b"second"):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["c.bin"]


def test_a_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomic(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only: choose another folder"),
        (errno.EACCES, "permission denied: change its permissions"),
        (errno.EIO, "check the disk"),
    ],
)
def test_a_disk_that_refuses_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes | None, number: int, remedy: str, refused: Refused
) -> None:
    path = tmp_path / "scores.json"
    if old is not None:
        path.write_bytes(old)
    monkeypatch.setattr(os, "fsync", failing(OSError(number, os.strerror(number))))
    with refused(str(path), remedy):
        write_atomic(path, b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([] if old is None else [old])


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fsync", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"new")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"a": "old"}


def test_a_rename_that_fails(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "folder").mkdir()
    with refused(str(tmp_path / "folder"), "this is a folder"):
        write_atomic(tmp_path / "folder", b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_file_in_the_way_of_a_folder(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "a").touch()
    with refused(str(tmp_path / "a"), "choose another folder"):
        write_atomic(tmp_path / "a/b", b"")
    with refused("not a folder", "choose another folder"):
        write_atomic(tmp_path / "a/b/c", b"")


def test_a_name_that_is_too_long(tmp_path: Path, refused: Refused) -> None:
    with refused("name is too long", "shorter"):
        write_atomic(tmp_path / ("x" * 300), b"")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_stops_a_run_and_is_a_users_to_mend() -> None:
    error = storage_error(Path("a"), OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, StorageError)
    assert isinstance(error, UserError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to be written over and over."""
    return tmp_path_factory.mktemp("json") / "a.json"


@given(value=JSON)
def test_json_comes_back_as_it_was(scratch: Path, value: object) -> None:
    write_json(scratch, value)
    assert read_json(scratch) == value


def test_keys_keep_their_order_and_letters_stay_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"z": "Größe", "a": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "z": "Größe",\n  "a": 1\n}\n'


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{'a': 1}"])
def test_what_is_not_json(tmp_path: Path, content: bytes, refused: Refused) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with refused(str(tmp_path / "a.json"), "not readable as JSON", "delete it"):
        read_json(tmp_path / "a.json")


def test_json_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    with refused(str(tmp_path / "a.json"), "no such file", "check the path"):
        read_json(tmp_path / "a.json")
