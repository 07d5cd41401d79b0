"""Path patterns with fields."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.catalogue.patterns import Pattern

Refused = Callable[..., AbstractContextManager[None]]


def touch(root: Path, *names: str) -> Path:
    """Empty files below a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(pattern: str, root: Path) -> dict[str, dict[str, str]]:
    """What a pattern finds: path below the root to fields."""
    chosen = Pattern(pattern)
    return {path: dict(zip(chosen.fields, values, strict=True)) for path, values in chosen.find(root)}


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
    assert pattern.key((f"{number:0{width}}",), ("id",)) == (number,)


def test_text_compares_as_text() -> None:
    pattern = Pattern("{scene}-{id:d}.png")
    assert pattern.key(("007", "007"), ("id", "scene")) == (7, "007")
    assert pattern.fields == ("scene", "id")
    assert pattern.numbers == {"id"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/data/{scene}.png", "leaves the dataset's folder"),
        ("../{scene}.png", "leaves the dataset's folder"),
        ("rain\\{scene}.png", "leaves the dataset's folder"),
        ("rain/1.png", "no {field}"),
        ("{scene}/{scene:d}.png", "uses one field in two ways"),
        ("{scene.png", "a field is {name}"),
        ("{n:03d}.png", "a field is {name}"),
        ("{}.png", "a field is {name}"),
        ("{n?:d}.png", "cannot be missing"),
        ("{n?}/{n}.png", "in two ways"),
        ("./{scene}.png", "is spelt"),
        ("{scene}.*.png", "only at the end"),
        ("rain*/{scene}.*", "only at the end"),
        ("{id:9..3}.png", "swap its ends"),
        ("{id:d}/{id:1..3}.png", "in two ways"),
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
    assert pattern.find(tmp_path) == [("003/003-12_0_64.png", ("003", "12", "0", "64"))]
    assert pattern.fields == ("scene", "frame", "x", "y")


def test_a_number_within_a_range(tmp_path: Path) -> None:
    touch(tmp_path, "900_1.jpg", "0901_1.jpg", "1000_14.jpg", "1001_1.jpg", "x_1.jpg")
    assert list(found("{id:901..1000}_{rain:d}.jpg", tmp_path)) == ["0901_1.jpg", "1000_14.jpg"]
    assert Pattern("{id:1..3}.png").numbers == {"id"}


def test_text_that_may_be_missing(tmp_path: Path) -> None:
    touch(tmp_path, "rain-1.png", "pie-rain-1.png", "pie-norain-1.png")
    assert found("{set?}rain-{id:d}.png", tmp_path)["rain-1.png"] == {"set": "", "id": "1"}
    assert found("{set?}rain-{id:d}.png", tmp_path)["pie-rain-1.png"] == {"set": "pie-", "id": "1"}


def test_any_image_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.JPG", "c.Jpeg", "d.webp", "e.txt", "f.png.bak", "g.jpg.png", "png")
    assert list(found("{scene}.*", tmp_path)) == ["a.png", "b.JPG", "c.Jpeg", "d.webp", "g.jpg.png"]


def test_only_the_folders_on_the_way_are_looked_into(tmp_path: Path) -> None:
    touch(tmp_path, "rain/a/1.png", "rain/a/deep/1.png", "rain/b/2.png", "rain/3.png", "other/a/4.png")
    folders: set[str] = set()
    assert [path for path, _ in Pattern("rain/{scene}/{id}.png").find(tmp_path, folders)] == [
        "rain/a/1.png",
        "rain/b/2.png",
    ]
    assert folders == {"rain", "rain/a", "rain/b"}


def test_accents_compare_in_either_spelling() -> None:
    pattern = Pattern("{scene}.png")
    assert pattern.key(("caf\u00e9",), ("scene",)) == pattern.key(("cafe\u0301",), ("scene",))


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "disk/scene/1.png", "data/here/2.png")
    (tmp_path / "data/there").symlink_to(tmp_path / "disk/scene")
    (tmp_path / "data/again").symlink_to(tmp_path / "disk/scene")
    (tmp_path / "data/circle").symlink_to(tmp_path / "data")
    (tmp_path / "data/itself").symlink_to(tmp_path / "data/itself")
    assert list(found("{scene}/{id}.png", tmp_path / "data")) == ["again/1.png", "here/2.png", "there/1.png"]
    assert list(found("{a}/{b}/{id}.png", tmp_path / "data")) == []


@pytest.mark.parametrize("name", [b"line\nbreak.png", b"bell\x07.png", b"latin-\xe9.png"])
def test_a_name_that_is_no_text(
    tmp_path: Path, name: bytes, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).touch()
    with refused(str(tmp_path), "whose name is not text", "rename it"):
        Pattern("{scene}.png").find(tmp_path)
    assert Pattern("{scene}.jpg").find(tmp_path) == [], "a file that no pattern names does no harm"
