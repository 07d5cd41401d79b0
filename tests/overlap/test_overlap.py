"""Scenes that sets share: what is compared with what, how it is told, and that it is remembered."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from derainbench.cli.main import app
from derainbench.errors import UserError
from derainbench.overlap import compare as module
from derainbench.overlap import fingerprint, image_sets
from derainbench.overlap.compare import compare, overlap
from derainbench.overlap.image_sets import ImageSet, cache_path, folder_files, read_set
from derainbench.rain import preset
from derainbench.rain.photographs import photograph

Array = np.ndarray
Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, Array], Path]

CARD = """
name = "{name}"
title = "Some scenes"
rain_model = "streak"
kind = "synthetic"
root = "{name}"
[[layouts]]
name = "folders"
train = {{ rainy = "train/rainy/{{scene}}-{{n:d}}.png", clean = "train/clean/{{scene}}.png" }}
test = {{ rainy = "test/{{scene}}.png", side_by_side = "{side_by_side}" }}
"""


def window(name: str, place: int) -> Array:
    """One of several windows of a photograph, 96x128, half its size, that do not overlap."""
    image = np.asarray(Image.fromarray(photograph(name)).reduce(2))
    row, column = divmod(place, image.shape[1] // 128)
    return image[96 * row : 96 * (row + 1), 128 * column : 128 * (column + 1)]


def near(image: Array, seed: int = 0) -> Array:
    """Rained on, cropped by a pixel and saved as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(preset("rain100l")(image, None, seed).rainy[1:-1, 1:-1]).save(buffer, format="JPEG", quality=75)
    return np.asarray(Image.open(buffer))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with a cache in it."""
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def card(here: Path, save_image: SaveImage) -> Callable[..., Path]:
    """``card("name", train=..., test=...)`` writes a dataset of clean images by scene, two rains each in train."""

    def write(name: str, side_by_side: str = "rainy|clean", **splits: dict[str, Array]) -> Path:
        for scene, clean in splits.get("train", {}).items():
            save_image(here / name / f"train/clean/{scene}.png", clean)
            for n in (1, 2):
                save_image(here / name / f"train/rainy/{scene}-{n}.png", clean // 2 + 100)
        for scene, clean in splits.get("test", {}).items():
            halves = [np.full_like(clean, 90), clean]
            ordered = halves if side_by_side == "rainy|clean" else halves[::-1]
            save_image(here / name / f"test/{scene}.png", np.concatenate(ordered, axis=1))
        path = here / f"{name}.toml"
        path.write_text(CARD.format(name=name, side_by_side=side_by_side))
        return path

    return write


def run(*arguments: str | Path) -> str:
    """What ``derainbench datasets overlap`` prints; its exit status is 0."""
    result = CliRunner().invoke(app, ["datasets", "overlap", *map(str, arguments)])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str | Path) -> dict[str, Any]:
    """The same for a script."""
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


def pairs(found: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Its pairs without their similarities."""
    keys = ("first_set", "first_image", "second_set", "second_image", "kind")
    return [tuple(pair[key] for key in keys) for pair in found["pairs"]]


def test_one_dataset(card: Callable[..., Path]) -> None:
    """Repeats inside a split and scenes that splits share; a clean image of several rains is no repeat."""
    a, b, c = (window("astronaut", place) for place in (0, 1, 2))
    path = card("mine", train={"a": a, "a2": a, "b": b}, test={"x": near(b), "y": c})
    assert run("mine", "--card", path).splitlines() == [
        "mine train:",
        "  train/clean/a.png = train/clean/a2.png (exact)",
        "",
        "mine train = mine test:",
        "  train/clean/b.png = test/x.png (right half) (near, 0.96)",
        "",
        "mine train: 1 scene appears twice",
        "mine train / mine test: 1 of 2 images of mine test, 1 of 3 of mine train",
        "mine test: no scene appears twice",
    ]
    found = as_json("mine", "--card", path)
    assert pairs(found) == [
        ("mine train", "train/clean/a.png", "mine train", "train/clean/a2.png", "exact"),
        ("mine train", "train/clean/b.png", "mine test", "test/x.png (right half)", "near"),
    ]
    assert [pair["similarity"] for pair in found["pairs"]] == [1, pytest.approx(0.96, abs=0.005)]
    assert found["sets"] == [
        {"name": "mine train", "images": 3, "plain": [], "broken": []},
        {"name": "mine test", "images": 2, "plain": [], "broken": []},
    ]
    assert found["comparisons"][1] == {
        "first": "mine train", "second": "mine test", "images_in_first": 1, "images_in_second": 1,
        "pairs": 1, "pairs_listed": 1,
    }  # fmt: skip
    assert pairs(as_json("mine:train", "--card", path)) == pairs(found)[:1]
    assert pairs(as_json("mine:train", "mine:test", "--card", path)) == pairs(found)[1:]


