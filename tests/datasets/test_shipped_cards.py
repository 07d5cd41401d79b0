"""What the shipped cards tell people: complete, and the same as the page about them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from derainbench.catalogue.cards import Card
from tests.datasets.trees import FIRST, shipped

each_card = pytest.mark.parametrize("card", shipped().values(), ids=shipped())

#: Sets whose rain was measured to only add light (on Rain200L: on its sisters, which its card says).
ADDITIVE = {"rain100l", "rain100h", "rain200l", "rain200h", "rain12"}


@each_card
def test_a_card_says_where_from_by_whom_and_under_which_terms(card: Card) -> None:
    assert "http" in card.source
    assert card.licence
    assert card.defects, "no set is without"
    for key in ("title", "author", "booktitle|journal|eprint", "year"):
        assert re.search(rf"^  (?:{key}) += {{.+}},?$", card.bibtex, flags=re.MULTILINE), key
    assert card.bibtex.count("{") == card.bibtex.count("}")
    assert card.additive == (card.name in ADDITIVE)


@each_card
def test_the_parts_of_a_card_agree(card: Card) -> None:
    splits = {split for split in ("train", "test") if any(getattr(layout, split) for layout in card.layouts)}
    for split in ("train", "test"):
        pairs = getattr(card.counts, split)
        others = [other.pairs for other in card.other_counts if other.split == split]
        assert (split in splits) == (pairs != 0)
        assert len({*others, pairs}) == len(others) + 1, "a number has one meaning"
        if split in splits and pairs is None:
            assert card.unconfirmed, "a split of unknown size"
    assert card.same_scene.train == ()
    named = [name for group in card.same_scene.test for name in group]
    assert all(1 <= int(name) <= (card.counts.test or 0) for name in named)


def test_what_is_known_of_the_original_files_and_of_copies() -> None:
    scores = {name: card.input_score for name, card in shipped().items() if card.input_score is not None}
    assert {name for name, score in scores.items() if score.unconfirmed} == {"rain12"}
    for name in ("rain100l", "rain100h"):  # one list of backgrounds
        assert shipped()[name].test_sizes == {"481x321": 66, "321x481": 34}
        assert shipped()[name].same_scene == shipped()["rain100l"].same_scene
    numbers = {other.pairs for other in shipped()["spa-real"].other_counts}
    assert {638493, 638500} <= numbers


def test_the_site_shows_every_card_with_its_numbers(project: Path) -> None:
    assert "\n<!-- cards -->\n" in (project / "docs" / "datasets.md").read_text()  # what the site puts the table for
    conf = runpy.run_path(str(project / "docs" / "conf.py"))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in conf["table_of_cards"]().splitlines()]

    def number(pairs: int | None) -> str:
        return "-" if pairs is None else f"{pairs:,}"

    assert sorted(lines[2:]) == sorted(
        [f"`{card.name}`", card.rain_model, card.kind, number(card.counts.train), number(card.counts.test), card.note]
        for card in shipped().values()
    )
    assert all(len(line) == 6 and line[5] for line in lines)


def test_the_cards_of_the_neighbouring_sets_send_to_each_other() -> None:
    """The same files under two names, or two files under one: either card says so."""
    for name, words in {
        "rain100h": ["Rain200H", "546"],
        "rain200h": ["Rain100H"],
        "rain200l": ["Rain100L"],
        "raindrop": ["test_b", "MPID-drop"],
        "raindrop-test-b": ["test_a"],
        "mpid-drop": ["RainDrop"],
    }.items():
        assert [word for word in words if word not in " ".join(shipped()[name].defects)] == [], name
    assert set(FIRST) == set(shipped())
