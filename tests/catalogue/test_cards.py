"""Dataset cards: what they hold, and what is wrong with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.catalogue.cards import RESERVED, all_cards, read_card
from derainbench.catalogue.locate import locate
from derainbench.images.decode import image_size
from derainbench.support.atomic import file_hash

Refused = Callable[..., AbstractContextManager[None]]

CARD = """
name = "mine"
title = "My rain"
rain_model = "streak"
kind = "real"
root = "photos"
counts = { test = 4 }
[[layouts]]
name = "as shot"
test = { rainy = "wet/{id:d}.png", clean = "dry/{id:d}.png", layers = { depth = "depth/{id:d}.png" } }
"""


def write(folder: Path, text: str = CARD) -> Path:
    """A card's file."""
    path = folder / "card.toml"
    path.write_text(text)
    return path


def test_a_card_is_read(tmp_path: Path) -> None:
    card = read_card(write(tmp_path))
    assert (card.name, card.rain_model, card.kind, card.revision, card.embedded) == ("mine", "streak", "real", 1, False)
    assert card.root == tmp_path / "photos"
    assert (card.counts.train, card.counts.test) == (None, 4)
    assert card.layouts[0].train is None
    assert card.layouts[0].test is not None
    assert card.layouts[0].test.layers == {"depth": "depth/{id:d}.png"}


def test_a_full_root_stays_as_it_is(tmp_path: Path) -> None:
    text = CARD.replace('"photos"', f'"{(tmp_path / "elsewhere").as_posix()}"')
    assert read_card(write(tmp_path, text)).root == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('kind = "real"', "", ["kind", "Field required"]),
        ('kind = "real"', 'kind = "fake"', ["kind", "'real' or 'synthetic'"]),
        ('"streak"', '"hail"', ["rain_model", "known: drop, mist, mixed, snow, streak"]),
        ("title", "titel", ["title", "titel: no such key; did you mean 'title'?"]),
        ('name = "mine"', 'name = "my/rain"', ["name"]),
        ("test = 4", "test = -4", ["counts.test", "greater than or equal to 0"]),
        ("wet/{id:d}", "wet/{n:d}", ["layouts.0.test", "shares no {field}", "dry/{id:d}.png"]),
        ("dry/{id:d}", "dry/{id}", ["layouts.0.test", "'id' is a number (:d) in only one of"]),
        ("depth/{id:d}", "depth/{n}", ["layouts.0.test", "the depth pattern", "shares no {field}"]),
        ("wet/{id:d}", "../wet/{id:d}", ["layouts.0.test", "leaves the dataset's folder"]),
        ("counts", "same_scene = { test = [['3', '4'], ['04', '5']] }\ncounts", ["same_scene", "'4' is named twice"]),
        ("counts", "folders = ['../elsewhere']\ncounts", ["folders", "'../elsewhere'", "leaves the data root"]),
        ("counts", "folders = ['/etc']\ncounts", ["folders", "'/etc'", "leaves the data root"]),
        ("counts", "same_scene = { test = [['3']] }\ncounts", ["same_scene", "two scenes or more"]),
        (
            "counts",
            "input_score = { protocol = 'yy', psnr = 1.0, ssim = 0.5 }\ncounts",
            ["input_score.protocol", "'yy'", "y-u8"],
        ),
        (
            "counts",
            "input_score = { protocol = 'y', psnr = nan, ssim = 7 }\ncounts",
            [
                "input_score.psnr: Input should be a finite number",
                "input_score.ssim: Input should be less than",
            ],
        ),
        ("counts", 'folders = ["a\\u0000b"]\ncounts', ["folders.0: 'a\\x00b' holds a control character"]),
        ("counts", f'folders = ["{"é" * 200}"]\ncounts', ["folders.0", "longer than 255 bytes"]),
        ('"photos"', '"a\\u0000b"', ["root: 'a\\x00b' holds a control character"]),
        ("wet/{id:d}", "wet\\u0007/{id:d}", ["layouts.0.test.rainy", "holds a control character"]),
        ("depth/{id:d}", "\\n/{id:d}", ["layouts.0.test.layers.depth", "holds a control character"]),
        ('"mine"', f'"{"m" * 300}"', ["name", "at most 100 characters"]),
        ("test = 4", f"test = {'4' * 4000}", ["counts.test", "less than or equal to 1000000000"]),
        ("test = 4", "tset = 4", ["counts.tset: no such key; did you mean 'test'?"]),
        (
            'name = "as shot"',
            'name = "as shot"\nbibtex = ""',
            ["layouts.0.bibtex: no such key; known: files, folders, name, test, train, unconfirmed"],
        ),
        (
            'rainy = "',
            'root = "", rainy = "',
            ["test.root: no such key; known: clean, layers, listed_in, rainy, side_by_side"],
        ),
        ("title", "'ti\\ttle' = 1\ntitle", ["ti", "no such key; did you mean 'title'?"]),
        ("dry/{id:d}", "wet/{id:d}", ["layouts.0.test", "the clean pattern", "the files of the rainy pattern"]),
        ("dry/{id:d}", "wet/{id:1..9}", ["layouts.0.test", "the clean pattern", "the files of the rainy pattern"]),
        ("depth/{id:d}", "dry/{id:d}", ["layouts.0.test", "the depth pattern", "the files of the clean pattern"]),
        ("depth/{id:d}", "wet/{id:d}", ["layouts.0.test", "the depth pattern", "the files of the rainy pattern"]),
        ("counts", "test_sizes = { 481by321 = 4 }\ncounts", ["test_sizes.481by321", "should match pattern"]),
        ("counts", "test_sizes = { 481x321 = 0 }\ncounts", ["test_sizes.481x321", "greater than or equal to 1"]),
        ("counts", "test_sizes = { 8x6 = 3, 6x8 = 2 }\ncounts", ["of 5 images, counts.test says 4", "mend one"]),
    ],
)
def test_a_mistake_in_a_card(tmp_path: Path, before: str, after: str, words: list[str], refused: Refused) -> None:
    assert before in CARD
    path = write(tmp_path, CARD.replace(before, after))
    with refused(f"card {path}", *words):
        read_card(path)