def test_the_other_half(card: Callable[..., Path]) -> None:
    a = window("coffee", 0)
    path = card("mine", side_by_side="clean|rainy", train={"a": a}, test={"x": a})
    assert pairs(as_json("mine", "--card", path)) == [
        ("mine train", "train/clean/a.png", "mine test", "test/x.png (left half)", "exact")
    ]


def test_a_dataset_and_folders(card: Callable[..., Path], here: Path, save_image: SaveImage) -> None:
    """Several arguments: what each shares with the others, not what one has twice. Folders below count, hidden not."""
    a, b, c = (window("coffee", place) for place in (0, 1, 2))
    path = card("mine", train={"a": a, "a2": a})
    save_image(here / "one/deep/er/A.PNG", a)
    save_image(here / "one/.hidden/a.png", a)
    save_image(here / "one/c.jpg", c)
    save_image(here / "two/c.bmp", c)
    save_image(here / "two/b.png", b)
    (here / "one/notes.txt").write_text("no image")
    found = as_json("mine", "one", "two", "--card", path)
    assert pairs(found) == [
        ("mine train", "train/clean/a.png", "one", "deep/er/A.PNG", "exact"),
        ("mine train", "train/clean/a2.png", "one", "deep/er/A.PNG", "exact"),
        ("one", "c.jpg", "two", "c.bmp", "near"),
    ]
    text = run("mine", "one", "two", "--card", path)
    assert "mine train / one: 1 of 2 images of one, 2 of 2 of mine train" in text
    assert "mine train / two: no shared scene" in text
    assert "one / two: 1 of 2 images of two, 1 of 2 of one" in text


def test_a_card_comes_before_a_folder_of_its_name(card: Callable[..., Path]) -> None:
    path = card("mine", train={"a": window("coffee", 0)})
    assert [each["name"] for each in as_json("mine", "--card", path)["sets"]] == ["mine train"]
    assert [each["images"] for each in as_json("./mine", "--card", path)["sets"]] == [3]


def test_mistakes_are_one_line(card: Callable[..., Path], here: Path, refused: Refused) -> None:
    path = card("mine", train={"a": window("coffee", 0)})
    (here / "empty").mkdir()
    for word, *said in (
        ("empty", "empty has no image files"),
        ("mien", "neither a folder nor a dataset", "mine"),
        ("mine:tests", "a split is train or test", "mine:test"),
        ("mine:test", "'mine' has no test images"),
        ("rain100l", "files of dataset 'rain100l' are not here"),
    ):
        with refused(*said):
            run(word, "--card", path)


def test_broken_and_plain_images_are_named_and_do_not_stop_it(here: Path, save_image: SaveImage) -> None:
    good = save_image(here / "set/good.png", window("coffee", 0))
    (here / "set/broken.png").write_bytes(good.read_bytes()[:500])
    (here / "set/gone.png").symlink_to("nowhere.png")
    save_image(here / "set/sky.png", np.full((40, 60, 3), 230, np.uint8))
    save_image(here / "set/sky2.png", np.full((40, 60, 3), 230, np.uint8))
    lines = run("set").splitlines()
    assert "only exact copies are found: sky.png, sky2.png" in lines[0]
    assert lines[1].startswith("set: left out: ")
    assert "broken.png" in lines[1]
    assert "gone.png" in lines[2]
    assert lines[3:] == ["set: no scene appears twice"]
    found = as_json("set")
    assert (found["sets"][0]["images"], found["sets"][0]["plain"]) == (3, ["sky.png", "sky2.png"])
    assert len(found["sets"][0]["broken"]) == 2
    (here / "set/broken.png").write_bytes(good.read_bytes())  # once mended it takes part
    assert pairs(as_json("set")) == [("set", "broken.png", "set", "good.png", "exact")]


