"""Test sets small enough to be restored in many ways: one clean image a pair, and three rains a clean image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from derainbench.catalogue.cards import Card, Layout, SplitPatterns
from derainbench.catalogue.locate import Dataset

SaveImage = Callable[[Path, np.ndarray], Path]

#: Of a clean image, by its number.
Content = Callable[[int], np.ndarray]


def scene(number: int) -> np.ndarray:
    """(16, 20, 3) uint8: an image unlike that of any other number."""
    random = np.random.default_rng(number)
    coarse = random.integers(20, 200, (4, 5, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((4, 4, 1), np.uint8))


def restored(number: int) -> np.ndarray:
    """The same, not quite as it was."""
    noise = np.random.default_rng(1000 + number).integers(0, 9, (16, 20, 3), dtype=np.uint8)
    return scene(number) + noise


def made(root: Path, save: SaveImage, rainy: str, clean: str, files: Mapping[str, tuple[str, int]]) -> Dataset:
    """A dataset of these patterns; ``files`` are its rainy images, each with its clean one's name and number."""
    for name, (partner, number) in files.items():
        save(root / name, np.minimum(scene(number).astype(int) + 40, 255).astype(np.uint8))
        save(root / partner, scene(number))
    layout = Layout(name="one", test=SplitPatterns(rainy=rainy, clean=clean))
    card = Card(name="tiny", title="Tiny", rain_model="streak", kind="synthetic", layouts=(layout,), root=root)
    return Dataset(card, root, layout)


@pytest.fixture
def twelve(tmp_path: Path, save_image: SaveImage) -> Dataset:
    """Twelve pairs, numbered from 1 as those of Rain100L are."""
    files = {f"rainy/rain-{n:03}.png": (f"norain-{n:03}.png", n) for n in range(1, 13)}
    return made(tmp_path / "set", save_image, "rainy/rain-{id:d}.png", "norain-{id:d}.png", files)


@pytest.fixture
def three_rains(tmp_path: Path, save_image: SaveImage) -> Dataset:
    """Three rains on each of four scenes, numbered as those of Rain1400 are."""
    files = {f"rain/{s}_{r}.png": (f"truth/{s}.png", s) for s in range(1, 5) for r in range(1, 4)}
    return made(tmp_path / "set", save_image, "rain/{scene:d}_{rain:d}.png", "truth/{scene:d}.png", files)


@pytest.fixture
def words(tmp_path: Path, save_image: SaveImage) -> Dataset:
    """Scenes that are called by words, one of which begins another."""
    files = {f"in/{name}.png": (f"gt/{name}.png", n) for n, name in enumerate(("aachen", "aa", "bonn_2", "köln"))}
    return made(tmp_path / "set", save_image, "in/{scene}.png", "gt/{scene}.png", files)
