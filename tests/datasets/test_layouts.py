"""Every packaging that circulates is found by its card, with the right partners, and by no other card."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from derainbench.catalogue.cards import SPLITS, SplitName, read_card
from derainbench.catalogue.locate import Dataset, locate
from derainbench.catalogue.pairing import Pair
from derainbench.engine.layers import find_layers
from derainbench.images.decode import Half, Source, read_rgb
from derainbench.plugins.layers import luma_difference, luma_mask
from tests.datasets.trees import FIRST, SIZE, TREES, Shown, Tree, shipped, write_fixture_card


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


def each_tree(trees: tuple[Tree, ...] = TREES) -> pytest.MarkDecorator:
    """One test for each tree."""
    return pytest.mark.parametrize("tree", trees, ids=lambda tree: f"{tree.card}: {tree.layout}")


def found(card: str, root: Path) -> Dataset:
    """The card's dataset below a data root."""
    dataset = locate(shipped()[card], root)
    assert dataset is not None
    return dataset


def files_of(pair: Pair, root: Path) -> Shown:
    """A pair as packagings.txt would write it; the split is that of its place."""
    names = {name: _name(file, root) for name, file in pair.layers.items()}
    if isinstance(pair.rainy, Half) and isinstance(pair.clean, Half):
        assert (pair.rainy.side, pair.clean.side) == ("left", "right")
        assert pair.rainy.path == pair.clean.path
        return Shown("test", _name(pair.rainy.path, root), "right-half", names)
    return Shown("test", _name(pair.rainy, root), _name(pair.clean, root), names)


def _name(file: Source, root: Path) -> str:
    assert isinstance(file, Path)
    return file.relative_to(root).as_posix()


def test_every_layout_of_every_card_has_a_tree() -> None:
    layouts = [(name, layout.name) for name, card in shipped().items() for layout in card.layouts]
    assert Counter((tree.card, tree.layout) for tree in TREES) == Counter(layouts)


@each_tree()
def test_a_packaging_is_found_with_its_pairs(tree: Tree, tmp_path: Path) -> None:
    tree.plant(tmp_path)
    dataset = found(tree.card, tmp_path)
    assert dataset.layout.name == tree.layout
    for split in SPLITS:
        shown = tree.split(split)
        assert dataset.has(split) == bool(shown)
        if not shown:
            continue
        pairs = list(dataset.pairs(split))
        listed = {(each.rainy, each.clean, *each.layers.items()) for each in shown}
        here = [files_of(pair, tmp_path) for pair in pairs]
        assert {(each.rainy, each.clean, *each.layers.items()) for each in here} == listed
        assert len(pairs) == len(shown)
        assert len({pair.image for pair in pairs}) == len(pairs)
        scenes: dict[str, set[str]] = {}
        for pair, each in zip(pairs, here, strict=True):
            scenes.setdefault(each.clean, set()).add(pair.scene)
        if not shown[0].side_by_side:
            assert all(len(names) == 1 for names in scenes.values()), "one clean file is one scene"


@each_tree(tuple(FIRST.values()))
def test_a_pair_shows_one_scene_with_and_without_rain(tree: Tree, tmp_path: Path) -> None:
    """What the files hold, rather than what they are called: a rainy image is closest to its own clean one."""
    tree.plant(tmp_path)
    dataset = found(tree.card, tmp_path)
    pairs = [pair for split in SPLITS if dataset.has(split) for pair in dataset.pairs(split)]
    rainy = [read_rgb(pair.rainy).astype(float) for pair in pairs]
    clean = [read_rgb(pair.clean).astype(float) for pair in pairs]
    assert {image.shape for image in (*rainy, *clean)} == {(*SIZE, 3)}
    distance = np.array([[np.abs(one - other).mean() for other in clean] for one in rainy])
    for own, row in zip(np.diag(distance), distance, strict=True):
        assert own == row.min()
        assert own > 0.2, "rainy and clean are two images"
    if shipped()[tree.card].rain_model != "drop":
        assert all((one - two).mean() > 1 for one, two in zip(rainy, clean, strict=True)), "rainy is the brighter one"


