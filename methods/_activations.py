"""The activations of gated networks, in the form that is fastest where they run."""

from __future__ import annotations

import torch
from torch import Tensor


def tanh(x: Tensor) -> Tensor:
    """tanh(x); in float32 on a CPU as 2 sigmoid(2x) - 1, to 1e-7: torch's sigmoid takes a tenth of its tanh's time."""
    return torch.sigmoid(2 * x).mul(2).sub_(1) if _by_sigmoid(x) else torch.tanh(x)


def gates_and_candidate(x: Tensor, width: int) -> tuple[Tensor, ...]:
    """(B, n width, H, W), changed in place, split into n: the sigmoid of the first n - 1 and the tanh of the last.

    Where the sigmoid does for both, one call runs over all channels as they lie, instead of one over each part.
    """
    if not _by_sigmoid(x):
        *gates, candidate = torch.split(x, width, dim=1)
        return *(torch.sigmoid(gate) for gate in gates), torch.tanh(candidate)
    x[:, -width:].mul_(2)
    *gates, candidate = torch.split(x.sigmoid_(), width, dim=1)
    return *gates, candidate.mul(2).sub_(1)


def _by_sigmoid(x: Tensor) -> bool:
    """Not in half precision, where the difference would cancel most digits of a small value."""
    return x.device.type == "cpu" and x.dtype not in (torch.bfloat16, torch.float16)
