"""Decoded images: the same as from the files, decoded once, within the space that they may take."""

from __future__ import annotations

import os
import pickle
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import locate
from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.engine import image_cache as decoded
from derainbench.engine.image_cache import DecodedImages
from derainbench.engine.layers import FileLayer
from derainbench.engine.patches import Patches, rainy_statistics
from derainbench.images.decode import Array, read_layer, read_pair
from derainbench.plugins.recipe import Recipe

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

CARD = """
name = "small"
title = "Small"
rain_model = "streak"
kind = "synthetic"
root = "data"
[[layouts]]
name = "folders"
train = {{ {train} }}
"""
APART = (
    'rainy = "rainy/{scene}-{rain:d}.png", clean = "clean/{scene}.png", '
    'layers = { depth = "depth/{scene}.png", drops = "drops/{scene}-{rain:d}.png" }'
)
TOGETHER = 'rainy = "rainy/{scene}-{rain:d}.png", side_by_side = "clean|rainy"'
SCENES = {"a": (12, 16), "b": (9, 20), "c": (30, 7)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decoded images."""
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DERAINBENCH_DECODED_GIB", raising=False)
    return tmp_path / "cache" / "decoded"


@pytest.fixture(params=[APART, TOGETHER], ids=["apart", "together"])
def pairs(request: pytest.FixtureRequest, tmp_path: Path, save_image: SaveImage) -> Pairs:
    """Three scenes of different sizes, each under two rains, with an 8-bit and a 16-bit layer; or side by side."""
    return opened(tmp_path, save_image, request.param)


@pytest.fixture
def apart(tmp_path: Path, save_image: SaveImage) -> Pairs:
    """The same in files of their own."""
    return opened(tmp_path, save_image, APART)


def opened(folder: Path, save_image: SaveImage, patterns: str) -> Pairs:
    """Make the files, and open them by a card."""
    random, root = np.random.default_rng(0), folder / "data"
    for scene, (height, width) in SCENES.items():
        save_image(root / "clean" / f"{scene}.png", random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        save_image(root / "depth" / f"{scene}.png", random.integers(0, 256, (height, width), dtype=np.uint8))
        for rain in (1, 2):
            size = (height, width * (2 if patterns == TOGETHER else 1))
            save_image(root / "rainy" / f"{scene}-{rain}.png", random.integers(0, 256, (*size, 3), dtype=np.uint8))
            save_image(root / "drops" / f"{scene}-{rain}.png", random.integers(0, 65536, size, dtype=np.uint16))
    (folder / "small.toml").write_text(CARD.format(train=patterns))
    return reopened(folder)


def reopened(folder: Path) -> Pairs:
    """The split as it lies on the disk now."""
    dataset = locate(read_card(folder / "small.toml"), None)
    assert dataset is not None
    return dataset.pairs("train")


class Held(NamedTuple):
    """What the files of a pair hold."""

    rainy: Array
    clean: Array
    layers: dict[str, Array]


def from_files(pairs: Sequence[Pair]) -> list[Held]:
    """What the files hold."""
    return [Held(*read_pair(p.rainy, p.clean), {n: read_layer(path) for n, path in p.layers.items()}) for p in pairs]


def same(images: DecodedImages, expected: list[Held]) -> None:
    """Assert that all are bit for bit what the files hold, twice."""
    for index in [*range(len(images)), *reversed(range(len(images)))]:
        found, wanted = images[index], expected[index]
        layers = [images.layer(name, index) for name in wanted.layers]
        for one, other in zip([*found, *layers], [*wanted[:2], *wanted.layers.values()], strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def remove_files(pairs: Pairs) -> None:
    """Whatever is asked for from now on comes from the cache."""
    for path in pairs.root.rglob("*.png"):
        path.unlink()


def kept(cache: Path) -> list[Path]:
    """The files of decoded images."""
    return sorted(cache.glob("*")) if cache.exists() else []


def test_the_same_as_from_the_files(pairs: Pairs, cache: Path) -> None:
    expected = from_files(pairs)
    same(DecodedImages(list(pairs)), expected)
    assert not kept(cache), "a plain list has no manifest to tell its content by"
    same(DecodedImages(pairs), expected)
    assert len(kept(cache)) == 1
    remove_files(pairs)
    again = DecodedImages(pairs)
    same(again, expected)
    same(pickle.loads(pickle.dumps(again)), expected)


def test_some_of_the_pairs_use_the_file_of_all(pairs: Pairs, cache: Path) -> None:
    expected = from_files(pairs)
    same(DecodedImages(pairs.take([4, 1])), [expected[4], expected[1]])
    same(DecodedImages(pairs.take([5, 0, 2, 3])), [expected[index] for index in (5, 0, 2, 3)])
    remove_files(pairs)
    same(DecodedImages(pairs), expected)
    assert len(kept(cache)) == 1


@pytest.mark.parametrize("as_list", [False, True])
def test_a_clean_image_of_many_rainy_ones_is_decoded_once(apart: Pairs, as_list: bool) -> None:
    expected = from_files(apart)
    images = DecodedImages(list(apart) if as_list else apart)
    images[0], images.layer("depth", 0)
    for folder in ("clean", "depth"):
        (apart.root / folder / "a.png").unlink()
    clean = apart[1].clean
    assert isinstance(clean, Path)
    assert clean.name == "a.png"
    np.testing.assert_array_equal(images[1].clean, expected[1].clean)
    np.testing.assert_array_equal(images.layer("depth", 1), expected[1].layers["depth"])


def test_a_damaged_cache_is_decoded_again(pairs: Pairs, cache: Path) -> None:
    expected = from_files(pairs)
    same(DecodedImages(pairs), expected)
    (file,) = kept(cache)
    content = file.read_bytes()
    file.write_bytes(content[:100] + bytes(value ^ 255 for value in content[100:]))
    same(DecodedImages(pairs), expected)
    remove_files(pairs)
    same(DecodedImages(pairs), expected)


def test_other_files_under_the_same_names_are_another_set(apart: Pairs, tmp_path: Path, cache: Path) -> None:
    same(DecodedImages(apart), from_files(apart))
    time.sleep(0.01)
    (apart.root / "clean" / "a.png").write_bytes((apart.root / "rainy" / "a-1.png").read_bytes())
    changed = reopened(tmp_path)
    same(DecodedImages(changed), from_files(changed))
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("limit", ["0", "64"])
def test_a_file_that_changed_after_it_was_hashed(
    apart: Pairs, cache: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused, limit: str
) -> None:
    """Its pixels would pass for those of the old content, also after that was restored."""
    monkeypatch.setenv("DERAINBENCH_DECODED_GIB", limit)
    expected = from_files(apart)
    path, before = apart.root / "clean/a.png", (apart.root / "clean/a.png").stat()
    content = path.read_bytes()
    path.write_bytes((apart.root / "rainy/a-1.png").read_bytes())
    with refused(str(path), "changed", "run the same command again"):
        DecodedImages(apart)[0]
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    same(DecodedImages(apart), expected)


def test_a_link_that_leads_nowhere_does_not_turn_it_off(pairs: Pairs, cache: Path) -> None:
    """As a file looks that another process has just removed to make room."""
    cache.mkdir(parents=True)
    (cache / "gone.images").symlink_to(cache / "nowhere")
    same(DecodedImages(pairs), from_files(pairs))
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("limit", ["0", "1e-7"])
def test_sets_that_do_not_fit_are_decoded(
    pairs: Pairs, cache: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("DERAINBENCH_DECODED_GIB", limit)
    same(DecodedImages(pairs), from_files(pairs))
    assert not kept(cache)


def test_a_cache_that_cannot_be_written_costs_time_only(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "file"))
    same(DecodedImages(pairs), from_files(pairs))


def test_the_least_recently_used_make_room(pairs: Pairs, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same(DecodedImages(pairs), from_files(pairs))
    (mine,) = kept(cache)
    size, now = mine.stat().st_size, time.time()
    ages = {"oldest": 9000, "older": 8000, "in-use": 60}
    for name, age in ages.items():
        path = cache / f"{name}.images"
        path.write_bytes(bytes(size))
        os.utime(path, (now - age, now - age))
    mine.unlink()
    taken = (cache / "older.images").stat().st_blocks * 512

    def left(limit: int) -> list[str]:
        monkeypatch.setenv("DERAINBENCH_DECODED_GIB", repr(limit / 2**30))
        same(DecodedImages(pairs), from_files(pairs))
        return [path.stem for path in kept(cache) if path != mine]

    assert left(2 * size + 2 * taken + 1) == ["in-use", "older", "oldest"]
    mine.unlink()
    assert left(2 * size + taken + 1) == ["in-use", "older"]
    mine.unlink()
    assert left(2 * size - 1) == ["in-use", "older"], "none is removed where that would not be enough"
    assert not mine.exists()


@pytest.mark.parametrize("setting", ["much", "-1", "inf", "nan"])
def test_a_limit_that_is_none(pairs: Pairs, monkeypatch: pytest.MonkeyPatch, refused: Refused, setting: str) -> None:
    monkeypatch.setenv("DERAINBENCH_DECODED_GIB", setting)
    with refused("DERAINBENCH_DECODED_GIB", repr(setting), "0 to keep no"):
        DecodedImages(pairs)


def test_memory_stays_bounded_without_a_file(
    tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 4 * 100 * 100 * 3
    monkeypatch.setattr(decoded, "RECENT_BYTES", limit)
    paths = [save_image(tmp_path / f"{n}.png", np.full((100, 100, 3), n, np.uint8)) for n in range(40)]
    images = DecodedImages([Pair(path.stem, path.stem, path, path) for path in paths])
    images[0]
    tracemalloc.start()
    try:
        for index in [*range(40)] * 3:
            assert images[index].rainy.max() == index
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert limit * 0.7 < held < limit * 1.5, "the last ones are kept, the others are not"


def test_mistakes_are_told_apart_from_the_cache(apart: Pairs, tmp_path: Path, refused: Refused) -> None:
    save = (apart.root / "clean" / "b.png").read_bytes()
    for path in ("rainy/a-2.png", "drops/b-2.png"):
        (apart.root / path).write_bytes(save if path.startswith("rainy") else (apart.root / "depth/a.png").read_bytes())
    (apart.root / "rainy" / "c-1.png").write_bytes(b"no image")
    changed = reopened(tmp_path)
    for images in (DecodedImages(changed), DecodedImages(changed), DecodedImages(list(changed))):
        images[0], images[2], images[5]
        with refused("a-2.png is 20x9", "a.png is 16x12"):
            images[1]
        with refused("b-2.png is 20x9", "drops", "is 16x12"):
            images.layer("drops", 3)
        with refused("c-1.png", "cannot be read"):
            images[4]
        with refused("c-1.png", "cannot be read"):
            images.sizes()


def test_sizes_come_from_the_manifest(pairs: Pairs) -> None:
    expected = [list(SCENES[scene]) for scene in "aabbcc"]
    assert DecodedImages(list(pairs)).sizes().tolist() == expected
    remove_files(pairs)
    assert DecodedImages(pairs).sizes().tolist() == expected
    assert DecodedImages(pairs.take([2, 5])).sizes().tolist() == [expected[2], expected[5]]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_files(pairs: Pairs, workers: int) -> None:
    fields = {"lr": 1, "epochs": 3, "stride": 3, "batch": 5, "patch": 8, "loss": "l1", "augment": ["hflip", "rot90"]}
    recipe, layers = Recipe.model_validate(fields), {name: FileLayer(name) for name in pairs[0].layers}
    plain = [Patches(list(pairs), recipe, 1, layers=layers)[step] for step in range(20)]
    for _ in range(2):  # while the file is filled, and when it is
        loader = DataLoader(
            Patches(pairs, recipe, 1, layers=layers), batch_size=None, sampler=range(20), num_workers=workers
        )
        for batch, expected in zip(loader, plain, strict=True):
            assert torch.equal(batch.rainy, expected.rainy)
            assert torch.equal(batch.clean, expected.clean)
            assert batch.layers.keys() == expected.layers.keys()
            assert all(torch.equal(layer, expected.layers[name]) for name, layer in batch.layers.items())
    statistics = rainy_statistics(pairs), rainy_statistics(list(pairs))
    assert all(torch.equal(one, other) for one, other in zip(*statistics, strict=True))
