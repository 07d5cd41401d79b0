"""The smallest method that can be trained, for tests of what the harness does with one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from derainbench.catalogue.locate import Dataset
from derainbench.plugins.method import Derainer, Method, Weights
from derainbench.plugins.recipe import Recipe


class TinyDataset(Protocol):
    """What the fixture ``tiny_dataset`` gives."""

    root: Path

    def open(self) -> Dataset: ...


class Net(Derainer):
    """One convolution."""

    def __init__(self, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, kernel, padding="same")

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.conv(rainy)
        return restored


RECIPE = Recipe(lr=1e-3, steps=5, batch=1, patch=8, loss="l1")
NET = Method(
    name="net",
    title="Net",
    network=Net,
    recipe=RECIPE,
    weights=(Weights("t", "rain100l", "nowhere", "ab" * 32, "none"),),
)
