"""A support vector regression with a radial kernel, as BRISQUE's models are: features to a score."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from derainbench.metrics.natural_scenes import Floats


class Regression(NamedTuple):
    """Of features that lay in ``ranges``, (n, 2), in training, by support ``vectors``, (m, n), of ``weights``, (m,)."""

    ranges: Floats
    vectors: Floats
    weights: Floats
    gamma: float
    offset: float

    def scaled(self, features: Floats) -> Floats:
        """``features``, (n,), with each one's range from -1 to 1."""
        low, high = self.ranges.T
        scaled: Floats = 2 * (features - low) / (high - low) - 1
        return scaled

    def predict(self, scaled: Floats) -> float:
        """The score of features that were :meth:`scaled`."""
        kernel = np.exp(-self.gamma * np.sum((self.vectors - scaled) ** 2, axis=1))
        return float(self.weights @ kernel - self.offset)


@lru_cache(maxsize=2)
def read_regression(name: str) -> Regression:
    """One of those that come along, in ``data/NAME.npz``."""
    with files("derainbench.metrics").joinpath(f"data/{name}.npz").open("rb") as file, np.load(file) as data:
        gamma, offset = data["gamma_and_offset"].tolist()
        return Regression(data["ranges"], data["vectors"], data["weights"], gamma, offset)
