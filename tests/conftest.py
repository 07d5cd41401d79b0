"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

PROJECT = Path(__file__).resolve().parents[1]


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
def _one_thread() -> None:
    """Small tensors gain nothing from threads, and the workers of a parallel test run would fight over the cores."""
    torch.set_num_threads(1)
