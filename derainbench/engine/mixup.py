"""MixUp: the images of a batch mixed with others of it, by a share that the seed and the step decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from derainbench.plugins.recipe import Recipe


class Mixing(NamedTuple):
    """With which images those of a batch are mixed, (B,) by their places in it, and their own share, a scalar.

    A batch may have further images after its own: those that only the others are mixed with.
    """

    partners: Tensor
    share: Tensor

    def mixed(self, images: Tensor) -> Tensor:
        """The batch's own images, mixed: ``share`` of each and the rest of its partner."""
        own, partners = images[: len(self.partners)], images[self.partners]
        return self.share * own + (1 - self.share) * partners


class Drawn(NamedTuple):
    """One mixing of a whole batch: the row that each is mixed with, and its own share."""

    partners: Sequence[int]
    share: float

    def of_rows(self, rows: Sequence[int]) -> tuple[list[int], Mixing]:
        """For a process that has some of the rows: the others that it needs, and how all are mixed."""
        wanted = [self.partners[row] for row in rows]
        place = {row: place for place, row in enumerate(dict.fromkeys([*rows, *wanted]))}
        mixing = Mixing(torch.tensor([place[row] for row in wanted]), torch.tensor(self.share, dtype=torch.float32))
        return list(place)[len(rows) :], mixing


def draw_mixing(recipe: Recipe, seed: int, step: int, batch: int) -> Drawn | None:
    """How a step's batch is mixed: by one share for all, from Beta(alpha, alpha). None where it is not."""
    if recipe.mixup is None:
        return None
    random = np.random.default_rng([seed, step, 3])
    if recipe.mixup_identity and random.random() < 0.5:
        return None
    share = float(random.beta(recipe.mixup, recipe.mixup))
    return Drawn(random.permutation(batch).tolist(), share)
