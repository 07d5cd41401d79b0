"""Sets of photographs without ground truth: their cards, and what commands say that need pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from derainbench.catalogue.cards import all_cards
from derainbench.catalogue.locate import card_named, select
from derainbench.catalogue.unpaired import UnpairedCard, folder_of, photographs_of, unpaired_cards
from derainbench.cli.dataset_lists import list_datasets, show_unpaired
from derainbench.overlap.image_sets import choose_sets
from derainbench.verify.verify import to_verify

Refused = Callable[..., AbstractContextManager[None]]
each_card = pytest.mark.parametrize("card", unpaired_cards().values(), ids=unpaired_cards())


@each_card
def test_a_card_says_where_from_by_whom_and_what_nobody_checked(card: UnpairedCard) -> None:
    assert card.name not in all_cards()
    assert "http" in card.source
    assert card.licence
    assert card.note
    assert card.unconfirmed, "nobody counted the files of any of them"
    assert "There is no ground truth" in card.defects[0]
    for key in ("title", "author", "booktitle", "year"):
        assert re.search(rf"^  {key} += {{.+}},?$", card.bibtex, flags=re.MULTILINE), key
    if card.images is None:
        assert any("number" in text for text in card.unconfirmed)


@each_card
def test_what_needs_pairs_is_refused_in_a_line(card: UnpairedCard, refused: Refused, tmp_path: Path) -> None:
    words = (card.name, "without ground truth", f"derainbench derain {card.name} --methods")
    with refused(*words):
        select(card.name, all_cards(), tmp_path)  # runs, trainings
    with refused(*words):
        card_named(card.name.upper(), all_cards())  # derainbench score
    with refused(*words):
        to_verify(card.name, all_cards(), tmp_path)
    with refused(*words):
        choose_sets(f"{card.name}:test", all_cards(), tmp_path)


@pytest.mark.slow
def test_all_and_the_rain_models_leave_them_out(tmp_path: Path) -> None:
    (tmp_path / "Real_Internet").mkdir()
    chosen = {dataset.name for word in ("all", "streak", "demo") for dataset in select(word, all_cards(), tmp_path)}
    assert chosen
    assert not chosen & set(unpaired_cards())


def test_where_their_photographs_are(
    tmp_path: Path, refused: Refused, save_image: Callable[[Path, np.ndarray], Path]
) -> None:
    card = unpaired_cards()["spa-internet"]
    assert folder_of(card, None) is None
    with refused("spa-internet", "--data-root", card.source):
        photographs_of(card, None)
    with refused(str(tmp_path / "Real_Internet"), "fetch them from"):
        photographs_of(card, tmp_path)
    place = tmp_path / "SPA-Data" / "Real_Internet"
    save_image(place / "7.jpg", np.zeros((9, 9, 3), dtype=np.uint8))
    assert photographs_of(card, tmp_path) == place
    # scenes that it shares with others are looked for in its photographs
    (files,) = choose_sets("spa-internet", all_cards(), tmp_path)
    assert list(files.sources.values()) == [place / "7.jpg"]


def test_they_are_listed_apart(tmp_path: Path) -> None:
    (tmp_path / "RID").mkdir()
    read = json.loads(list_datasets(all_cards(), tmp_path, True, unpaired_cards()))
    assert {entry["name"] for entry in read["unpaired"]} == set(unpaired_cards())
    assert not {entry["name"] for entry in read["datasets"]} & set(unpaired_cards())
    assert {entry["name"]: entry["here"] for entry in read["unpaired"]}["mpid-rid"] == str(tmp_path / "RID")
    text = list_datasets(all_cards(), tmp_path, False, unpaired_cards())
    assert "no ground truth" in text
    assert re.search(r"^mpid-rid .* 2,495 .*RID", text, flags=re.MULTILINE)
    shown = show_unpaired(unpaired_cards()["mpid-ris"], None, as_json=False)
    assert "or 2,348" in shown
    assert "no ground truth" in shown
    assert json.loads(show_unpaired(unpaired_cards()["mpid-ris"], None, as_json=True))["unpaired"] is True
