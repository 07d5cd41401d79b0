"""Where a card's files are, and what ``--datasets`` chooses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.catalogue.cards import Card, Layout
from derainbench.catalogue.locate import locate, select
from derainbench.errors import UserError
from derainbench.rain import MIN_SIDE
from derainbench.support.cache import cache_folder

Refused = Callable[..., AbstractContextManager[None]]

PATTERNS = {"rainy": "{split}/rainy/{{id}}.png", "clean": "{split}/clean/{{id}}.png"}


def layout(name: str = "plain", folder: str = "") -> dict[str, object]:
    """A layout with both splits, below a folder."""
    splits = ("train", "test")
    return {"name": name} | {s: {k: folder + p.format(split=s) for k, p in PATTERNS.items()} for s in splits}


def card(name: str, rain_model: str = "streak", **more: object) -> Card:
    """A card of files that a user fetches."""
    fields = {"name": name, "title": name, "rain_model": rain_model, "kind": "real", "layouts": [layout()]}
    return Card.model_validate({**fields, **more})


def embedded(name: str, rain_model: str, preset: str) -> Card:
    """A card of the smallest dataset that can be generated."""
    return card(
        name,
        rain_model,
        kind="synthetic",
        layouts=[
            {
                "name": "derainbench",
                "train": {"rainy": "train/rainy/{scene}-{c:d}-{r:d}.png", "clean": "train/clean/{scene}-{c:d}.png"},
                "test": {"rainy": "test/rainy/{scene}-{c:d}.png", "clean": "test/clean/{scene}-{c:d}.png"},
            }
        ],
        generate={
            "model": rain_model,
            "preset": preset,
            "train": ["coffee"],
            "test": ["rocket"],
            "size": [MIN_SIDE, MIN_SIDE],
            "crops": {"train": 1, "test": 1},
            "per_crop": 1,
            "seed": 0,
        },
    )


def put(root: Path, *names: str) -> Path:
    """Files below a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def cards(cache: Path) -> dict[str, Card]:
    """Two cards of files to fetch, two embedded ones."""
    mine = (
        card("wet"),
        card("foggy", "mist"),
        embedded("made", "streak", "rain100l"),
        embedded("drops", "drop", "drops"),
    )
    return {each.name: each for each in mine}


def chosen(words: str, cards: dict[str, Card], data_root: Path | None = None) -> list[str]:
    """The names of what the words choose."""
    return [dataset.name for dataset in select(words, cards, data_root)]


def test_the_cache_is_where_the_environment_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("DERAINBENCH_CACHE")
    assert cache_folder().name == "derainbench"


def test_a_dataset_goes_by_its_name_or_by_another_folder(tmp_path: Path) -> None:
    wet = card("wet", folders=("Wet100", "WET"))
    assert locate(wet, None) is None
    assert locate(wet, tmp_path) is None
    for folder in ("wet", "WET", "Wet100"):  # each preferred to the one before
        put(tmp_path / folder, "test/rainy/1.png", "test/clean/1.png")
        dataset = locate(wet, tmp_path)
        assert dataset is not None
        assert dataset.root == tmp_path / folder


def test_the_first_layout_that_matches_wins(tmp_path: Path) -> None:
    both = card("wet", layouts=[layout("zipped", "inner/"), layout("plain")])
    put(tmp_path / "wet", "test/rainy/1.png", "test/clean/1.png")
    found: list[Layout] = []
    for extra in ("test/clean/2.png", "inner/train/rainy/1.png", "inner/train/clean/1.png"):
        put(tmp_path / "wet", extra)
        dataset = locate(both, tmp_path)
        assert dataset is not None
        found.append(dataset.layout)
    assert [each.name for each in found] == ["plain", "plain", "zipped"], "a layout matches with rainy and clean files"


def test_of_two_packagings_the_one_with_layers_is_taken_where_they_all_are(tmp_path: Path) -> None:
    whole = layout("with layers")
    whole["train"] |= {"layers": {name: f"train/{name}/{{id}}.png" for name in ("streak", "mask")}}  # type: ignore[operator]
    both = card("wet", layouts=[layout("plain"), whole])
    found: list[str] = []
    for extra in ("test", "train"):
        put(tmp_path / "wet", f"{extra}/rainy/1.png", f"{extra}/clean/1.png")
        for layer in ("streak", "mask") if extra == "train" else ("none",):
            dataset = locate(both, tmp_path)
            assert dataset is not None
            found.append(dataset.layout.name)
            put(tmp_path / "wet", f"train/{layer}/1.png")
    dataset = locate(both, tmp_path)
    assert dataset is not None
    assert found == ["plain", "plain", "plain"], "a layer that is not here, or one of two, is none"
    assert dataset.layout.name == "with layers"
    # what is missing of a layer that is here is heard of
    put(tmp_path / "wet", "train/rainy/2.png", "train/clean/2.png", "train/mask/2.png")
    with pytest.raises(UserError, match=r"train/rainy/2.png has no partner: no file train/streak/\{id\}.png with id=2"):
        dataset.pairs("train")


