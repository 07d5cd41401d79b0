"""Cards made of other cards: trained on as one set, with shares; their tests are their members'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from derainbench.catalogue.added_cards import add_card
from derainbench.catalogue.cards import all_cards, read_card
from derainbench.catalogue.locate import Dataset, select
from derainbench.engine.patches import Patches, hold_out
from derainbench.errors import UserError
from derainbench.images.decode import Half, read_rgb
from derainbench.overlap.image_sets import choose_sets, read_set
from derainbench.plugins.recipe import Recipe
from derainbench.verify.verify import to_verify

Refused = Callable[..., AbstractContextManager[None]]
Save = Callable[[Path, np.ndarray], Path]

MEMBER = """
name = "NAME"
title = "NAME"
rain_model = "streak"
kind = "synthetic"
root = "NAME"
[[layouts]]
name = "files"
train = { rainy = "rainy/{scene:d}.png", PARTNER }
test = { rainy = "test/rainy/{scene:d}.png", clean = "test/clean/{scene:d}.png" }
"""

UNION = """
name = "both"
title = "Both"
rain_model = "mixed"
kind = "synthetic"
[union]
members = ["one", "two"]
"""


@pytest.fixture
def cards(tmp_path: Path, save_image: Save) -> list[Path]:
    """``one`` has 3 pairs, ``two`` 12 side by side; every image has a grey level of its own, in both sets."""
    for name, level, count in (("one", 10, 3), ("two", 100, 12)):
        for number in range(count):
            clean = np.full((8, 8, 3), level + number, np.uint8)
            rainy = clean + np.uint8(80)
            if name == "one":
                save_image(tmp_path / "one/rainy" / f"{number}.png", rainy)
                save_image(tmp_path / "one/clean" / f"{number}.png", clean)
            else:
                save_image(tmp_path / "two/rainy" / f"{number}.png", np.concatenate([rainy, clean], axis=1))
        save_image(tmp_path / name / "test/rainy/0.png", np.zeros((8, 8, 3), np.uint8))
        save_image(tmp_path / name / "test/clean/0.png", np.zeros((8, 8, 3), np.uint8))
    partners = {"one": 'clean = "clean/{scene:d}.png"', "two": 'side_by_side = "rainy|clean"'}
    texts = {name: MEMBER.replace("NAME", name).replace("PARTNER", partner) for name, partner in partners.items()}
    return [write(tmp_path, name, text) for name, text in {**texts, "both": UNION}.items()]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def union(cards: list[Path], more: str = "") -> Dataset:
    """The union, with another line in its table."""
    cards[-1].write_text(UNION + more)
    (dataset,) = select("both", all_cards(cards), None)
    return dataset


def members_drawn(dataset: Dataset, seed: int = 0, steps: int = 20, stride: int | None = None) -> list[int]:
    """Of each sample in turn, the member that it is from, by its grey level."""
    recipe = Recipe(lr=1.0, steps=steps, batch=3, patch=4, loss="l1", augment=[], validation=0, stride=stride)
    patches = Patches(dataset.pairs("train"), recipe, seed)
    means = np.concatenate([patches[step].clean.mean((1, 2, 3)).numpy() for step in range(steps)])
    return [int(level > 90 / 255) for level in means]


def test_a_union_has_the_pairs_of_all_its_members_each_as_its_own_card_reads_it(cards: list[Path]) -> None:
    pairs = union(cards).pairs("train")
    assert len(pairs) == 15
    assert [pair.image for pair in pairs][:4] == ["one/0", "one/1", "one/2", "two/0"]
    assert len({pair.scene for pair in pairs}) == 15, "scene 0 of one is not scene 0 of two"
    for pair in pairs:
        assert isinstance(pair.rainy, Half) == pair.image.startswith("two")
        assert (read_rgb(pair.rainy).astype(int) - read_rgb(pair.clean) == 80).all()


def test_without_shares_every_pair_comes_once_an_epoch(cards: list[Path]) -> None:
    drawn = members_drawn(union(cards), steps=5)
    assert Counter(drawn) == {0: 3, 1: 12}


@pytest.mark.parametrize("stride", [None, 2])
def test_shares_are_kept_in_every_epoch(cards: list[Path], stride: int | None) -> None:
    """4 to 1 for the smaller set: 12 of 15 samples are from three images, each as often as the others."""
    dataset = union(cards, "shares = { one = 4, two = 1 }")
    places = 15 if stride is None else 15 * 9
    drawn = members_drawn(dataset, steps=2 * places // 3, stride=stride)
    for epoch in (drawn[:places], drawn[places:]):
        assert Counter(epoch) == {0: places * 4 // 5, 1: places // 5}
    assert drawn[:places] != drawn[places:]


def test_what_a_step_sees_depends_on_the_seed_and_the_step_alone(cards: list[Path]) -> None:
    dataset = union(cards, "shares = { one = 1, two = 1 }")
    recipe = Recipe(lr=1.0, steps=40, batch=3, patch=4, loss="l1", augment=["hflip"], validation=0)
    whole, resumed, other = (Patches(dataset.pairs("train"), recipe, seed) for seed in (0, 0, 1))
    batches = [whole[step].rainy for step in range(40)]
    assert all((resumed[step].rainy == batches[step]).all() for step in (33, 7, 20))
    assert not all((other[step].rainy == batches[step]).all() for step in range(40))


def test_a_member_goes_through_all_its_images_before_one_comes_again(cards: list[Path]) -> None:
    dataset = union(cards, "shares = { one = 1, two = 1 }")  # 8 and 7 of 15, or 7 and 8
    recipe = Recipe(lr=1.0, steps=40, batch=3, patch=8, loss="l1", augment=[], validation=0)
    patches = Patches(dataset.pairs("train"), recipe, 0)
    levels = np.concatenate([patches[step].clean[:, 0, 0, 0].numpy() for step in range(40)])
    counts = Counter(np.rint(levels * 255).astype(int).tolist())
    for low, high in ((10, 13), (100, 112)):
        of_member = [counts[level] for level in range(low, high)]
        assert max(of_member) - min(of_member) <= 2, "once more or less, for passes end in the midst of an epoch"


def test_held_out_scenes_leave_the_shares_as_they_are(cards: list[Path]) -> None:
    pairs, held = hold_out(union(cards, "shares = { one = 1, two = 1 }").pairs("train"), 0.2)
    assert (len(pairs), len(held)) == (12, 3)
    recipe = Recipe(lr=1.0, steps=4, batch=3, patch=4, loss="l1", augment=[])
    patches = Patches(pairs, recipe, 0)
    drawn = [float(level) > 90 / 255 for step in range(4) for level in patches[step].clean.mean((1, 2, 3))]
    assert Counter(drawn) == {False: 6, True: 6}


def test_its_hash_comes_from_its_members_and_their_shares(cards: list[Path], save_image: Save) -> None:
    plain = union(cards).digest("train")
    assert union(cards).digest("train") == plain
    shared = union(cards, "shares = { one = 2, two = 1 }").digest("train")
    assert shared != plain
    assert union(cards, "shares = { one = 4, two = 2 }").digest("train") == shared, "the same parts"
    save_image(cards[0].parent / "one/rainy/0.png", np.zeros((8, 8, 3), np.uint8))
    assert union(cards).digest("train") != plain


def test_its_tests_are_its_members(cards: list[Path], refused: Refused) -> None:
    dataset = union(cards)
    assert (dataset.has("train"), dataset.has("test")) == (True, False)
    assert [part.has("test") for part in dataset.parts] == [True, True]
    with refused("'both' is a union", "one, two"):
        dataset.pairs("test")


def test_a_union_is_meant_by_its_name_alone(cards: list[Path]) -> None:
    chosen = [dataset.name for dataset in select("all,streak", all_cards(cards), None)]
    assert "both" not in chosen
    assert {"one", "two"} <= set(chosen)


def test_verify_and_overlap_look_at_the_members(cards: list[Path], save_image: Save) -> None:
    known = all_cards(cards)
    assert [dataset.name for dataset in to_verify("both", known, None)] == ["one", "two"]
    (files,) = choose_sets("both", known, None)
    images = read_set(files)
    assert files.images == len(images.images) == 15
    assert {name.partition("/")[0] for name in images.images} == {"one", "two"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"two"]', '"three"]', ["'both' is made of one and three", "no card is called 'three'", "--card"]),
        ('"two"]', '"mpid-drop"]', ["training images of mpid-drop are not here", "--data-root", "fetch"]),
        ('"two"]', '"demo-all"]', ["'demo-all' as a member"]),
    ],
)
def test_a_missing_member_is_one_line(
    cards: list[Path], before: str, after: str, words: list[str], refused: Refused
) -> None:
    cards[-1].write_text(UNION.replace(before, after))
    with refused(*words):
        select("both", all_cards(cards), None)


def test_a_union_is_added_where_its_members_are_known(
    cards: list[Path], refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    with refused("both.toml", "union.members", "no card is called 'one'"):
        add_card(cards[-1], None)
    for card in cards[:2]:
        add_card(card, None)
    assert add_card(cards[-1], None).dataset is None
    (dataset,) = select("both", all_cards(), None)
    assert [part.name for part in dataset.parts] == ["one", "two"]
    cards[-1].write_text(UNION.replace('"both"', '"more"').replace('"one"', '"both"'))
    with refused("'both' is a union"):
        add_card(cards[-1], None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (UNION.replace('"two"]', '"one"]'), ["'one' is named twice"]),
        (UNION.replace('"two"]', '"both"]'), ["its own member"]),
        (UNION.replace('["one", "two"]', '["one"]'), ["union.members"]),
        (UNION + "shares = { one = 1 }", ["mend 'two'"]),
        (UNION + "shares = { one = 1, two = 0 }", ["union.shares.two"]),
        (UNION + "[[layouts]]\nname = 'x'\ntrain = { rainy = '{a}.png', clean = 'c/{a}.png' }", ["leave out layouts"]),
    ],
)
def test_a_wrong_union_is_refused_when_it_is_read(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read_card(write(tmp_path, "wrong", text))
    assert [word for word in words if word not in str(caught.value)] == [], caught.value
