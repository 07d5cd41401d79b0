"""A few tiny photographs, and what was made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path, save_image: Callable[[Path, np.ndarray], Path]) -> Path:
    """Five smooth images of 24x32 pixels in a folder, two of them in a folder below."""
    random = np.random.default_rng(3)
    for name in ("a", "b", "c", "more/a", "more/d"):
        corners = random.integers(20, 180, (3, 4, 3)).astype(float)
        save_image(tmp_path / "photos" / f"{name}.png", np.kron(corners, np.ones((8, 8, 1))).astype(np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """``files_of(folder)``: the content of every file that is not hidden, by path."""

    def read(folder: Path) -> dict[str, bytes]:
        paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    return read
