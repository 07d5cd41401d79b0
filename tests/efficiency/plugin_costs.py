"""Methods that cost little, and one that fails at one size, dies at another, and cannot be counted at a third."""

import os
import signal

from torch import Tensor, nn

from derainbench.plugins.method import Derainer, Method


class Small(Derainer):
    """One convolution."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 1))

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.layers(rainy)
        return restored


class Fragile(Small):
    """Does not like some widths."""

    def forward(self, rainy: Tensor) -> Tensor:
        width = rainy.shape[-1]
        if width == 5:
            float(rainy.max())
        if width == 6 and rainy.device.type != "meta":
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: 9 GB")
        if width == 7 and rainy.device.type != "meta":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(rainy)


class Unbuildable(Derainer):
    """Never comes to be."""

    def __init__(self) -> None:
        super().__init__()
        raise ValueError("no such luck")


SMALL = Method("small", "Small", Small)
FRAGILE = Method("fragile", "Fragile", Fragile)
UNBUILDABLE = Method("unbuildable", "Unbuildable", Unbuildable)
