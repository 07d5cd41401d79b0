"""Adding a card of one's own, and reading one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from derainbench.cards import all_cards
from derainbench.dataset_listings import show_dataset
from derainbench.kept_cards import add_card
from derainbench.locate import locate

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


def test_a_name_that_is_taken(tiny_dataset: TinyDataset, refused: Refused) -> None:
    path = add_card(tiny_dataset.card, None).path
    with refused("'tiny' was added before", str(path), "delete"):
        add_card(tiny_dataset.card, None)
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
        "@misc{tiny}",
    ):
        assert words in text
    assert "test/rainy/{scene}.png  ->  test/clean/{scene}.png" in text
    assert str(tiny_dataset.root) in text
    read = json.loads(show_dataset(card, None, as_json=True))
    assert read["other_counts"][0]["pairs"] == 9
    assert read["here"] == str(tiny_dataset.root)
