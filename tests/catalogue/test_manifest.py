"""What a split's files are, and when that is still true."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from derainbench.catalogue import manifest
from derainbench.catalogue.cards import Card, SplitPatterns
from derainbench.catalogue.manifest import Manifest, keep_manifests, kept_manifest, open_manifest
from derainbench.catalogue.pairing import Matched, match_files
from derainbench.images.decode import Half

Refused = Callable[..., AbstractContextManager[None]]
SaveImage = Callable[[Path, np.ndarray], Path]

PATTERNS = SplitPatterns(rainy="rainy/{scene}-{n:d}.png", clean="clean/{scene}.png")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


def write(root: Path, *, age: float = 60, **folders: str) -> Path:
    """Files that hold their own path, as old as files of a dataset usually are."""
    for folder, names in folders.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names.split():
            (root / folder / f"{name}.png").write_text(f"{folder}/{name}")
    return grow_old(root, age)


def grow_old(root: Path, age: float = 60) -> Path:
    """Set back the times of everything in a folder, in seconds."""
    then = time.time() - age
    for path in [*root.rglob("*"), root]:
        os.utime(path, (then, then))
    return root


class Opened:
    """Opens a split's manifest, and counts the files that had to be read for it."""

    def __init__(self, patterns: SplitPatterns = PATTERNS, same: tuple[tuple[str, ...], ...] = ()) -> None:
        layout = {"name": "folders", "test": patterns}
        fields = {"name": "mine", "title": "Mine", "rain_model": "streak", "kind": "real", "layouts": [layout]}
        self.card = Card.model_validate({**fields, "same_scene": {"test": same}})
        self.patterns, self.looked_at = patterns, 0

    def __call__(self, root: Path, trust: bool = True) -> Manifest:
        self.looked_at = 0

        def count(done: int, total: int) -> None:
            assert 0 < done <= total
            self.looked_at += 1

        return open_manifest(self.card, root, self.patterns, "test", count, trust)


def digest(root: Path, patterns: SplitPatterns = PATTERNS, same: tuple[tuple[str, ...], ...] = ()) -> str:
    """The digest of what lies in a folder now."""
    return Opened(patterns, same)(root).digest


