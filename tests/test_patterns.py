"""Path patterns with fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.patterns import Pattern


def touch(root: Path, *names: str) -> Path:
    """Empty files below a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(pattern: str, root: Path) -> dict[str, dict[str, str]]:
    """What a pattern finds: path below the root to fields."""
    return {path.relative_to(root).as_posix(): fields for path, fields in Pattern(pattern).find(root)}


def test_files_are_found_with_their_fields(tmp_path: Path) -> None:
    touch(
        tmp_path, "train/rainy/a-1.png", "train/rainy/b-02.png", "train/rainy/b-x.png", "train/clean/a.png", "c-3.png"
    )
    assert found("train/rainy/{scene}-{n:d}.png", tmp_path) == {
        "train/rainy/a-1.png": {"scene": "a", "n": "1"},
        "train/rainy/b-02.png": {"scene": "b", "n": "02"},
    }


def test_fields_in_folders_do_not_span_slashes(tmp_path: Path) -> None:
    touch(tmp_path, "one/rain/7.png", "two/rain/8.png", "two/deep/rain/9.png")
    assert found("{set}/rain/{id:d}.png", tmp_path) == {
        "one/rain/7.png": {"set": "one", "id": "7"},
        "two/rain/8.png": {"set": "two", "id": "8"},
    }


def test_other_characters_mean_themselves(tmp_path: Path) -> None:
    touch(tmp_path, "a(1).png", "a1.png", "a(1)xpng")
    assert list(found("{scene}(1).png", tmp_path)) == ["a(1).png"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert found("no/{scene}.png", tmp_path) == {}


@given(st.integers(0, 10**6), st.integers(0, 9))
def test_numbers_compare_by_value(number: int, width: int) -> None:
    pattern = Pattern("rain/{id:d}.png")
    assert pattern.key({"id": f"{number:0{width}}"}, ("id",)) == (number,)


def test_text_compares_as_text() -> None:
    pattern = Pattern("{scene}-{id:d}.png")
    assert pattern.key({"scene": "007", "id": "007"}, ("id", "scene")) == (7, "007")
    assert pattern.fields == ("scene", "id")
    assert pattern.numbers == {"id"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/data/{scene}.png", "leaves the dataset's folder"),
        ("../{scene}.png", "leaves the dataset's folder"),
        ("rain\\{scene}.png", "leaves the dataset's folder"),
        ("rain/1.png", "no {field}"),
        ("{scene}/{scene:d}.png", "as text and as a number"),
        ("{scene.png", "a field is {name}"),
        ("{n:03d}.png", "a field is {name}"),
        ("{}.png", "a field is {name}"),
    ],
)
def test_what_is_no_pattern(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="pattern") as caught:
        Pattern(text)
    assert reason in str(caught.value)
    assert repr(text) in str(caught.value)


def test_a_field_used_twice_means_the_same_text_twice(tmp_path: Path) -> None:
    """The way SPA-Data names its frames: the folder's name comes again in the file's."""
    pattern = Pattern("{scene}/{scene}-{frame}_{x:d}_{y:d}.png")
    for name in ("003/003-12_0_64.png", "003/004-12_0_64.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list(pattern.find(tmp_path))
    assert [path.name for path, _ in found] == ["003-12_0_64.png"]
    assert found[0][1] == {"scene": "003", "frame": "12", "x": "0", "y": "64"}
    assert pattern.fields == ("scene", "frame", "x", "y")
