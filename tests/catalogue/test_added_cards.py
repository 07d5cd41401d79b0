"""Adding a card of one's own, and reading one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from derainbench.catalogue.added_cards import add_card
from derainbench.catalogue.cards import all_cards, kept_cards_folder
from derainbench.catalogue.locate import locate
from derainbench.cli.dataset_lists import show_dataset

Refused = Callable[..., AbstractContextManager[None]]


class TinyDataset(Protocol):
    """A dataset's card file and the folder of its images."""

    card: Path
    root: Path


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


def test_a_card_that_is_kept_works_from_anywhere(
    tiny_dataset: TinyDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = add_card(tiny_dataset.card, None)
    assert added.dataset is not None
    monkeypatch.chdir(tmp_path.parent)
    dataset = locate(all_cards()["tiny"], None)
    assert dataset is not None
    assert dataset.root == tiny_dataset.root
    assert dataset.digest("test") == added.dataset.digest("test")


@pytest.mark.parametrize(
    "root",
    [
        'root = "FOLDER"',
        "  root = 'FOLDER'",
        '"root" = "FOLDER"',
        'root = """\nFOLDER"""',
        'bibtex = """\nroot = "elsewhere"\n"""\nroot = "FOLDER"',
    ],
)
def test_a_root_is_kept_however_it_is_spelt(tiny_dataset: TinyDataset, root: str) -> None:
    text = tiny_dataset.card.read_text()
    assert 'root = "data"' in text
    folder = tiny_dataset.root.parent / '夏の雨 🌧 "\\'
    folder.mkdir()
    tiny_dataset.root.rename(folder / "data")
    card = folder / "tiny.toml"
    card.write_text(text.replace('root = "data"', root.replace("FOLDER", "data")), encoding="utf-8")
    added = add_card(card, None)
    assert added.card.root == folder / "data"
    assert all_cards()["tiny"] == added.card


def test_a_damaged_kept_card_is_left_out_with_a_note(
    tiny_dataset: TinyDataset, caplog: pytest.LogCaptureFixture
) -> None:
    path = add_card(tiny_dataset.card, None).path
    path.write_bytes(path.read_bytes()[:100])
    for _ in range(2):
        assert "tiny" not in all_cards()
        assert "rain100l" in all_cards()
    (note,) = caplog.messages
    assert len(note.splitlines()) == 1
    assert f"{path} is damaged" in note
    assert "add the card again" in note
    add_card(tiny_dataset.card, None)
    assert "tiny" in all_cards()


def test_a_card_that_would_not_read_back_is_not_kept(tiny_dataset: TinyDataset, refused: Refused) -> None:
    folder = Path(os.fsdecode(os.fsencode(tiny_dataset.root.parent) + b"/\xff"))
    try:
        tiny_dataset.root.parent.joinpath("away").mkdir()
        tiny_dataset.root.rename(tiny_dataset.root.parent / "away" / "data")
        tiny_dataset.card.rename(tiny_dataset.root.parent / "away" / "tiny.toml")
        tiny_dataset.root.parent.joinpath("away").rename(folder)
    except OSError:
        pytest.skip("this disk takes Unicode names alone")
    with refused("cannot be kept", "Unicode", "--card"):
        add_card(folder / "tiny.toml", None)
    assert "tiny" not in all_cards()


def test_all_files_that_do_not_pair_are_said_and_none_is_hashed(tiny_dataset: TinyDataset, refused: Refused) -> None:
    for name in ("train/clean/a", "train/clean/b", "test/clean/x"):
        (tiny_dataset.root / f"{name}.png").unlink()
    with refused(
        "train: 4 problems", "a-1.png has no partner", "b-1.png has no partner", "; and 1 more;",
        "test: 1 problem:", "x.png has no partner",
    ):  # fmt: skip
        add_card(tiny_dataset.card, None)
    tiny_dataset.card.write_text(tiny_dataset.card.read_text().replace("{scene}", "{scene:d}"))
    for split, old in (("train", "c"), ("test", "y")):
        for file in (tiny_dataset.root / split).rglob("*.png"):
            file.rename(file.with_name(file.name.replace(old, "7"))) if old in file.stem else file.unlink()
    pairs = add_card(tiny_dataset.card, None).pairs
    assert {split: len(matched.rows) for split, matched in pairs.items()} == {"train": 2, "test": 1}
    assert not (kept_cards_folder().parent / "manifests").exists()


def test_a_card_that_is_added_again_takes_the_place_of_the_old_one(tiny_dataset: TinyDataset) -> None:
    add_card(tiny_dataset.card, None)
    tiny_dataset.card.write_text(tiny_dataset.card.read_text().replace('"Tiny"', '"Tinier"'))
    assert all_cards([tiny_dataset.card])["tiny"].title == "Tinier", "--card stands for the one that is kept"
    assert all_cards()["tiny"].title == "Tiny"
    add_card(tiny_dataset.card, None)
    assert all_cards()["tiny"].title == "Tinier"


def test_a_name_that_is_taken(tiny_dataset: TinyDataset, refused: Refused) -> None:
    tiny_dataset.card.write_text(tiny_dataset.card.read_text().replace('"tiny"', '"rain100l"'))
    with refused(str(tiny_dataset.card), "name", "'rain100l'", "another name"):
        add_card(tiny_dataset.card, None)


def test_all_that_is_wrong_is_said_at_once(tiny_dataset: TinyDataset, refused: Refused) -> None:
    text = tiny_dataset.card.read_text().replace("rain_model", "rain_modle").replace("/{scene}.png", "/{scene:x}.png")
    tiny_dataset.card.write_text(text)
    with refused("rain_model: Field required", "did you mean 'rain_model'?", "layouts.0.train", "layouts.0.test"):
        add_card(tiny_dataset.card, None)
    assert "tiny" not in all_cards()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"data"', '"nowhere"', ("none of its folders is there", "nowhere", "root")),
        ('/rainy/', '/rain/', ("no layout matches a file", "test/rain/{scene}.png", "there is", ".png")),
        ('clean = "test/clean/{scene}.png"', 'clean = "train/clean/{scene}.png"', ("has no partner", "x.png")),
    ],
)  # fmt: skip
def test_a_card_that_does_not_fit_its_files(
    tiny_dataset: TinyDataset, refused: Refused, before: str, after: str, words: tuple[str, ...]
) -> None:
    tiny_dataset.card.write_text(tiny_dataset.card.read_text().replace(before, after))
    with refused(*words):
        add_card(tiny_dataset.card, None)
    assert "tiny" not in all_cards()