@pytest.mark.parametrize("word", RESERVED)
def test_a_card_cannot_take_a_word_of_the_command_line(tmp_path: Path, word: str, refused: Refused) -> None:
    with refused("name", repr(word), "another meaning"):
        read_card(write(tmp_path, CARD.replace('"mine"', f'"{word}"')))


def test_of_very_many_mistakes_some_are_named(tmp_path: Path, refused: Refused) -> None:
    with refused("k0: no such key", "and 984 more mistakes"):
        read_card(write(tmp_path, "\n".join(f"k{i} = 1" for i in range(1000))))


def test_what_is_no_card(tmp_path: Path, refused: Refused) -> None:
    with refused(str(tmp_path / "no.toml"), "No such file", "check the path"):
        read_card(tmp_path / "no.toml")
    with refused(str(tmp_path), "cannot be read"):
        read_card(tmp_path)
    with refused("not TOML", "line 1", "mend it"):
        read_card(write(tmp_path, "name = \n"))
    with refused("not TOML", "4300 digits"):
        read_card(write(tmp_path, f"revision = {'1' * 5000}"))
    with refused("not TOML", "recursion"):
        read_card(write(tmp_path, f"name = {'[' * 100_000}"))
    with refused("more than 32 dots"):
        read_card(write(tmp_path, f"{'.'.join('a' * 5000)} = 1"))
    (tmp_path / "card.toml").write_bytes(b"name = '\xff'")
    with refused("not TOML", "utf-8"):
        read_card(tmp_path / "card.toml")


def test_cards_are_found_by_name(tmp_path: Path) -> None:
    cards = all_cards([write(tmp_path)])
    assert {"demo-streak", "demo-drop", "demo-mist"} <= {name for name, card in cards.items() if card.embedded}
    assert cards["mine"].title == "My rain"
    assert [name for name, card in cards.items() if card.name != name] == []


