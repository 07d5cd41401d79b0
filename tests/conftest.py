"""What every test may use."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import Dataset, locate
from derainbench.errors import UserError
from derainbench.metrics import protocols

# Small tensors gain nothing from threads, and the workers of a parallel test run, or what they start, would fight over
# the cores, spinning.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine is no reason for a property to fail: no deadline anywhere. CI draws the same examples each time, so
# that what fails there fails here; everybody else draws others every time. HYPOTHESIS_PROFILE or --hypothesis-profile
# choose another.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

PROJECT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Profile ``thorough`` also holds where a test sets its own number of examples, which is meant for every day."""
    if settings.get_current_profile_name() != "thorough":
        return
    for test in {getattr(item.obj, "__func__", item.obj) for item in items if isinstance(item, pytest.Function)}:
        own = getattr(test, "_hypothesis_internal_use_settings", None)  # hypothesis has no public way to ask for it
        if own is not None:
            test._hypothesis_internal_use_settings = settings(own, max_examples=20 * own.max_examples)


@pytest.fixture(scope="session")
def project() -> Path:
    """The repository's root."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference material that is not part of the project: official weights, golden values, real images."""
    folder = Path(os.environ.get("DERAINBENCH_SHARED", PROJECT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference material at {folder} (set DERAINBENCH_SHARED to its folder)")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _obeyed_signals() -> None:
    """Tests started in the background, or by nohup, inherit signals that are ignored; what they start would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _quiet_machine() -> Iterator[None]:
    """What a command says of other programs on the machine would be another output each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test makes lands in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DERAINBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _own_protocols_are_forgotten() -> Iterator[None]:
    """What one test calls its own way of measuring may be called so by the next."""
    before = set(protocols.PROTOCOLS)
    yield
    for name in set(protocols.PROTOCOLS) - before:
        del protocols._KNOWN[name]


@pytest.fixture(scope="session")
def refused() -> Callable[..., AbstractContextManager[None]]:
    """``with refused("word", ...)``: the block raises a :class:`UserError` of one line that holds every word."""

    @contextlib.contextmanager
    def expect(*words: str) -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        assert [word for word in words if word not in message] == [], message

    return expect


@pytest.fixture(scope="session")
def save_image() -> Callable[[Path, np.ndarray], Path]:
    """``save_image(path, array)`` writes an image file, and its folders; returns the path."""

    def save(path: Path, image: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        return path

    return save


TINY_CARD = """
name = "tiny"
title = "Tiny"
rain_model = "streak"
kind = "synthetic"
root = "data"
counts = { train = 6, test = 2 }
[[layouts]]
name = "folders"
train = { rainy = "train/rainy/{scene}-{rain:d}.png", clean = "train/clean/{scene}.png" }
test = { rainy = "test/rainy/{scene}.png", clean = "test/clean/{scene}.png" }
"""


@dataclass(frozen=True)
class TinyDataset:
    """A dataset's card file and the folder of its images."""

    card: Path
    root: Path

    def open(self) -> Dataset:
        """The dataset as it lies on the disk now."""
        dataset = locate(read_card(self.card), None)
        assert dataset is not None
        return dataset


@pytest.fixture
def tiny_dataset(tmp_path: Path, save_image: Callable[[Path, np.ndarray], Path]) -> TinyDataset:
    """Three training scenes under two rains each and two test scenes, 12x16 pixels, with a card beside the folder."""
    random = np.random.default_rng(0)
    root = tmp_path / "data"
    for split, scenes, rains in (("train", "abc", ("-1", "-2")), ("test", "xy", ("",))):
        for scene in scenes:
            clean = random.integers(0, 200, (12, 16, 3), dtype=np.uint8)
            save_image(root / split / "clean" / f"{scene}.png", clean)
            for rain in rains:
                rainy = clean + random.integers(0, 55, (12, 16, 1), dtype=np.uint8)
                save_image(root / split / "rainy" / f"{scene}{rain}.png", rainy)
    card = tmp_path / "tiny.toml"
    card.write_text(TINY_CARD)
    return TinyDataset(card, root)
