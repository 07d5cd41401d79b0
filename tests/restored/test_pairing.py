"""Files pair with test pairs by the fields of their names, however people name them, and never by order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from derainbench.catalogue.locate import Dataset
from derainbench.restored.images import RestoredImages, find_images
from derainbench.restored.pairing import pair_files
from derainbench.restored.row import Row
from tests.restored.conftest import SaveImage, restored

Refused = Callable[..., AbstractContextManager[None]]

NUMBERED = {
    "rain-{:03}.png": "rain-{id:d}.*",
    "norain-{:03}.png": "norain-{id:d}.*",
    "norain-{:03}x2.png": "norain-{id:d}x2.*",
    "{}.png": "{id:d}.*",
    "{:03}_derained.jpg": "{id:d}_derained.*",
    "2019/PReNet-6/Rain100L/{:05}.PNG": "2019/PReNet-6/Rain100L/{id:d}.*",
    "im{}/out.png": "im{id:d}/out.*",
}


@pytest.mark.parametrize("name", NUMBERED)
def test_every_convention_pairs_without_help(twelve: Dataset, tmp_path: Path, save_image: SaveImage, name: str) -> None:
    for number in range(1, 13):
        save_image(tmp_path / "out" / name.format(number), restored(number))
    paired = pair_files(tmp_path / "out", "", twelve)
    assert paired.pattern == NUMBERED[name]
    assert paired.guessed
    assert paired.files == tuple(name.format(number) for number in range(1, 13)), "1, 2, 10: by number, not by order"


def test_another_number_in_the_name_may_be_anything(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    for number in range(1, 13):
        save_image(tmp_path / "out" / f"{number:03}_{30 + number / 7:.2f}dB.png", restored(number))
    paired = pair_files(tmp_path / "out", "", twelve)
    assert [int(file[:3]) for file in paired.files] == list(range(1, 13))


@pytest.mark.parametrize("name", ["{}_{}.png", "derained/{}_{}_out.png", "scene{}/rain{}.png"])
def test_many_rains_to_one_scene(three_rains: Dataset, tmp_path: Path, save_image: SaveImage, name: str) -> None:
    for scene in range(1, 5):
        for rain in range(1, 4):
            save_image(tmp_path / "out" / name.format(scene, rain), restored(scene))
    paired = pair_files(tmp_path / "out", "", three_rains)
    assert paired.files == tuple(name.format(scene, rain) for scene in range(1, 5) for rain in range(1, 4))


@pytest.mark.parametrize("name", ["{}.png", "{}_derained.png", "net-1.0/{}/restored.png"])
def test_scenes_that_are_called_by_words(words: Dataset, tmp_path: Path, save_image: SaveImage, name: str) -> None:
    scenes = ["aa", "aachen", "bonn_2", "köln"]
    for number, scene in enumerate(scenes):
        save_image(tmp_path / "out" / name.format(scene), restored(number))
    paired = pair_files(tmp_path / "out", "", words)
    assert paired.files == tuple(name.format(scene) for scene in scenes)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.text("abcXYZ-_ ()+,#äé0123456789", max_size=12).filter(lambda text: text == text.strip()),
    after=st.text("abcXYZ-_ ()+,#äé0123456789", max_size=12),
    digits=st.integers(0, 6),
)
def test_whatever_stands_around_the_number(
    twelve: Dataset, tmp_path: Path, before: str, after: str, digits: int
) -> None:
    before, after = before.rstrip("0123456789"), after.lstrip("0123456789")  # else they would be parts of the number
    folder = tmp_path / "any"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = [f"{before}{number:0{digits}}{after}.png" for number in range(1, 13)]
    for name in names:
        (folder / name).touch()
    assert pair_files(folder, "", twelve).files == tuple(names)


def test_other_files_are_left_out_and_named(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    for number in range(1, 13):
        save_image(tmp_path / "out" / f"{number}.png", restored(number))
    save_image(tmp_path / "out" / "montage.png", restored(1))
    save_image(tmp_path / "out" / "3 (1).png", restored(1))
    (tmp_path / "out" / "readme.txt").write_text("PSNR 40")
    paired = pair_files(tmp_path / "out", "", twelve)
    assert paired.left_out == ("3 (1).png", "montage.png")


def test_a_folder_of_the_datasets_name_is_meant(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    for number in range(1, 13):
        save_image(tmp_path / "out" / "Other" / f"{number}.png", restored(number))
        save_image(tmp_path / "out" / "Tiny" / f"{number}.png", restored(number))
    assert pair_files(tmp_path / "out", "", twelve).pattern == "Tiny/{id:d}.*"


def test_names_that_may_be_read_in_two_ways(
    twelve: Dataset, tmp_path: Path, save_image: SaveImage, refused: Refused
) -> None:
    for number in range(1, 13):
        for epoch in ("epoch 1", "epoch 2"):
            save_image(tmp_path / "out" / epoch / f"{number}.png", restored(number))
    with refused("2 ways", "epoch 1/{id:d}.*", "epoch 2/{id:d}.*", "--pattern"):
        pair_files(tmp_path / "out", "", twelve)
    paired = pair_files(tmp_path / "out", "epoch 2/{id:d}.png", twelve)
    assert not paired.guessed
    assert paired.files[9] == "epoch 2/10.png"
    assert len(paired.left_out) == 12


def rename(folder: Path, called: Callable[[int], str]) -> None:
    """Give each of the twelve files another name; from 1, so that none is in the way of one that comes."""
    for number in range(1, 13):
        (folder / f"{number}.png").rename(folder / called(number))


def in_place(folder: Path, make: Callable[[Path], object]) -> None:
    """Something else where the seventh image was."""
    (folder / "7.png").unlink()
    make(folder / "7.png")


def without(folder: Path, *numbers: int) -> None:
    """Take some images away."""
    for number in numbers:
        (folder / f"{number}.png").unlink()


def no_files(folder: Path) -> None:
    """Take all that is in it away."""
    shutil.rmtree(folder)
    folder.mkdir()


def a_file(folder: Path) -> None:
    """Something else in the folder's place."""
    shutil.rmtree(folder)
    folder.write_text("zip")


