"""Which photographs a folder holds, and what the restored ones are called."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.photographs.find import find_photographs

Refused = Callable[..., AbstractContextManager[None]]


def touched(folder: Path, *names: str) -> Path:
    """A folder with empty files: nothing is opened here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_folders_are_kept_and_numbers_count_by_value(tmp_path: Path) -> None:
    touched(tmp_path / "in", "10.JPG", "2.png", "a/b/1.webp", "a/notes.txt", ".hidden.png", ".git/x.png", "clip.mp4")
    found = find_photographs([tmp_path / "in"], tmp_path / "out")
    assert [(each.name, each.restored) for each in found.photographs] == [
        ("2.png", "2.png"),
        ("10.JPG", "10.png"),
        ("a/b/1.webp", "a/b/1.png"),
    ]
    assert found.skipped == ("a/notes.txt", "clip.mp4")
    assert [each.path for each in found.photographs][2] == tmp_path / "in" / "a" / "b" / "1.webp"


def test_what_would_have_one_name_keeps_its_own(tmp_path: Path, refused: Refused) -> None:
    touched(tmp_path / "in", "a.jpg", "A.png", "b.tif")
    found = find_photographs([tmp_path / "in"], tmp_path / "out")
    assert {each.name: each.restored for each in found.photographs} == {
        "a.jpg": "a.jpg.png",
        "A.png": "A.png.png",
        "b.tif": "b.png",
    }
    for more in ("a.jpg.jpg", "B.TIF"):
        touched(tmp_path / more, "a.jpg", "A.png", "b.tif", more)
        with refused("would both be written to", "rename one"):
            find_photographs([tmp_path / more], tmp_path / "out")


def test_results_within_the_folder_are_no_photographs(tmp_path: Path) -> None:
    touched(tmp_path, "a.png", "out/prenet/a.png", "out/index.html")
    found = find_photographs([tmp_path], tmp_path / "out")
    assert ([each.name for each in found.photographs], found.skipped) == (["a.png"], ())


def test_single_files_count_whatever_they_are_called(tmp_path: Path, refused: Refused) -> None:
    touched(tmp_path, "scan", "x/scan", "y.png")
    found = find_photographs([tmp_path / "scan", tmp_path / "y.png"], tmp_path / "out")
    assert [each.restored for each in found.photographs] == ["scan.png", "y.png"]
    with refused("are both called 'scan'", "--out"):
        find_photographs([tmp_path / "scan", tmp_path / "x" / "scan"], tmp_path / "out")


def test_no_photograph_at_all(tmp_path: Path, refused: Refused) -> None:
    with refused("no photographs in", str(touched(tmp_path, "notes.txt"))):
        find_photographs([tmp_path], tmp_path / "out")


@given(st.sets(st.text("aAbB12.", min_size=1, max_size=4), min_size=1, max_size=6))
def test_every_photograph_has_a_place_of_its_own_on_every_disk(
    tmp_path_factory: pytest.TempPathFactory, stems: set[str]
) -> None:
    stems = {stem.lstrip(".").lower() or "x" for stem in stems}  # names that differ in case alone are refused
    names = {f"{stem}.{kind}" for stem in stems for kind in ("JPG", "tif")}
    folder = touched(tmp_path_factory.mktemp("any"), *names)
    found = find_photographs([folder], folder / "out").photographs
    assert {each.name for each in found} == names
    assert len({each.restored.casefold() for each in found}) == len(names)
    assert all(each.restored.endswith(".png") for each in found)
