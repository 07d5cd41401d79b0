"""Batches from other processes, whatever becomes of those and of the memory they share."""

from __future__ import annotations

import errno
import gc
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from derainbench.catalogue.pairing import Pair
from derainbench.engine.device import choose_engine
from derainbench.engine.layers import FileLayer
from derainbench.engine.patches import Levels, Patches
from derainbench.engine.training_batches import deaths_of_workers_told, training_batches
from derainbench.errors import UserError
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe

RECIPE = Recipe(lr=1e-2, steps=8, batch=2, patch=8, loss="l1")


@pytest.fixture
def patches(tmp_path: Path, save_image: Callable[[Path, np.ndarray], Path]) -> Patches:
    image = np.random.default_rng(1).integers(0, 255, (12, 14, 3), dtype=np.uint8)
    rainy, depth = save_image(tmp_path / "a.png", image), save_image(tmp_path / "d.png", image[..., 0])
    return Patches(
        [Pair("a", "a", rainy, rainy, {"depth": depth})], RECIPE, seed=0, layers={"depth": FileLayer("depth")}
    )


def batches(patches: Patches, workers: int, said: list[str]) -> Iterator[Batch]:
    return training_batches(patches, 0, workers, choose_engine("cpu", "fp32").fabric, said.append)


def same(first: Iterator[Batch], second: Iterator[Batch]) -> bool:
    pairs = list(zip(first, second, strict=True))
    layers = [torch.equal(a.layers["depth"], b.layers["depth"]) for a, b in pairs]
    return len(pairs) == 8 and all(layers) and all(torch.equal(a.rainy, b.rainy) for a, b in pairs)


def test_too_little_shared_memory_costs_time_and_no_batch(patches: Patches, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch says then in a thread of the worker, where nobody hears it: the training would wait for ever."""
    said: list[str] = []

    def refuse(tensor: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)  # inherited by the workers, which are forked
    assert same(batches(patches, 2, said), batches(patches, 0, []))
    assert len(said) == 1
    assert "too little shared memory in /dev/shm" in said[0]
    assert "--workers" in said[0]


def test_enough_shared_memory_is_not_mentioned(patches: Patches) -> None:
    said: list[str] = []
    assert same(batches(patches, 2, said), batches(patches, 0, []))
    assert said == []


# Before it knows that a worker died torch opens files to see how many it may, and forgets them with the error; and its
# word of the death may fall into whatever Python is just taking away.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_worker_is_one_line(patches: Patches) -> None:
    class Killing(Patches):
        def levels(self, step: int) -> Levels:
            if step == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().levels(step)

    patches.__class__ = Killing
    told = ""
    try:
        with deaths_of_workers_told():
            list(batches(patches, 1, []))
    except UserError as error:
        told = str(error)
    gc.collect()  # here, and not in whatever test comes next
    assert re.fullmatch(r".*was killed.*--workers.*run the same command again.*", told)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), deaths_of_workers_told():
        raise RuntimeError("shapes cannot be multiplied")
    with pytest.raises(OSError, match="full"), deaths_of_workers_told():
        raise OSError(errno.ENOSPC, "full")
