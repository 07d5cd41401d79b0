"""The scores of an evaluation under way: what was whole is there again, what was not is done again."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.engine.partial_scores import PartialScores

ROWS = [("s", 4, 5, 0, "y", math.inf, math.nan), ("s", 4, 5, 0, "rgb", 0.1 + 0.2, -1e-300)]


def filled(folder: Path, images: int = 3) -> Path:
    partial = PartialScores(folder, "key")
    assert partial.read() == {}
    for number in range(images):
        partial.add(f"image {number}\n{'ü' * number}", ROWS)
    return folder / "scores.partial.jsonl"


def same(rows: object) -> bool:
    return repr([tuple(row) for row in rows]) == repr(ROWS)  # type: ignore[attr-defined]


def test_every_digit_comes_back(tmp_path: Path) -> None:
    filled(tmp_path)
    found = PartialScores(tmp_path, "key").read()
    assert list(found) == ["image 0\n", "image 1\nü", "image 2\nüü"]
    assert all(same(rows) for rows in found.values())


def test_those_of_another_key_are_forgotten(tmp_path: Path) -> None:
    path = filled(tmp_path)
    assert PartialScores(tmp_path, "other").read() == {}
    assert PartialScores(tmp_path, "key").read() == {}
    PartialScores(tmp_path, "key").remove()
    assert not path.exists()


@given(st.data())
def test_a_file_that_was_cut_off_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cell")
    path = filled(folder)
    content = path.read_bytes()
    kept = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:kept])
    found = PartialScores(folder, "key").read()
    assert len(found) == max(0, content[:kept].count(b"\n") - 1)
    PartialScores(folder, "key").add("more", ROWS)
    again = PartialScores(folder, "key").read()
    assert list(again) == [*found, "more"]
    assert all(same(rows) for rows in again.values())


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"[]\n", b'{"image": "x"}\n', b'{"key": "key"}\n', b"\xff\n"])
def test_what_follows_a_damaged_line_counts_for_nothing(tmp_path: Path, line: bytes) -> None:
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], line, *lines[2:]]))
    assert list(PartialScores(tmp_path, "key").read()) == ["image 0\n"]
