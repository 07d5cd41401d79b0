"""Dataset folders as they should not be: what is found in them, or the one line that says what is wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import Dataset, locate
from derainbench.images.decode import read_pair

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

HEAD = """
name = "tiny"
title = "Tiny"
rain_model = "streak"
kind = "synthetic"
root = "data"
"""
FLAT = '[[layouts]]\nname = "flat"\ntest = { rainy = "rainy/{scene}.png", clean = "clean/{scene}.png" }\n'
DEEP = '[[layouts]]\nname = "deep"\ntest = { rainy = "rainy/{set}/{scene}.png", clean = "clean/{set}/{scene}.png" }\n'
CLASHES = [("Rain-1", "rain-1"), ("Straße", "STRASSE"), ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\u0301")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path, save_image: SaveImage) -> Path:
    """A dataset's folder with scenes a and b in ``{rainy,clean}/`` and again, as a set, in ``{rainy,clean}/set/``."""
    random = np.random.default_rng(0)
    for name in ("a", "b", "set/a", "set/b"):
        for kind in ("rainy", "clean"):
            image = random.integers(0, 256, (4, 6, 3), dtype=np.uint8)
            save_image(tmp_path / "data" / kind / f"{name}.png", image)
    return tmp_path / "data"


def find(data: Path, layout: str = FLAT) -> Dataset | None:
    """What a card with this layout finds in the folder."""
    (data.parent / "tiny.toml").write_text(HEAD + layout)
    return locate(read_card(data.parent / "tiny.toml"), None)


def scenes(data: Path, layout: str = FLAT) -> list[str]:
    """The names of the pairs found."""
    dataset = find(data, layout)
    assert dataset is not None
    return [pair.image for pair in dataset.pairs("test")]


def break_rainy_a(data: Path) -> Path:
    """Take a rainy file away, for something else to be put there."""
    (data / "rainy/a.png").unlink()
    return data / "rainy/a.png"


# Links ---------------------------------------------------------------------------------------------------------------


def test_a_loop_of_links_is_not_entered_twice(data: Path) -> None:
    before = scenes(data, DEEP)
    for kind in ("rainy", "clean"):
        (data / kind / "set/loop").symlink_to(data / kind)
        (data / kind / "loop").symlink_to(data / kind)
    assert scenes(data) == ["a", "b"]
    assert scenes(data, DEEP) == before == ["set-a", "set-b"]


def test_linked_folders_and_files_are_followed_wherever_they_lead(data: Path, tmp_path: Path) -> None:
    for kind in ("rainy", "clean"):
        (data / kind).rename(tmp_path / f"elsewhere-{kind}")
        (data / kind).symlink_to(tmp_path / f"elsewhere-{kind}")
        (data / kind / "c.png").symlink_to(tmp_path / f"elsewhere-{kind}/a.png")
    assert scenes(data) == ["a", "b", "c"]
    dataset = find(data)
    assert dataset is not None
    a, _, c = dataset.pairs("test")
    np.testing.assert_array_equal(read_pair(a.rainy, a.clean), read_pair(c.rainy, c.clean))


@pytest.mark.parametrize("target", ["gone.png", "a.png"])
def test_a_link_that_leads_nowhere_is_named(data: Path, target: str, refused: Refused) -> None:
    break_rainy_a(data).symlink_to(target)
    with refused(str(data / "rainy/a.png"), "check"):
        scenes(data)


# What is no file -----------------------------------------------------------------------------------------------------