def test_links_that_lead_round_are_followed_once(here: Path, save_image: SaveImage) -> None:
    save_image(here / "set/a/one.png", window("coffee", 0))
    (here / "set/a/again").symlink_to("..")
    (here / "other").mkdir()
    (here / "other/link").symlink_to("../set/a")
    assert list(folder_files(here / "set").sources) == ["a/one.png"]
    assert list(folder_files(here / "other").sources) == ["link/one.png"]


def test_a_link_to_itself_and_a_file_called_png(here: Path, save_image: SaveImage, refused: Refused) -> None:
    save_image(here / "set/one.png", window("coffee", 0))
    (here / "set/png").write_text("no image")
    assert list(folder_files(here / "set").sources) == ["one.png"]
    (here / "set/deep").mkdir()
    (here / "set/deep/me").symlink_to("me")
    with refused(str(here / "set/deep/me"), "link that leads to itself", "remove it"):
        folder_files(here / "set")


def test_names_of_any_kind_are_printed_on_one_line(here: Path, save_image: SaveImage) -> None:
    save_image(here / "set/smörgås bord.png", window("coffee", 0))
    save_image(here / "set/two\nlines.png", window("coffee", 0))
    assert "  smörgås bord.png = two\\x0alines.png (exact)" in run("set").splitlines()


