"""``from derainbench import ...``: what authors of methods, scripts and notebooks get, and that nobody waits for it."""

from __future__ import annotations

import doctest
import importlib
import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

import derainbench
from derainbench import PROTOCOLS, Derainer, load_method, load_run, psnr, restore, score, ssim
from derainbench.metrics import scores
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import save_weights

Refused = Callable[..., AbstractContextManager[None]]

RANDOM = np.random.default_rng(0)
CLEAN = RANDOM.integers(0, 256, (24, 30, 3), dtype=np.uint8)
RESTORED = np.clip(CLEAN.astype(int) + RANDOM.integers(-9, 10, CLEAN.shape), 0, 255).astype(np.uint8)


def test_every_name_is_there_and_has_a_docstring() -> None:
    for name in derainbench.__all__:
        value = getattr(derainbench, name)
        assert name in {"PROTOCOLS", "Loss"} or value.__doc__
    assert set(derainbench.__all__) <= set(dir(derainbench))
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = derainbench.scores  # type: ignore[attr-defined]


def test_the_package_alone_imports_nothing_heavy() -> None:
    program = "import sys, derainbench; print(*{'torch', 'numpy', 'pandas', 'pydantic'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", ["metrics.on_arrays", "engine.on_arrays", "run.trained_weights"])
def test_examples_in_docstrings_hold(module: str) -> None:
    tried = doctest.testmod(importlib.import_module(f"derainbench.{module}"))
    assert tried.attempted > 0
    assert tried.failed == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_score_like_the_reference(protocol: str) -> None:
    """uint8, floats and tensors of one image have one score, that of the batch in float64."""
    batch = [torch.from_numpy(each / 255.0).permute(2, 0, 1).unsqueeze(0) for each in (RESTORED, CLEAN)]
    expected = scores.score(batch[0], batch[1], protocol)
    found = score(RESTORED, CLEAN, protocol)
    assert found == (float(expected.psnr), float(expected.ssim))
    assert score(RESTORED / 255.0, CLEAN / 255.0, protocol) == found
    assert score(batch[0][0], batch[1][0], protocol) == found
    assert (psnr(RESTORED, CLEAN, protocol), ssim(RESTORED, CLEAN, protocol)) == found
    together = score(torch.cat(batch), torch.cat(batch[::-1]), protocol)
    assert isinstance(together, scores.Scores)
    assert together.psnr.shape == (2,)


def test_the_protocol_is_y_unless_another_is_named() -> None:
    assert score(RESTORED, CLEAN) == score(RESTORED, CLEAN, "y") != score(RESTORED, CLEAN, "rgb")
    assert psnr(CLEAN, CLEAN) == math.inf


@pytest.mark.parametrize(
    ("restored", "words"),
    [
        (CLEAN[..., 0], ["restored", "(24, 30)", "(H, W, 3)"]),
        (CLEAN.astype(np.int64), ["restored", "int64", "uint8"]),
        (CLEAN[:12], ["(1, 3, 12, 30)", "one size"]),
        (torch.zeros(24, 30), ["restored", "(24, 30)", "(3, H, W)"]),
        (torch.zeros(3, 24, 30, dtype=torch.uint8), ["uint8", "divide by 255"]),
    ],
    ids=["grey", "int64", "another size", "a grey tensor", "a uint8 tensor"],
)
def test_what_is_no_image_is_told(restored: NDArray[Any] | Tensor, words: list[str], refused: Refused) -> None:
    clean: Any = CLEAN if isinstance(restored, np.ndarray) else torch.zeros(3, 24, 30)
    with refused(*words):
        score(restored, clean)


class Halves(Derainer):
    """Darkens, so that what it returns is not what it was given; wants sizes that are multiples of four."""

    size_multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, rainy: Tensor) -> Tensor:
        assert rainy.shape[-1] % 4 == rainy.shape[-2] % 4 == 0
        return rainy * self.factor


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_an_image_of_any_size_comes_back_as_its_kind(height: int, width: int) -> None:
    levels = np.full((height, width, 3), 100, dtype=np.uint8)
    restored = restore(Halves(), levels)
    assert restored.dtype == np.uint8
    assert restored.shape == levels.shape
    assert (restored == 50).all()
    floats = restore(Halves(), levels / 255)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, 50 / 255, rtol=1e-6)
    tensor = torch.full((3, height, width), 0.5)
    assert restore(Halves(), tensor).shape == tensor.shape
    assert restore(Halves(), tensor.expand(2, -1, -1, -1)).shape == (2, *tensor.shape)


def test_a_method_comes_with_its_weights_and_may_restore_in_tiles(tmp_path: Path, refused: Refused) -> None:
    torch.manual_seed(0)
    name, plugin = "tinycnn", Path(__file__).with_name("plugin_method.py")
    made = discover([plugin]).variant(name).build()
    save_weights(tmp_path / "mine.safetensors", made)
    network = load_method(name, tmp_path / "mine.safetensors", plugins=[plugin])
    assert not network.training
    for theirs, ours in zip(network.parameters(), made.parameters(), strict=True):
        assert torch.equal(theirs, ours)
    rainy = RANDOM.random((40, 50, 3))
    np.testing.assert_allclose(restore(network, rainy, tile=16), restore(network, rainy, tile=0), atol=1e-6)
    with refused("tinycnn needs weights"):
        load_method(name, plugins=[plugin])
    with refused("did you mean 'nasnet'"):
        load_method("nasnett")


def test_what_is_no_image_is_not_restored(refused: Refused) -> None:
    for wrong, words in ((CLEAN[..., 0], "(H, W, 3)"), (CLEAN.astype(int), "int64"), (CLEAN[:0], "(0, 30, 3)")):
        with refused(words):
            restore(Halves(), wrong)
    with refused("torch.uint8"):
        restore(Halves(), torch.zeros(3, 4, 4, dtype=torch.uint8))


def test_a_run_is_a_table(project: Path) -> None:
    run = load_run(str(project / "tests/data/run-schema-1"))
    assert {"method", "dataset", "image", "protocol"} <= set(run.scores.columns)
