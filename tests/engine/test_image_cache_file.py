"""The file of arrays: what is read is what was written, whatever happened to the file or the disk in between."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.engine import image_cache_file as decoded_file
from derainbench.engine.image_cache_file import DecodedFile

SIZES = np.array([100, 1, 5000, 64, 0, 12345])


def content(number: int, size: int) -> np.ndarray:
    """What belongs into a place."""
    return np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)


def filled(path: Path, sizes: np.ndarray = SIZES) -> DecodedFile:
    """A file with all its places filled."""
    file = DecodedFile(path, sizes)
    assert all(file.write(number, content(number, size)) for number, size in enumerate(sizes))
    return file


def whole(file: DecodedFile, sizes: np.ndarray = SIZES) -> list[bool]:
    """Which places are there; whatever is there is right."""
    found = [file.read(number) for number in range(len(sizes))]
    right = [np.array_equal(f, content(n, sizes[n])) for n, f in enumerate(found) if f is not None]
    assert all(right)
    return [f is not None for f in found]


ALL = [bool(size) for size in SIZES]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_places_do_not_touch_each_other(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], random: Random
) -> None:
    sizes = np.array(lengths)
    path = tmp_path_factory.mktemp("file") / "a.images"
    file = DecodedFile(path, sizes)
    order = list(range(len(sizes)))
    random.shuffle(order)
    for number in order:
        assert file.write(number, content(number, sizes[number]))
    for opened in (file, DecodedFile(path, sizes), pickle.loads(pickle.dumps(file))):
        assert whole(opened, sizes) == [bool(size) for size in sizes]
    assert path.stat().st_size == file.bytes


def test_a_place_is_empty_until_it_is_filled(tmp_path: Path) -> None:
    file = DecodedFile(tmp_path / "new" / "a.images", SIZES)
    assert whole(file) == [False] * 6
    assert file.write(2, content(2, 5000))
    assert whole(file) == [False, False, True, False, False, False]
    found = file.read(2)
    assert found is not None
    assert not found.flags.writeable
    with pytest.raises(ValueError, match="4 bytes for a place of 5000"):
        file.write(2, np.zeros(4, np.uint8))


def test_numbers_of_any_type_are_read_in_place(tmp_path: Path) -> None:
    file = DecodedFile(tmp_path / "a.images", np.array([3, 40]))
    depth = np.linspace(0, 1, 10, dtype=np.float32)
    file.write(1, depth.reshape(2, 5).T)
    found = file.read(1)
    assert found is not None
    np.testing.assert_array_equal(found.view(np.float32).reshape(5, 2), depth.reshape(2, 5).T)


@pytest.mark.parametrize("damage", ["bit", "zeros", "checksum", "shorter"])
def test_what_is_not_whole_is_not_there(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.images"
    sound = filled(path)
    before = bytearray(path.read_bytes())
    start = before.find(content(2, 5000).tobytes())
    assert start > 0
    if damage == "bit":
        before[start + 4321] ^= 1
    elif damage == "zeros":  # the checksum reached the disk before the power cut, the last page did not
        before[start + 4096 : start + 5000] = bytes(904)
    elif damage == "checksum":
        before[8 * 2] ^= 128
    else:
        del before[start + 100 :]
    del sound
    path.write_bytes(before)
    lost = [2, 3, 5] if damage == "shorter" else [2]
    file = DecodedFile(path, SIZES)
    assert whole(file) == [there and n not in lost for n, there in enumerate(ALL)]
    for number in lost:
        assert file.write(number, content(number, SIZES[number]))
    assert whole(DecodedFile(path, SIZES)) == whole(file) == ALL


def test_two_processes_fill_one_file_at_once(tmp_path: Path) -> None:
    code = """
import sys, numpy as np
from pathlib import Path
from derainbench.engine.image_cache_file import DecodedFile
file = DecodedFile(Path(sys.argv[1]), np.full(300, 4000))
order = list(range(300))[:: int(sys.argv[2])]
print("ready", flush=True)
sys.stdin.readline()
decoded = 0
for number in order:
    if file.read(number) is None:
        decoded += 1
        assert file.write(number, np.random.default_rng(number).integers(0, 256, 4000, dtype=np.uint8))
    assert np.array_equal(file.read(number), np.random.default_rng(number).integers(0, 256, 4000, dtype=np.uint8))