def test_a_second_call_reads_no_image(here: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a file changes. A damaged cache is read around."""
    for name in "ab":
        save_image(here / f"set/{name}.png", window("coffee", 0))
    first = run("set")
    with monkeypatch.context() as patch:
        patch.setattr(image_sets, "fingerprint", None)
        assert run("set") == first
    kept = cache_path(folder_files(Path("set")))
    kept.write_bytes(kept.read_bytes()[:300])
    assert run("set") == first
    save_image(here / "set/b.png", window("coffee", 1))
    assert run("set") != first
    save_image(here / "set/c.png", window("coffee", 1))
    assert "b.png = c.png" in run("set")


def test_a_set_with_broken_images_is_kept_too(
    here: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is wrong with them, until a file changes; under its own paths where the same files are moved."""
    good = save_image(here / "set/good.png", window("coffee", 0))
    (here / "set/broken.png").write_bytes(good.read_bytes()[:500])
    (here / "set/gone.png").symlink_to("nowhere.png")
    first = run("set")
    assert first.count("left out") == 2
    with monkeypatch.context() as patch:
        patch.setattr(image_sets, "fingerprint", None)
        assert run("set") == first
    read = read_set(folder_files(here / "set"))  # the same files by another path, which the reasons name
    assert all(str(here / "set") in reason for reason in read.broken)
    save_image(here / "set/nowhere.png", window("coffee", 0))
    assert "gone.png = good.png = nowhere.png (exact)" in run("set")


def test_a_refusal_is_not_kept(here: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions and a disk's errors may be mended without a change of the file."""
    save_image(here / "set/a.png", window("coffee", 0))

    def refuse(source: object) -> Array:
        raise UserError("a.png may not be read; change its permissions") from PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(image_sets, "read_rgb", refuse)
        assert "may not be read" in run("set")
    assert run("set") == "set: no scene appears twice\n"


def test_a_cache_that_cannot_be_written_does_no_harm(here: Path, save_image: SaveImage) -> None:
    save_image(here / "set/a.png", window("coffee", 0))
    (here / "cache").write_text("a file is in the way")
    assert run("set") == "set: no scene appears twice\n"


def test_other_processes_give_the_same(here: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in range(6):
        save_image(here / f"set/{place}.png", window("coffee", place % 4))
    (here / "set/broken.png").write_text("no image")
    files = folder_files(here / "set")
    alone = read_set(files)
    monkeypatch.setattr(image_sets, "_FEW", 1)
    monkeypatch.setattr(image_sets, "default_workers", lambda: 2)
    told: list[tuple[str, int, int]] = []
    shutil.rmtree(here / "cache")
    together = read_set(files, lambda *step: told.append(step))
    assert sum(more for _, more, _ in told) == 7
    assert (together.images, together.broken) == (alone.images, alone.broken)
    np.testing.assert_array_equal(together.prints.coefficients, alone.prints.coefficients)


def test_scenes_of_many_images_are_grouped(here: Path, save_image: SaveImage) -> None:
    """Exact and near copies together; long lists are cut for a person, and whole in JSON."""
    one, other, third = (window("astronaut", place) for place in (0, 1, 3))
    for name, image in {"a": one, "b": near(one), "c": one, "d": other, "e": near(other), "f": third}.items():
        save_image(here / f"set/{name}.png", image)
    for number in range(9):
        save_image(here / f"set/z{number}.png", third)
    assert run("set").splitlines() == [
        "set:",
        "  a.png = b.png = c.png (exact and near)",
        "  d.png = e.png (near)",
        "  f.png = z0.png = z1.png = z2.png = z3.png = z4.png and 4 more (exact)",
        "",
        "set: 1 scene appears twice, 1 three times, 1 10 times",
    ]
    assert len(as_json("set")["pairs"]) == 3 + 1 + 45


def test_very_many_pairs_are_counted_and_grouped_but_not_all_kept(
    here: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (window("astronaut", place) for place in (0, 1))
    for number in range(12):
        save_image(here / f"set/{number:02}.png", one if number < 9 else other)
        save_image(here / f"two/{number:02}.png", one)
    whole = run("set"), run("set", "two")
    monkeypatch.setattr(module, "MOST_PAIRS", 5)
    monkeypatch.setattr(fingerprint, "_BLOCK", 4)
    assert run("set") == whole[0]
    assert whole[0].endswith("set: 1 scene appears three times, 1 9 times\n")
    found = as_json("set")
    assert found["comparisons"][0]["pairs"] == 36 + 3
    assert found["comparisons"][0]["pairs_listed"] == len(found["pairs"]) == 5
    short = run("set", "two").splitlines()
    assert short[-1] == whole[1].splitlines()[-1] == "set / two: 12 of 12 images of two, 9 of 12 of set"
    assert all(line.endswith((" more", "(exact)", "two:", "two", "pairs", "")) for line in short)
    assert "  00.png = 00.png (exact), 01.png (exact), 02.png (exact), 03.png (exact) and 8 more" in short


def test_long_lists_say_what_is_left_out(here: Path, save_image: SaveImage) -> None:
    image = window("astronaut", 1)
    for number in range(45):
        save_image(here / f"one/{number:02}.png", image)
    save_image(here / "two/a.png", image)
    lines = run("one", "two").splitlines()
    assert lines[40:42] == ["  39.png = a.png (exact)", "  ... and 5 more; --json has all"]
    assert lines[-1] == "one / two: 1 of 1 images of two, 45 of 45 of one"


def test_a_set_named_twice_is_compared_with_itself(here: Path, save_image: SaveImage) -> None:
    for name in "ab":
        save_image(here / f"set/{name}.png", window("coffee", 0))
    images = read_set(folder_files(here / "set"))
    (found,) = overlap([[images], [ImageSet(**vars(images))]])
    assert found.inside
    assert [pair[1::2] for pair in found.pairs()] == [("a.png", "b.png", 1.0)]
    assert not compare(images, ImageSet("other", images.images, images.prints)).inside


def test_rain100l_has_nine_scenes_twice(shared: Path) -> None:
    """Found from the images, and the very ones that its card lists."""
    text = run("rain100l", "--data-root", shared / "data")
    assert text.splitlines()[-1] == "rain100l test: 9 scenes appear twice"
    numbers = [[int(part[-7:-4]) for part in line.split(" (")[0].split(" = ")] for line in text.splitlines()[1:10]]
    assert numbers == [[3, 4], [5, 14], [6, 25], [7, 36], [8, 47], [9, 58], [10, 69], [11, 80], [12, 91]]


def test_the_command_imports_no_torch() -> None:
    code = "import sys, derainbench.cli.main, derainbench.overlap.compare; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