#: What was done to twelve images, and what is said of it.
DAMAGES: dict[str, Callable[[Path, SaveImage], object]] = {
    "nothing": lambda folder, save: None,
    "missing": lambda folder, save: without(folder, 7, 9),
    "doubled": lambda folder, save: save(folder / "007.png", restored(7)),
    "doubled as JPEG": lambda folder, save: save(folder / "7.jpg", restored(7)),
    "counted from 0": lambda folder, save: rename(folder, lambda number: f"{number - 1}.png"),
    "another set's": lambda folder, save: [save(folder / f"{n}.png", restored(n)) for n in range(13, 25)],
    "cropped": lambda folder, save: save(folder / "7.png", restored(7)[:12]),
    "turned": lambda folder, save: save(folder / "7.png", restored(7).transpose(1, 0, 2)),
    "scaled up": lambda folder, save: save(folder / "7.png", np.kron(restored(7), np.ones((2, 2, 1), np.uint8))),
    "empty file": lambda folder, save: (folder / "7.png").write_bytes(b""),
    "no image": lambda folder, save: (folder / "7.png").write_text("<html>Sign in to download</html>"),
    "a pipe": lambda folder, save: in_place(folder, os.mkfifo),
    "a link to nowhere": lambda folder, save: in_place(folder, lambda path: path.symlink_to("gone.png")),
    "a name with a line break": lambda folder, save: (folder / "7.png").rename(folder / "7\n.png"),
    "no files": lambda folder, save: no_files(folder),
    "no folder": lambda folder, save: shutil.rmtree(folder),
    "a file": lambda folder, save: a_file(folder),
    "other names": lambda folder, save: rename(folder, lambda number: f"{'abcdefghijkl'[number - 1]}.png"),
}


def wrong(folder: Path, save: SaveImage, what: str) -> None:
    """A folder of twelve images with something wrong."""
    for number in range(1, 13):
        save(folder / f"{number}.png", restored(number))
    DAMAGES[what](folder, save)


