"""Broken trees are broken in the way they say, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from derainbench.errors import UserError
from derainbench.images.decode import Half, read_rgb
from derainbench.support.atomic import file_hash
from tests.datasets.trees import FIRST, SIZE, TESTED, Breakage, Tree, break_tree


@pytest.mark.parametrize("how", get_args(Breakage))
@pytest.mark.parametrize("tree", TESTED.values(), ids=TESTED)
def test_a_tree_is_broken_where_it_says(tree: Tree, how: Breakage, tmp_path: Path) -> None:
    tree.plant(tmp_path)
    before = {file: file_hash(tmp_path / file) for file in tree.files}
    wrong = break_tree(tmp_path, tree, how)
    after = {file: file_hash(tmp_path / file) for file in tree.files if (tmp_path / file).exists()}
    assert {file for file in tree.files if after.get(file) != before[file]} == set(wrong)
    pair = tree.split("test")[-1]
    rainy = tmp_path / pair.rainy
    if how == "deleted":
        assert not any((tmp_path / file).exists() for file in wrong)
    elif how == "truncated":
        with pytest.raises(UserError, match=rainy.name):
            read_rgb(rainy)
    elif how == "mis-sized":
        assert read_rgb(rainy).shape[1] == SIZE[1] * (2 if pair.side_by_side else 1) - 1
    else:
        left, right = (
            (Half(rainy, "left"), Half(rainy, "right")) if pair.side_by_side else (rainy, tmp_path / pair.clean)
        )
        light = read_rgb(left).astype(float) - read_rgb(right)
        if how == "mispaired":
            assert np.abs(light).mean() > 15, "another scene"
        else:
            assert np.abs(light).mean() < 40, "the same scene"
            assert light.mean() > 0 if tree.card in DARKER else light.mean() < 0


#: Sets whose rain darkens: raindrops.
DARKER = {name for name in FIRST if "drop" in name} | {"rainds-syn-both", "rainds-real-both"}
