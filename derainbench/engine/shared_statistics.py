"""Batch normalisation by the statistics of the whole batch, of which each of several processes has some rows.

torch's own computes on GPUs only, and in place of a method's class, whose evaluation then is another. Here a layer
keeps its class and its state; only its training differs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm


class _MeanOfAll(torch.autograd.Function):
    """The mean over all processes, for which each has a tensor of the same shape."""

    @staticmethod
    def forward(ctx: FunctionCtx, mine: Tensor) -> Tensor:
        return _mean_of_all(mine)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return _mean_of_all(gradients[0])  # the loss is the mean of all processes' losses, too


def _mean_of_all(mine: Tensor) -> Tensor:
    shared = mine.contiguous().clone()
    dist.all_reduce(shared)
    return shared / dist.get_world_size()


class _SharedStatistics(_BatchNorm):
    """Goes before the class of a layer, and takes its place in training."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...), the rows of this process, normalised by the mean and the variance of all processes' rows."""
        if not self.training:
            normalised: Tensor = super().forward(x)
            return normalised
        over, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
        values = x.float()
        mean: Tensor = _MeanOfAll.apply(values.mean(over))  # type: ignore[no-untyped-call]
        centred = values - mean.view(shape)
        variance: Tensor = _MeanOfAll.apply(centred.square().mean(over))  # type: ignore[no-untyped-call]
        self._remember(mean.detach(), variance.detach(), dist.get_world_size() * x.numel() // x.shape[1])
        scale = torch.rsqrt(variance + self.eps)
        scale = scale if self.weight is None else scale * self.weight
        result = centred * scale.view(shape)
        return (result if self.bias is None else result + self.bias.view(shape)).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the running averages as torch does: the variance there is that of a sample."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        moved: Any = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.float()
        self.running_mean.lerp_(mean, moved)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), moved)


def share_statistics(network: nn.Module) -> None:
    """Have the network's batch normalisation see the whole batch in training, in place."""
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, _SharedStatistics):
            layer = type(module)
            module.__class__ = type(f"Shared{layer.__name__}", (_SharedStatistics, layer), {})
