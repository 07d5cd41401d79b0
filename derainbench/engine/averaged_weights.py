"""An exponential moving average of a network's weights, which takes their place while it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Average(Protocol):
    """What a training has beside its weights."""

    def update(self) -> None:
        """Take the weights as they are now into the average."""

    def in_place(self) -> AbstractContextManager[None]:
        """In the block the network has the averaged weights; after it its own, to the bit."""

    def state_dict(self) -> dict[str, Tensor]:
        """The average, by the names of parameters."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave."""


def average_of(network: nn.Module, decay: float | None) -> Average:
    """The average of that decay; where there is none to be, the network's own weights."""
    return OwnWeights() if decay is None else AveragedWeights(network, decay)


class OwnWeights:
    """No average."""

    def update(self) -> None:
        pass

    def in_place(self) -> AbstractContextManager[None]:
        return nullcontext()

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class AveragedWeights:
    """After each step: average = decay average + (1 - decay) weights, and at first the weights themselves.

    As BasicSR's ``ema_decay`` has it. Buffers, such as the averages of batch normalisation, are the network's own.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._weights = dict(network.named_parameters())
        self._average = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._update = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Nothing is read from the device."""
        with torch.no_grad():
            self._update(list(self._average.values()), [weight.detach() for weight in self._weights.values()], 0)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self._average)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """:class:`KeyError` where it is of another network."""
        for name, average in self._average.items():
            average.copy_(state[name])

    def _exchange(self) -> None:
        with torch.no_grad():
            for name, weight in self._weights.items():
                kept = weight.clone()
                weight.copy_(self._average[name])
                self._average[name].copy_(kept)
