"""Layers beside a pair: from its files, from names, or by a rule."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import Dataset, locate
from derainbench.engine.layers import find_layers
from derainbench.engine.patches import Patches
from derainbench.images.decode import read_rgb
from derainbench.plugins.layers import Rule, Thirds, absent, channel_mask, luma_difference, luma_mask
from derainbench.plugins.recipe import Recipe

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

RECIPE = Recipe(lr=1, epochs=1, stride=16, batch=6, patch=16, loss="l1")
CARD = """
name = "small"
title = "Small"
rain_model = "streak"
kind = "synthetic"
root = "."
[[layouts]]
name = "only"
"""


@pytest.fixture
def make(tmp_path: Path, save_image: SaveImage) -> Callable[[str, Mapping[str, int]], Dataset]:
    """A dataset with a rainy file for each name given, brighter by so many levels than its clean one."""

    def dataset(patterns: str, rains: Mapping[str, int]) -> Dataset:
        for name, light in rains.items():
            clean = np.random.default_rng(len(name)).integers(20, 180, (16, 16, 3), dtype=np.uint8)
            rainy = clean.copy()
            rainy[4:12] += np.uint8(light)
            save_image(tmp_path / f"{name}.png", rainy)
            save_image(tmp_path / "clean" / f"{Path(name).name}.png", clean)
            save_image(tmp_path / "extra" / f"{Path(name).name}.png", np.full((16, 16), light, np.uint8))
        (tmp_path / "small.toml").write_text(f"{CARD}train = {{ {patterns} }}\n")
        found = locate(read_card(tmp_path / "small.toml"), None)
        assert found is not None
        return found

    return dataset


PLAIN = 'rainy = "rainy/{id}.png", clean = "clean/{id}.png"'


def layer(dataset: Dataset, name: str, rule: Rule | Thirds | None) -> tuple[str, list[np.ndarray]]:
    """Where a layer is from, and what it is for each pair."""
    pairs, found = dataset.pairs("train"), find_layers({name: rule}, dataset)[name]
    patches = pickle.loads(pickle.dumps(Patches(pairs, RECIPE, 0, layers={name: found.source})))
    batch = patches[0]
    order = {batch.rainy[n].mul(255).byte().numpy().tobytes(): n for n in range(len(batch.rainy))}
    places = [order[read_rgb(pair.rainy).transpose(2, 0, 1).tobytes()] for pair in pairs]
    return found.origin, [batch.layers[name][place, 0].numpy() for place in places]


SIX = {f"rainy/{name}": light for name, light in zip("abcdef", (60, 5, 20, 25, 8, 70), strict=True)}


def test_layers_by_rule(make: Callable[..., Dataset]) -> None:
    dataset = make(PLAIN, SIX)
    origin, streaks = layer(dataset, "streak", luma_difference())
    assert origin == "derived: luma(rainy) - luma(clean), at least 0"
    assert all(not streak[:4].any() for streak in streaks)
    np.testing.assert_allclose([255 * streak[8, 8] for streak in streaks], list(SIX.values()), rtol=1e-5)
    origin, masks = layer(dataset, "mask", luma_mask(20))
    assert origin == "derived: luma(rainy) - luma(clean) > 20/255"
    assert [bool(mask[8, 8]) for mask in masks] == [True, False, False, True, False, True]
    assert [bool(mask[8, 8]) for mask in layer(dataset, "mask", channel_mask(20))[1]] == [1, 0, 1, 1, 0, 1]
    origin, depths = layer(dataset, "depth", absent())
    assert origin == "derived: none, trained without it"
    assert np.isnan(depths).all()


def test_density_by_thirds_of_the_set(make: Callable[..., Dataset]) -> None:
    origin, densities = layer(make(PLAIN, SIX), "density", Thirds(luma_difference()))
    assert origin == "derived: thirds of the set by the mean of: luma(rainy) - luma(clean), at least 0"
    assert [density.item() for density in densities] == [0, 2, 1, 1, 2, 0]


def test_density_of_the_whole_image_whatever_the_patch(make: Callable[..., Dataset]) -> None:
    dataset = make(PLAIN, SIX)
    found = find_layers({"density": Thirds(luma_difference())}, dataset)["density"]
    recipe = RECIPE.changed({"patch": 1, "stride": 1, "augment": ("rot90",)})  # of which half have no rain
    patches = Patches(dataset.pairs("train"), recipe, 0, layers={"density": found.source})
    densities = torch.cat([patches[step].layers["density"] for step in range(len(patches))])
    assert densities.shape[1:] == (1, 1, 1)
    counts = torch.bincount(densities.flatten().long())
    assert counts.tolist()[:2] == [512, 512]


def test_density_as_folders_name_it(make: Callable[..., Dataset]) -> None:
    patterns = 'rainy = "Rain_{density}/{id}.png", clean = "clean/{id}.png"'
    folders = {"Rain_Light/a": 90, "Rain_Heavy/b": 1, "Rain_Medium/c": 50, "Rain_Light/d": 3}
    origin, densities = layer(make(patterns, folders), "density", Thirds(luma_difference()))
    assert origin == "given"
    names = sorted(folders)  # as pairs are
    assert [density.item() for density in densities] == [
        {"Heavy": 0, "Medium": 1, "Light": 2}[name.split("/")[0].split("_")[1]] for name in names
    ]


def test_a_folder_that_names_no_density(make: Callable[..., Dataset], refused: Refused) -> None:
    dataset = make('rainy = "Rain_{density}/{id}.png", clean = "clean/{id}.png"', {"Rain_Some/a": 5})
    with refused("Some", "none of heavy, medium, light", "rename the folder"):
        layer(dataset, "density", Thirds(luma_difference()))


def test_a_file_comes_before_a_rule(make: Callable[..., Dataset]) -> None:
    def with_file(name: str) -> str:
        return f'{PLAIN}, layers = {{ {name} = "extra/{{id}}.png" }}'

    origin, streaks = layer(make(with_file("streak"), SIX), "streak", luma_difference())
    assert (origin, round(255 * streaks[0][0, 0])) == ("given", 60)
    origin, streaks = layer(make(with_file("S"), SIX), "streak", luma_difference())
    assert (origin, round(255 * streaks[0][0, 0])) == ("generator", 60)
    origin, masks = layer(make(with_file("mask"), {"rainy/a": 127, "rainy/b": 128}), "mask", channel_mask(30))
    assert (origin, [mask[0, 0] for mask in masks[:2]]) == ("given", [0, 1])
    origin, densities = layer(make(with_file("S"), SIX), "density", Thirds(luma_difference()))
    assert origin == "derived: thirds of the set by the mean of its S"
    assert [density.item() for density in densities] == [0, 2, 1, 1, 2, 0]


def test_a_layer_that_is_nowhere(make: Callable[..., Dataset], refused: Refused) -> None:
    with refused("small", "no layer 'depth'", "it has none", "train on a dataset that has it"):
        find_layers({"depth": None}, make(PLAIN, SIX))


LEVELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)))


@given(LEVELS, st.integers(0, 254))
def test_rules_of_equal_images_find_nothing(image: np.ndarray, level: int) -> None:
    for rule in (luma_difference(), luma_mask(level), channel_mask(level + 1)):
        found = rule.derive(image, image)
        assert found.dtype == np.float32
        assert found.shape == image.shape[:2]
        assert not found.any()
