"""What killed processes leave unfinished goes; what others are writing stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from derainbench.support import leftovers
from derainbench.support.atomic import PART, write_atomic
from derainbench.support.leftovers import remove_leftovers, take_over, unfinished_beside

LEAVE = "import sys; from pathlib import Path; from derainbench.support.leftovers import unfinished_beside as u; {}"


def left_by_another(path: Path, then: str = "") -> tuple[subprocess.Popen[str], Path]:
    """A process that has begun a file, and its name."""
    code = LEAVE.format(f"p = u(Path({str(path)!r}), '.part'); p.write_text('half'); print(p, flush=True); {then}")
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=path.parent
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_file_whose_writer_lives_stays_until_it_is_dead(tmp_path: Path) -> None:
    process, begun = left_by_another(tmp_path / "a.json", "sys.stdin.read()")
    with process:
        remove_leftovers(tmp_path, PART)
        assert begun.exists()
        process.kill()
        process.wait()
        remove_leftovers(tmp_path, PART)
        assert not begun.exists()


def test_whoever_writes_next_into_the_folder_cleans_it(tmp_path: Path) -> None:
    process, begun = left_by_another(tmp_path / "a.json")
    process.communicate()
    write_atomic(tmp_path / "other.json", b"{}")
    assert not begun.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]


def test_a_process_of_the_same_number_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are given again: here a file says that this very number began it, at another time."""
    monkeypatch.setattr(leftovers, "_start", lambda process: 77)
    begun = unfinished_beside(tmp_path / "a", PART)
    begun.write_text("half")
    monkeypatch.undo()
    remove_leftovers(tmp_path, PART)
    assert not begun.exists()


@pytest.mark.parametrize("name", [".a.0123456789abcdef0123456789abcdef.part", ".a.00000000-1-1-0123456789ab.part"])
def test_what_others_left_counts_as_left_after_a_day(tmp_path: Path, name: str) -> None:
    """Written by an older version, or on another machine that shares the folder."""
    begun = tmp_path / name
    begun.write_text("half")
    remove_leftovers(tmp_path, PART)
    assert begun.exists()
    os.utime(begun, (time.time() - leftovers.OF_OTHERS - 9,) * 2)
    remove_leftovers(tmp_path, PART)
    assert not begun.exists()


def test_folders_go_with_what_is_in_them_and_links_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_start", lambda process: 77)
    places = [unfinished_beside(tmp_path / "set", ".unfinished") for _ in range(2)]
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.write_text("mine")
    (places[0] / "deep").mkdir(parents=True)
    places[1].symlink_to(kept.parent)
    monkeypatch.undo()
    remove_leftovers(tmp_path, ".unfinished")
    assert kept.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_other_hidden_files_stay(tmp_path: Path) -> None:
    for name in (".lock", "a.part", ".part"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    remove_leftovers(tmp_path, PART)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "a.part"}


def test_what_is_left_of_a_file_may_be_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.zip"
    others = [unfinished_beside(tmp_path / name, PART) for name in ("set", "set.zip.zip", "other")]
    mine = unfinished_beside(path, PART)
    left = [unfinished_beside(path, PART) for _ in range(2)]
    for age, each in enumerate([*others, mine, *left]):
        each.mkdir()
        (each / "begun").write_text(each.name)
        os.utime(each, (1000 + age, 1000 + age))
    monkeypatch.setattr(leftovers, "_is_left", lambda entry: entry.name != mine.name)
    taken = take_over(path, PART)
    assert taken is not None
    assert (taken / "begun").read_text() == left[1].name  # the newer one
    assert sorted(tmp_path.iterdir()) == sorted([*others, mine, taken])
    monkeypatch.setattr(leftovers, "_is_left", lambda entry: False)
    assert take_over(path, PART) is None