print(decoded)
"""
    path = tmp_path / "a.images"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), direction], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for direction in ("1", "-1")
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    decoded = [int(process.communicate("go\n", timeout=60)[0]) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert 300 <= sum(decoded) <= 600
    assert all(whole(DecodedFile(path, np.full(300, 4000)), np.full(300, 4000)))


def test_a_disk_that_refuses_leaves_places_empty(tmp_path: Path) -> None:
    code = f"""
import resource, sys, numpy as np
from pathlib import Path
from derainbench.engine.image_cache_file import DecodedFile
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
file = DecodedFile(Path(sys.argv[1]), np.array({SIZES.tolist()}))
print([file.write(n, np.full(size, n + 1, np.uint8)) for n, size in enumerate({SIZES.tolist()})])
print([file.read(n) is not None for n in range(6)])
"""

    def run(path: Path, limit: int) -> list[list[bool]]:
        command = [sys.executable, "-c", code, str(path), str(limit)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
        return [[word.strip("[],") == "True" for word in line.split()] for line in lines]

    assert run(tmp_path / "new.images", 100) == [[False] * 6] * 2  # not even its length can be set
    made = DecodedFile(tmp_path / "a.images", SIZES)
    assert whole(made) == [False] * 6
    # The first three fit, a part of the last one does, and after the first refusal nobody tries again.
    wrote, found = run(made.path, made.bytes - 4000)
    assert wrote == [True] * 5 + [False]
    assert found == [True] * 4 + [False] * 2
    assert made.read(0) is not None


def test_the_last_of_the_disk_is_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = DecodedFile(tmp_path / "a.images", SIZES)
    assert file.write(0, content(0, 100))
    monkeypatch.setattr(decoded_file, "RESERVE_BYTES", 1 << 62)
    assert not file.write(2, content(2, 5000))
    assert whole(file) == [True] + [False] * 5


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = DecodedFile(tmp_path / "file" / "a.images", SIZES)
    assert not file.write(0, content(0, 100))
    assert whole(file) == [False] * 6


def test_a_file_removed_while_it_is_read(tmp_path: Path) -> None:
    file = DecodedFile(tmp_path / "a.images", SIZES)
    file.write(0, content(0, 100))
    file.path.unlink()
    assert whole(file) == [True] + [False] * 5
    assert not file.write(2, content(2, 5000))
    assert not file.path.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux lists them")
def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as many entries, and no more open files, as there are
    for number in range(30):
        file = filled(tmp_path / f"{number}.images")
        assert whole(file) == ALL
        del file
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
    maps = Path("/proc/self/maps").read_text()
    assert str(tmp_path) not in maps


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no folder in memory here")
def test_looking_at_empty_places_takes_no_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a folder that is in memory each hole that is read becomes real, until the process is ended for it."""
    path = Path("/dev/shm") / f"{tmp_path_factory.mktemp('name').name}-{os.getpid()}.images"
    try:
        file = DecodedFile(path, np.array([1 << 20] * 4))
        before = path.stat().st_blocks if path.exists() else 0
        assert [file.read(number) for number in range(4)] == [None] * 4
        assert path.stat().st_blocks - before <= 8, "the page of checksums alone"
    finally:
        path.unlink(missing_ok=True)


def test_a_file_that_was_deleted_and_made_again(tmp_path: Path) -> None:
    file = filled(tmp_path / "a.images")
    file.path.unlink()
    other = filled(tmp_path / "a.images")
    assert not file.write(0, content(0, SIZES[0])), "the old file is of no use to anybody"
    assert whole(file) == whole(other) == ALL, "from then on it is the new one that is read"


@pytest.mark.parametrize("left", [0, 10, 4096])
def test_a_file_that_is_cut_short_while_it_is_mapped_begins_anew(tmp_path: Path, left: int) -> None:
    """To touch a page that the file no longer has ends the process (SIGBUS), so that it is done in another."""
    path = tmp_path / "a.images"
    code = (
        "import os, sys, numpy as np; from pathlib import Path; "
        "from derainbench.engine.image_cache_file import DecodedFile\n"
        f"sizes = np.array({SIZES.tolist()}); file = DecodedFile(Path({str(path)!r}), sizes)\n"
        "def fill(): return all(file.write(n, np.full(size, n + 1, np.uint8)) for n, size in enumerate(sizes))\n"
        "def found(): return [(a := file.read(n)) is not None and a.sum() > 0 for n in range(len(sizes))]\n"
        f"assert fill() and found() == {ALL}\n"
        f"os.truncate({str(path)!r}, {left})\n"
        "assert not any(found()), 'what is not there any more'\n"
        f"assert fill() and found() == {ALL}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