def test_a_manifest_says_what_the_pairing_says(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-1 a-2 b-1", clean="a b", depth="a b")
    patterns = SplitPatterns(**PATTERNS.model_dump(exclude={"layers"}), layers={"depth": "depth/{scene}.png"})
    pairs = Opened(patterns)(root).pairs
    matched = match_files(root, patterns)
    assert list(pairs) == [matched.pair(row) for row in matched.rows]
    assert [pair.image for pair in pairs[1:]] == ["a-2", "b-1"]
    assert [pair.image for pair in pairs.take([2, 0])[::-1]] == ["a-1", "b-1"]
    assert list(pairs.take([2, 0]).rows) == [2, 0]
    assert pairs.take([2, 0]).column("scene").to_pylist() == ["b", "a"]
    assert pairs.roles == ("rainy", "clean", "depth")
    assert pairs[-1] == pairs[2]
    with pytest.raises(IndexError):
        pairs[3]
    assert list(pickle.loads(pickle.dumps(pairs))) == list(pairs)


def test_both_halves_of_a_file(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / "data/1.png", np.zeros((4, 12, 3), np.uint8))
    pairs = Opened(SplitPatterns(rainy="{id:d}.png", side_by_side="clean|rainy"))(tmp_path / "data").pairs
    assert (pairs[0].clean, pairs[0].rainy) == tuple(Half(tmp_path / "data/1.png", side) for side in ("left", "right"))
    assert (pairs.column("height").to_pylist(), pairs.column("width").to_pylist()) == ([4], [6])
    other = SplitPatterns(rainy="{id:d}.png", side_by_side="rainy|clean")
    assert Opened(other)(tmp_path / "data").digest != pairs.digest


def test_nothing_is_read_twice(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-1 a-2 b-1", clean="a b")
    opened = Opened()
    first = opened(root)
    assert opened.looked_at == 5
    again = opened(root)
    assert opened.looked_at == 0
    assert (again.digest, list(again.pairs), again.path) == (first.digest, list(first.pairs), first.path)
    opened(root, trust=False)
    assert opened.looked_at == 5


@pytest.mark.parametrize("name", ["rainy/a-2.png", "clean/b.png"])
def test_a_changed_file_is_noticed(tmp_path: Path, name: str) -> None:
    root = write(tmp_path / "data", rainy="a-1 a-2 b-1", clean="a b")
    opened = Opened()
    before = opened(root).digest
    (root / name).write_text(name.upper())  # of the same length
    assert opened(root).digest != before


def test_a_file_that_changed_at_about_the_time_it_was_read(tmp_path: Path) -> None:
    """Its time may not tell: a clock ticks only so often."""
    root = write(tmp_path / "data", age=0, rainy="a-1", clean="a")
    opened = Opened()
    before = opened(root).digest
    times = (root / "clean/a.png").stat()
    (root / "clean/a.png").write_text("CLEAN/A")
    os.utime(root / "clean/a.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert opened(root).digest != before


def test_a_new_missing_or_renamed_file_is_noticed(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-1 a-2 b-1", clean="a b")
    opened = Opened()
    digests = [opened(root).digest]
    (root / "rainy/a-2.png").rename(root / "rainy/a-3.png")
    digests.append(opened(root).digest)
    (root / "rainy/a-3.png").unlink()
    digests.append(opened(root).digest)
    write(root, rainy="b-7")
    digests.append(opened(root).digest)
    assert len(set(digests)) == 4


def test_a_digest_depends_on_contents_and_not_on_the_place(tmp_path: Path) -> None:
    root = write(tmp_path / "here", rainy="a-1 a-2 b-1", clean="a b unused")
    before = digest(root)
    shutil.copytree(root, tmp_path / "there")
    assert digest(tmp_path / "there") == before
    (root / "clean/unused.png").write_text("changed")
    assert digest(root) == before


def test_a_digest_is_a_hash_that_others_can_compute(tmp_path: Path) -> None:
    """Of the JSON of all rows; score tables of earlier versions carry the same."""
    root = write(tmp_path / "data", rainy="a-1 b-1", clean="a b", z="a b", depth="a b")
    layers = {"z": "z/{scene}.png", "depth": "depth/{scene}.png"}
    found = digest(root, PATTERNS.model_copy(update={"layers": layers}))
    assert found == "e18929b581283a5b5015635675488034ce235ce26909e90a1228456c6549da9c"


def test_a_digest_notices_other_partners_among_the_same_files(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-b b-a", clean="a b")
    first = SplitPatterns(rainy="rainy/{x}-{y}.png", clean="clean/{x}.png")
    second = SplitPatterns(rainy="rainy/{x}-{y}.png", clean="clean/{y}.png")
    assert digest(root, first) != digest(root, second)
    assert digest(root, first) != digest(root, first, (("a", "b"),)), "scores carry the scene"


def test_a_digest_notices_a_changed_layer(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-1", clean="a", depth="a")
    opened = Opened(PATTERNS.model_copy(update={"layers": {"depth": "depth/{scene}.png"}}))
    before = opened(root).digest
    (root / "depth/a.png").write_text("changed")
    assert opened(root).digest != before


def test_files_that_do_not_pair_or_lead_nowhere(tmp_path: Path, refused: Refused) -> None:
    root = write(tmp_path / "data", rainy="a-1 b-1", clean="a")
    with refused("b-1.png has no partner"):
        Opened()(root)
    (root / "clean/b.png").symlink_to(root / "gone.png")
    with refused(str(root / "clean/b.png"), "no such file", "check the path"):
        Opened()(root)


def test_a_damaged_manifest_is_made_again(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-1", clean="a")
    opened = Opened()
    first = opened(root)
    assert first.path is not None
    first.path.write_bytes(first.path.read_bytes()[:200])
    assert opened(root).digest == first.digest
    assert opened.looked_at == 2


def test_files_that_come_into_an_empty_split(tmp_path: Path) -> None:
    opened = Opened()
    (tmp_path / "data").mkdir()
    assert not opened(tmp_path / "data").pairs
    write(tmp_path / "data", rainy="a-1", clean="a")
    assert len(opened(tmp_path / "data").pairs) == 1


def test_a_file_that_comes_while_the_folders_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "data", rainy="a-1", clean="a b")

    def slowly(*arguments: Any) -> Matched:
        found = match_files(*arguments)
        write(root, rainy="b-1", age=0)
        now = time.time()
        monkeypatch.setattr(time, "time_ns", lambda: int(now * 1e9) + 10**10)  # hashing took ten seconds
        return found

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "match_files", slowly)
        assert len(Opened()(root).pairs) == 1
    assert len(Opened()(root).pairs) == 2


def test_a_file_of_tomorrow_is_not_read_each_time(tmp_path: Path) -> None:
    root = grow_old(write(tmp_path / "data", rainy="a-1", clean="a"), age=-40_000)
    opened = Opened()
    opened(root)
    opened(root)
    assert opened.looked_at == 0


def test_any_damage_is_noticed(tmp_path: Path) -> None:
    root = write(tmp_path / "data", rainy="a-1 a-2", clean="a")
    opened = Opened()
    first = opened(root)
    assert first.path is not None
    whole, random = first.path.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(whole)
        for place in random.integers(4, len(whole), 3):
            damaged[place] ^= 1 << int(random.integers(8))
        first.path.write_bytes(damaged)
        assert list(opened(root).pairs) == list(first.pairs)


def test_a_run_keeps_what_it_used_or_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    root = write(tmp_path / "data", rainy="a-1", clean="a")
    first = Opened()(root)
    (root / "clean/a.png").write_text("other")
    Opened()(root)  # by another process
    with refused("test files of mine", "changed", "run the same command again"):
        keep_manifests(tmp_path / "run", [("mine", "test", first)])
    (tmp_path / "file").touch()
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "file"))
    uncached = Opened()(root)
    keep_manifests(tmp_path / "run", [("mine", "test", uncached)])
    assert len(pd.read_parquet(tmp_path / "run" / kept_manifest("mine", "test", uncached.digest))) == 1


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "file"))
    found = Opened()(write(tmp_path / "data", rainy="a-1", clean="a"))
    assert (len(found.pairs), found.path) == (1, None)


def test_a_manifest_is_a_table_of_names_sizes_and_hashes(tmp_path: Path, save_image: SaveImage) -> None:
    for name in ("rainy/a-1", "rainy/a-2", "clean/a"):
        save_image(tmp_path / "data" / f"{name}.png", np.zeros((5, 7, 3), np.uint8))
    found = Opened()(tmp_path / "data")
    keep_manifests(tmp_path / "run", [("mine", "test", found)])
    table = pd.read_parquet(tmp_path / "run" / kept_manifest("mine", "test", found.digest))
    assert list(table["rainy"]) == ["rainy/a-1.png", "rainy/a-2.png"]
    assert list(table["clean"]) == ["clean/a.png"] * 2
    assert set(table["height"]) == {5}
    assert set(table["width"]) == {7}
    assert set(table["clean_bytes"]) == {(tmp_path / "data/clean/a.png").stat().st_size}
    assert all(len(value) == 64 for value in table["rainy_sha256"])