def test_a_card_shown_in_full(tiny_dataset: TinyDataset) -> None:
    more = """
other_counts = [{ split = "train", pairs = 9, means = "with the test images" }]
unconfirmed = ["the names of the folders"]
defects = ["two files are dark"]
additive = true
test_sizes = { 16x12 = 2 }
input_score = { protocol = "y", psnr = 20.5, ssim = 0.5, unconfirmed = true }
bibtex = "@misc{tiny}"
[[layouts]]"""
    tiny_dataset.card.write_text(tiny_dataset.card.read_text().replace("\n[[layouts]]", more, 1))
    card = all_cards([tiny_dataset.card])["tiny"]
    text = show_dataset(card, None, as_json=False)
    for words in (
        "only adds light",
        "6 pairs",
        "or 9: with the test images",
        "the names of the folders",
        "2 of 16x12 pixels",
        "20.5 dB / 0.5 under y: the unprocessed test images, unconfirmed",
        f"files are in {tiny_dataset.root}",
        "@misc{tiny}",
    ):
        assert words in text
    assert "--data-root" not in text
    assert "test/rainy/{scene}.png  ->  test/clean/{scene}.png" in text
    assert str(tiny_dataset.root) in text
    read = json.loads(show_dataset(card, None, as_json=True))
    assert read["other_counts"][0]["pairs"] == 9
    assert read["test_sizes"] == {"16x12": 2}
    assert read["here"] == str(tiny_dataset.root)


def test_a_shown_card_says_where_its_folders_belong() -> None:
    text = show_dataset(all_cards()["rain100l"], None, as_json=False)
    assert "folders are below --data-root" in text
    assert "  Rain13K (in the data root, Rain13K)" in text
    text = show_dataset(all_cards()["demo-mist"], None, as_json=False)
    assert text.count("made on first use") == 2
    assert "--data-root" not in text
    assert "(in " not in text