WRONG = {
    "missing": ("no image of pair 007", "nor of 1 pair more of tiny", "add what is missing", "--limit"),
    "doubled": ("007.png and 7.png", "both of pair 007", "leave one"),
    "doubled as JPEG": ("7.jpg and 7.png", "both of pair 007"),
    "counted from 0": ("no image of pair 012", "0.png, which is of no pair"),
    "another set's": ("13.png is of no test pair of tiny", "12 such files", "another set's"),
    "cropped": ("7.png is 20x12", "pair 007 of tiny is 20x16", "cropped"),
    "turned": ("7.png is 16x20", "turned"),
    "scaled up": ("7.png is 40x32", "scaled up"),
    "empty file": ("7.png is empty",),
    "no image": ("7.png cannot be read as an image",),
    "a pipe": ("7.png is no regular file",),
    "a link to nowhere": ("7.png", "not there"),
    "a name with a line break": ("not text", "7\\n.png"),
    "no files": ("has no image files",),
    "no folder": ("is not there",),
    "a file": ("is no folder",),
    "other names": ("no name tells", "a.png", "rain-001.png", "{id:d}"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_folder_is_one_clear_line(
    twelve: Dataset, tmp_path: Path, save_image: SaveImage, refused: Refused, what: str
) -> None:
    wrong(tmp_path / "out", save_image, what)
    with refused(*WRONG[what]):
        find_images(Row("mine", tmp_path / "out"), twelve)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{ids:d}.png", ("none of the fields", "{id}")),
        ("{id:d}{n:d}.png", ("--pattern", "{id}")),
        ("../{id:d}.png", ("leaves",)),
        ("{id:d}_x.png", ("no image of pair 001", "{id:d}_x.png")),
    ],
)
def test_a_pattern_that_cannot_be_meant(
    twelve: Dataset, tmp_path: Path, save_image: SaveImage, refused: Refused, pattern: str, words: tuple[str, ...]
) -> None:
    wrong(tmp_path / "out", save_image, "nothing")
    with refused(*words):
        pair_files(tmp_path / "out", pattern, twelve)


def test_a_pattern_without_the_rain_tells_no_pairs_apart(
    three_rains: Dataset, tmp_path: Path, save_image: SaveImage, refused: Refused
) -> None:
    for scene in range(1, 5):
        save_image(tmp_path / "out" / f"{scene}.png", restored(scene))
    with refused("apart", "{scene}, {rain}"):
        pair_files(tmp_path / "out", "{scene:d}.png", three_rains)
    with refused("no name tells"):
        pair_files(tmp_path / "out", "", three_rains)


def found(dataset: Dataset, folder: Path) -> RestoredImages:
    """The images of a row called mine."""
    return find_images(Row("mine", folder), dataset)


def test_the_digest_is_of_contents_by_pair(twelve: Dataset, tmp_path: Path, save_image: SaveImage) -> None:
    for name in ("a", "b"):
        for number in range(1, 13):
            save_image(tmp_path / name / {"a": f"{number}.png", "b": f"x{number:02}.png"}[name], restored(number))
    before = found(twelve, tmp_path / "a").digest
    assert found(twelve, tmp_path / "b").digest == before, "what files are called changes no score"
    (tmp_path / "a" / "3.png").rename(tmp_path / "3.png")
    (tmp_path / "a" / "4.png").rename(tmp_path / "a" / "3.png")
    (tmp_path / "3.png").rename(tmp_path / "a" / "4.png")
    assert found(twelve, tmp_path / "a").digest != before, "the same files, two exchanged"


def test_a_file_that_changes_after_it_was_paired(
    twelve: Dataset, tmp_path: Path, save_image: SaveImage, refused: Refused
) -> None:
    wrong(tmp_path / "out", save_image, "nothing")
    images = found(twelve, tmp_path / "out")
    assert np.array_equal(images.read(4), restored(5))
    save_image(tmp_path / "out" / "5.png", restored(6))
    with refused("5.png", "changed after this run had read it"):
        images.read(4)
