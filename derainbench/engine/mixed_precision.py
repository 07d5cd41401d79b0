"""Mixed precision in which images stay float32: only the operations inside a network choose fewer bits."""

from __future__ import annotations

from typing import Any, Literal

import torch
from lightning_fabric.plugins.precision import MixedPrecision as FabricsMixedPrecision

_NAMES: dict[str, Literal["bf16-mixed", "16-mixed"]] = {"bf16": "bf16-mixed", "fp16": "16-mixed"}


class MixedPrecision(FabricsMixedPrecision):
    """Fabric's, which would also round what a network is given to 16 bits.

    A residual network adds its input to what it predicts. In bf16 the input alone, rounded, is half a grey level off,
    and the clean image of a loss as well; autocast converts what each operation wants of them, and no more.
    """

    def __init__(self, precision: str, device: str) -> None:
        super().__init__(_NAMES[precision], device)

    def convert_input(self, data: Any) -> Any:
        """As it is."""
        return data

    def begin_anew(self) -> None:
        """Forget by how much an earlier training had its loss multiplied: one that follows it is to be as if alone."""
        if self.scaler is not None:
            self.scaler = torch.amp.GradScaler(device=self.device)