def test_a_name_that_is_taken_names_both_files(tmp_path: Path, refused: Refused) -> None:
    path = write(tmp_path, CARD.replace('"mine"', '"demo-mist"'))
    with refused("two cards are called 'demo-mist'", "demo-mist.toml", str(path), "rename one"):
        all_cards([path])


RAIN100L = {
    "PReNet": ("", "Rain100L/rainy/rain-003.png", "Rain100L/norain-003.png"),
    "PReNet, with folders train and test": ("", "test/Rain100L/rainy/rain-003.png", "test/Rain100L/norain-003.png"),
    "PReNet, test set alone": ("rain100l", "rainy/rain-003.png", "norain-003.png"),
    "Rain13K": ("", "test/Rain100L/input/3.png", "test/Rain100L/target/3.png"),
    "Rain13K, test set alone": ("Rain100L", "input/3.png", "target/3.png"),
    "RCDNet, JORDER-E": ("rain100L", "test/small/rain/norain-3.png", "test/small/norain/norain-3.png"),
    "JORDER": ("Rain100L", "rain-3.png", "norain-3.png"),
    "NASNet": ("Rain100L", "streak/test/data/3_1.png", "streak/test/gt/3_clean.png"),
    "NASNet, clean files by number": ("Rain100L", "streak/test/data/3_1.png", "streak/test/gt/3.png"),
}


@pytest.mark.parametrize("name", RAIN100L)
def test_rain100l_in_every_packaging_that_circulates(tmp_path: Path, name: str) -> None:
    folder, *files = RAIN100L[name]
    for file in files:
        place = tmp_path / folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        place.with_name(place.name.replace("3", "4")).touch()
    dataset = locate(all_cards()["rain100l"], tmp_path)
    assert dataset is not None
    assert dataset.layout.name == name
    assert dataset.root.samefile(tmp_path / folder)
    pairs = dataset.pairs("test")
    rainy, clean = [pair.rainy for pair in pairs], [pair.clean for pair in pairs]
    assert [file.name for file in rainy if isinstance(file, Path)] == [
        Path(files[0]).name,
        Path(files[0]).name.replace("3", "4"),
    ]
    assert [file.name for file in clean if isinstance(file, Path)] == [
        Path(files[1]).name,
        Path(files[1]).name.replace("3", "4"),
    ]
    assert len({pair.scene for pair in pairs}) == 1, "3 and 4 are one photograph, whatever the padding"


def test_rain100l_with_the_training_set_beside_it(tmp_path: Path) -> None:
    for file in ("Rain100L/rainy/rain-001.png", "Rain100L/norain-001.png", "RainTrainL/rain-3.png"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    for file in ("norain-3.png", "rain-4.png", "norain-4.png", "rainstreak-3.png"):
        (tmp_path / "RainTrainL" / file).touch()
    dataset = locate(all_cards()["rain100l"], tmp_path)
    assert dataset is not None
    assert [pair.scene for pair in dataset.pairs("train")] == ["3", "4"], "only test images share their backgrounds"
    assert len(dataset.pairs("test")) == 1


def test_the_real_rain100l(shared: Path) -> None:
    dataset = locate(all_cards()["rain100l"], shared / "data")
    assert dataset is not None
    pairs = dataset.pairs("test")
    assert (len(pairs), len({pair.scene for pair in pairs})) == (100, 91)
    assert not dataset.has("train")
    sizes = Counter(image_size(pair.rainy) for pair in pairs)
    assert {f"{width}x{height}": number for (height, width), number in sizes.items()} == dataset.card.test_sizes
    known: dict[str, str] = {}
    for pair in pairs:
        assert isinstance(pair.clean, Path)
        assert known.setdefault(file_hash(pair.clean), pair.scene) == pair.scene
    assert len(known) == 91