def test_a_folder_named_like_an_image_is_no_image(data: Path, refused: Refused) -> None:
    break_rainy_a(data).mkdir()
    assert scenes(data) == ["b"]
    (data / "clean/b.png").unlink()
    (data / "clean/b.png").mkdir()
    with refused(str(data / "rainy/b.png"), "no partner", "restore it"):
        scenes(data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(data: Path, refused: Refused) -> None:
    os.mkfifo(break_rainy_a(data))
    with refused(f"{data / 'rainy/a.png'} is no regular file", "remove it"):
        scenes(data)


@pytest.mark.parametrize("name", ["rainy", "rainy/a.png"])
def test_what_may_not_be_read_is_named(data: Path, name: str, refused: Refused) -> None:
    (data / name).chmod(0)
    if os.access(data / name, os.R_OK):
        pytest.skip("this user may read everything")
    try:
        with refused(str(data / name)):
            scenes(data)
    finally:
        (data / name).chmod(0o700)


@pytest.mark.parametrize("layout", [FLAT, DEEP], ids=["flat", "deep"])
def test_no_images(data: Path, layout: str) -> None:
    for path in data.rglob("*.png"):
        path.unlink()
    assert find(data, layout) is None
    (data / "rainy/Thumbs.db").touch()
    (data / "rainy/._a.jpg").touch()
    assert find(data, layout) is None
    shutil.rmtree(data)
    assert find(data, layout) is None
    data.touch()
    assert find(data, layout) is None


def test_an_empty_split(data: Path, refused: Refused) -> None:
    train = 'train = { rainy = "train/{scene}.png", clean = "clean/{scene}.png" }\n'
    dataset = find(data, FLAT + train)
    assert dataset is not None
    assert len(dataset.pairs("test")) == 2
    with refused("'tiny' has no train images", str(data), "no file train/{scene}.png", "leave the dataset out"):
        dataset.pairs("train")


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["with space", "-o", "--out", "雨", "été", "a.b", "'", "$(d)`e`", "%s", "{scene}", "..a"]
)
def test_names_are_names(data: Path, name: str) -> None:
    for kind in ("rainy", "clean"):
        (data / kind / "a.png").rename(data / kind / f"{name}.png")
    assert set(scenes(data)) == {name, "b"}


def test_both_spellings_of_an_accent_are_one_name(data: Path) -> None:
    (data / "rainy/a.png").rename(data / "rainy/e\u0301.png")
    (data / "clean/a.png").rename(data / "clean/\N{LATIN SMALL LETTER E WITH ACUTE}.png")
    assert len(scenes(data)) == 2


@pytest.mark.parametrize(("one", "other"), CLASHES)
def test_names_that_some_disks_hold_for_one(data: Path, one: str, other: str, refused: Refused) -> None:
    for kind in ("rainy", "clean"):
        (data / kind / "a.png").rename(data / kind / f"{one}.png")
        shutil.copy(data / kind / f"{one}.png", data / kind / f"{other}.png")
        if len(list((data / kind).glob("*.png"))) < 3:
            pytest.skip("this disk takes them for one")
    with refused(str(data), f"{one}.png", f"{other}.png"):
        scenes(data)


@pytest.mark.parametrize("name", [b"two\nlines", b"bell\x07", b"red\x1b[31m", b"latin-\xe9"])
def test_a_name_that_is_no_text(data: Path, name: bytes, refused: Refused) -> None:
    try:
        (data / "rainy/a.png").rename(data / "rainy" / os.fsdecode(name + b".png"))
    except OSError:
        pytest.skip("this disk refuses such names")
    with refused("is not text", "rename it"):
        scenes(data)


# Cards ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "escape", ["../{scene}.png", "/etc/{scene}.png", "rainy/../../{scene}.png", "..\\\\{scene}.png"]
)
@pytest.mark.parametrize("role", ["rainy", "clean"])
def test_a_pattern_that_leaves_the_folder(data: Path, escape: str, role: str, refused: Refused) -> None:
    with refused("tiny.toml", "layouts.0.test", "leaves the dataset's folder"):
        find(data, FLAT.replace(f"{role}/{{scene}}.png", escape))


def test_a_layer_that_leaves_the_folder(data: Path, refused: Refused) -> None:
    with refused("tiny.toml", "leaves the dataset's folder"):
        find(data, FLAT.replace(" }", ', layers = { depth = "../{scene}.png" } }'))


@pytest.mark.parametrize("folder", ["..", "/etc", "a/../..", "\\\\\\\\server"])
def test_a_folder_that_leaves_the_data_root(data: Path, folder: str, refused: Refused) -> None:
    with refused("tiny.toml", "leaves the data root"):
        find(data, FLAT + f'folders = ["{folder}"]\n')


def test_a_field_does_not_leave_the_folder_either(data: Path) -> None:
    shutil.copytree(data, data / "inner")
    layout = FLAT.replace("rainy/", "inner/{set}/").replace("clean/", "inner/clean/")
    assert {name.rsplit("-", 1)[0] for name in scenes(data, layout)} == {"clean", "rainy"}  # not "..", nor "."
