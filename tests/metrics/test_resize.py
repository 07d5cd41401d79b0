"""Resizing against Pillow itself, to the last level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from derainbench.metrics.protocol import Resize
from derainbench.metrics.resize import lanczos

sides = st.integers(1, 70)


@settings(max_examples=60)
@given(sides, sides, st.integers(0, 40), st.integers(0, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_as_pillow_does(height: int, width: int, more: int, wider: int, shrinks: bool, seed: int) -> None:
    """Both sides grow, or both shrink by one factor, as a protocol does, and the image is no taller than wide: with
    others, Pillow's versions disagree which direction comes first."""
    if shrinks:
        height, width = sorted((height, width))
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    size = (max(1, height - more), max(1, width - wider)) if shrinks else (height + more, width + wider)
    if shrinks:
        size = (max(1, height // 2), max(1, width // 2)) if height % 2 == width % 2 == 0 else (height, width)
    expected = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS))
    found = lanczos(torch.from_numpy(image).permute(2, 0, 1)[None].double(), *size)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("before", "after"),
    [((321, 481), (336, 496)), ((480, 320), (480, 320)), ((1200, 1600), (768, 1024)), ((1025, 300), (1024, 304))],
)
def test_sizes(before: tuple[int, int], after: tuple[int, int]) -> None:
    assert Resize(multiple=16, longest=1024).size(*before) == after