def test_what_is_packed_otherwise_is_said_with_what_is_missing(tmp_path: Path, refused: Refused) -> None:
    """Images lie in the dataset's folder, under names that no layout has."""
    known = card("wet", folders=("Wet100",), source="somewhere", layouts=[layout("plain"), layout("zipped", "inner/")])
    put(tmp_path / "Wet100", *(f"in/{n}.png" for n in range(3)), "out/1.png", "out/2.PNG", "notes.txt")
    words = (
        "'wet' are not packed as its card knows",
        f"{tmp_path / 'Wet100'} has 5 images (3 in in/, 2 in out/)",
        "lacks test/rainy/ and test/clean/; or inner/test/rainy/ and inner/test/clean/",
        "'derainbench datasets show wet'",
    )
    with refused(*words):
        select("wet", {"wet": known}, tmp_path)
    (tmp_path / "Wet100" / "in").rename(tmp_path / "Wet100" / "rainy")
    put(tmp_path / "Wet100", "test/clean/1.png")
    with refused("(3 in rainy/, 2 in out/, 1 in test/clean/)", "lacks test/rainy/; or inner/"):
        select("wet", {"wet": known}, tmp_path)
    with refused("'wet' are not here", "fetch it from somewhere"):
        select("wet", {"wet": known}, put(tmp_path / "empty", "Wet100/readme.txt"))


def test_pairs_and_digests_of_a_split(tmp_path: Path, refused: Refused) -> None:
    put(tmp_path / "wet", "test/rainy/1.png", "test/clean/1.png")
    dataset = locate(card("wet"), tmp_path)
    assert dataset is not None
    assert [pair.image for pair in dataset.pairs("test")] == ["1"]
    assert len(dataset.digest("test")) == 64
    with refused("'wet' has no train images", str(tmp_path / "wet"), "'plain'", "train/rainy/{id}.png", "leave"):
        dataset.pairs("train")
    with refused("'wet' has no train images"):
        dataset.digest("train")


def test_an_embedded_dataset_is_made_once(cache: Path) -> None:
    made = embedded("made", "streak", "rain100l")
    dataset = locate(made, None)
    assert dataset is not None
    assert cache in dataset.root.parents
    assert len(dataset.pairs("train")) == len(dataset.pairs("test")) == 1
    assert dataset.pairs("train")[0].scene == "coffee"
    before = {path: path.stat().st_mtime_ns for path in dataset.root.rglob("*")}
    again = locate(made, None)
    assert again is not None
    assert {path: path.stat().st_mtime_ns for path in again.root.rglob("*")} == before
    assert made.generate is not None
    changed = locate(made.model_copy(update={"generate": made.generate.model_copy(update={"seed": 1})}), None)
    assert changed is not None
    assert changed.root != dataset.root
    assert changed.digest("test") != dataset.digest("test")


def test_words_choose_cards(cards: dict[str, Card], tmp_path: Path) -> None:
    assert chosen("made", cards) == ["made"]
    assert chosen("drop,made,drops", cards) == ["drops", "made"]
    assert chosen("demo", cards) == ["made", "drops"]
    assert chosen("all", cards) == ["made", "drops"], "no files here: the embedded ones"
    put(tmp_path / "wet", "test/rainy/1.png", "test/clean/1.png")
    assert chosen("all", cards, tmp_path) == ["wet"]
    assert chosen("streak", cards, tmp_path) == ["wet"]
    assert chosen("drop", cards, tmp_path) == ["drops"]
    assert chosen("all,demo", cards, tmp_path) == ["wet", "made", "drops"]


def test_what_is_not_here(cards: dict[str, Card], tmp_path: Path, refused: Refused) -> None:
    with refused("'wte'", "did you mean 'wet'?"):
        select("wte", cards, tmp_path)
    with refused("'wet' are not here", str(tmp_path / "wet"), "put them there"):
        select("wet", cards, tmp_path)
    with refused("'wet' are not here", "give --data-root"):
        select("wet", cards, None)
    with refused("'wet' are not here", "fetch it from https://rain.example"):
        select("wet", {"wet": card("wet", source="https://rain.example")}, tmp_path)
    with refused("no dataset is chosen", "--datasets"):
        select("mist", cards, tmp_path)
    with refused("no dataset is chosen"):
        select(" , ", cards, tmp_path)


def test_names_in_any_case_and_what_may_be_meant(tmp_path: Path, refused: Refused) -> None:
    cards = {each.name: each for each in (card("rain100l", title="Rain100L"), card("rain1400", folders=("DDN-Data",)))}
    put(tmp_path / "rain100l", "test/rainy/1.png", "test/clean/1.png")
    assert chosen("RAIN100L", cards, tmp_path) == ["rain100l"]
    with refused("'ddn-data'", "rain1400 goes by it"):
        select("ddn-data", cards, tmp_path)
    with refused("'rain100'", "did you mean"):
        select("rain100", cards, tmp_path)


def test_a_data_root_a_level_too_deep_or_too_high(tmp_path: Path, refused: Refused) -> None:
    put(tmp_path / "disk/data/wet", "test/rainy/1.png", "test/clean/1.png")
    for root in (tmp_path / "disk", tmp_path / "disk/data/wet"):
        with refused("'wet' are not here", f"give --data-root {tmp_path / 'disk/data'}"):
            select("wet", {"wet": card("wet")}, root)
