"""The rainy input itself: the baseline that every table needs, to show what a method gains over doing nothing."""

from __future__ import annotations

from torch import Tensor

from derainbench import Derainer, Method


class Identity(Derainer):
    """Returns its input."""

    reach = 0

    def forward(self, rainy: Tensor) -> Tensor:
        """(B, 3, H, W) to the same."""
        return rainy


IDENTITY = Method(name="identity", title="Rainy input", network=Identity)
