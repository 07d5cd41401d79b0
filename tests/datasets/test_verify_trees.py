"""Every packaging of every shipped card verifies as generated, and a broken one does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import locate
from derainbench.verify.verdict import Verdict
from derainbench.verify.verify import verify
from tests.datasets.trees import FIRST, TREES, Breakage, Tree, break_tree, shipped, write_fixture_card


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


def verdict(tree: Tree, folder: Path) -> Verdict:
    """Of the tree below the folder's ``data``, under a card with its counts."""
    write_fixture_card(tree, folder / "card.toml")
    dataset = locate(read_card(folder / "card.toml"), folder / "data")
    assert dataset is not None
    return verify(dataset)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.card}: {tree.layout}")
def test_every_packaging_is_usable(tree: Tree, tmp_path: Path) -> None:
    tree.plant(tmp_path / "data")
    found = verdict(tree, tmp_path)
    assert found.problems == []
    assert found.layout == tree.layout
    counted = {split.split: split.pairs for split in found.splits}
    assert counted == {split: len(tree.split(split)) for split in ("train", "test") if tree.split(split)}
    strays = [name for each in found.notices if each.kind == "stray" for name in each.files]
    assert {str((found.root / name).relative_to(tmp_path / "data")) for name in strays} <= set(tree.others)


@pytest.mark.parametrize("how", ["deleted", "truncated", "mis-sized"])
@pytest.mark.parametrize("tree", FIRST.values(), ids=FIRST)
def test_a_broken_one_is_not(tree: Tree, how: Breakage, tmp_path: Path) -> None:
    tree.plant(tmp_path / "data")
    wrong = break_tree(tmp_path / "data", tree, how)
    found = verdict(tree, tmp_path)
    assert not found.usable
    if how == "deleted":  # what is gone is told by the rainy file that misses it, or by the number of pairs
        wrong = [pair.rainy for pair in tree.split("test")[-1:] if pair.rainy not in wrong]
    named = {str(found.root / file.split(" (")[0]) for each in found.problems for file in each.files}
    assert {str(tmp_path / "data" / file) for file in wrong} <= named


@pytest.mark.parametrize("how", ["swapped", "mispaired"])
@pytest.mark.parametrize("tree", [t for t in FIRST.values() if shipped()[t.card].additive], ids=lambda t: t.card)
def test_where_rain_only_adds_light_exchanges_are_found(tree: Tree, how: Breakage, tmp_path: Path) -> None:
    tree.plant(tmp_path / "data")
    wrong = break_tree(tmp_path / "data", tree, how)
    found = verdict(tree, tmp_path)
    (problem,) = found.problems
    assert problem.kind == {"swapped": "swapped", "mispaired": "mis-paired"}[how]
    assert str(tmp_path / "data" / wrong[0]) == str(found.root / problem.files[0])