@pytest.mark.parametrize("card", ["rain100l", "rain100h"])
def test_the_authors_own_streaks_and_regions_are_what_is_trained_on(card: str, tmp_path: Path) -> None:
    """JORDER's set holds what JORDER learns; without those files rules make it."""
    needs = {"mask": luma_mask(10), "streak": luma_difference()}
    origins = []
    for tree in (tree for tree in TREES if tree.card == card and tree.layout.startswith("PReNet, with streaks")):
        tree.plant(tmp_path)
        origins.append({name: layer.origin for name, layer in find_layers(needs, found(card, tmp_path)).items()})
        for layer in tmp_path.rglob("rainregion-*"):
            layer.unlink()
        origins.append({name: layer.origin for name, layer in find_layers(needs, found(card, tmp_path)).items()})
    rules = {name: f"derived: {rule.words}" for name, rule in needs.items()}
    assert origins == [{"mask": "given", "streak": "given"}, rules]


def test_many_rainy_images_share_a_clean_one(tmp_path: Path) -> None:
    for tree in FIRST.values():
        tree.plant(tmp_path)
    shared: dict[tuple[str, SplitName], dict[str, int]] = {
        ("spa-real", "train"): {"000": 3, "012": 1},
        ("raincityscapes", "train"): {"aachen_000004_000019": 2, "bremen_000041_000019": 1},
        ("raincityscapes", "test"): {"munster_000044_000019": 2, "lindau_000010_000019": 1},
        ("rain1400", "train"): {"1": 2, "900": 1},
        ("rain1400", "test"): {"901": 2, "1000": 1},
        ("outdoor-rain", "train"): {"0001": 2, "0600": 1},
        ("did-data", "train"): {"1": 2, "4000": 1},
        ("gt-rain", "test"): {"Paris_0-0": 2, "Table_1-1": 1},
        ("test2800", "test"): {"926": 2, "927": 1},
    }
    for (card, split), scenes in shared.items():
        assert Counter(pair.scene for pair in found(card, tmp_path).pairs(split)) == scenes


def test_side_by_side_in_one_data_root_each_card_finds_its_own(tmp_path: Path) -> None:
    for tree in FIRST.values():
        tree.plant(tmp_path)
    for name, tree in FIRST.items():
        dataset = found(name, tmp_path)
        assert dataset.layout.name == tree.layout
        for split in SPLITS:
            pairs = dataset.pairs(split) if dataset.has(split) else []
            here = {file for pair in pairs for file in files_of(pair, tmp_path).files}
            assert here == {file for each in tree.split(split) for file in each.files}, name


def test_among_all_the_others_a_card_whose_files_are_not_here_finds_none(tmp_path: Path) -> None:
    for name, card in shipped().items():
        root = tmp_path / name
        for tree in FIRST.values():
            if tree.card != name:
                tree.touch(root)
        assert locate(card, root) is None, name


@each_tree()
def test_no_other_card_takes_a_packaging_for_its_own(tree: Tree, tmp_path: Path) -> None:
    tree.touch(tmp_path)
    assert [name for name, card in shipped().items() if locate(card, tmp_path) is not None] == [tree.card]


@each_tree(tuple(FIRST.values()))
def test_a_fixture_card_differs_in_its_counts_alone(tree: Tree, tmp_path: Path) -> None:
    tree.plant(tmp_path / "data")
    name = write_fixture_card(tree, tmp_path / "card.toml")
    card, original = read_card(tmp_path / "card.toml"), shipped()[tree.card]
    dataset = locate(card, tmp_path / "data")
    assert dataset is not None
    assert (dataset.name, dataset.layout.name) == (name, tree.layout)
    for split in SPLITS:
        assert getattr(card.counts, split) == (len(dataset.pairs(split)) if dataset.has(split) else None)
    changed = {"name", "folders", "counts", "other_counts", "test_sizes", "input_score"}
    assert card.model_dump(exclude=changed) == original.model_dump(exclude=changed)
