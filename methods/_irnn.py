"""Recurrences with ReLU across an image in four directions (IRNN; Bell et al., CVPR 2016), as SPANet uses them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Where each of the four recurrences goes, in the order of their weights and results.
DIRECTIONS = ("up", "right", "down", "left")


def irnn(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(N, C, H, W) features to four times the same shape: what has been gathered at each pixel coming from one side.

    Along a line, per channel: y[0] = ReLU(x[0]) and y[t] = ReLU(weight * y[t-1] + bias + x[t]). ``weight`` and ``bias``
    are (4, C), in the order of :data:`DIRECTIONS`, as are the results. Differentiable once.

    ``up`` and ``down`` are channels-last. ``right`` and ``left``, whose lines are the image's columns, are so when
    transposed: a convolution that transposes its kernel as well need not copy them.
    """
    rows = x.permute(0, 2, 3, 1)
    down, up = _both_ways(rows, weight, bias, 2, 0)
    right, left = _both_ways(rows.transpose(1, 2), weight, bias, 1, 3)
    return up.permute(0, 3, 1, 2), right.permute(0, 3, 2, 1), down.permute(0, 3, 1, 2), left.permute(0, 3, 2, 1)


def _both_ways(lines: Tensor, weight: Tensor, bias: Tensor, ahead: int, back: int) -> tuple[Tensor, Tensor]:
    weights, biases = (torch.stack([values[ahead], values[back]]) for values in (weight, bias))
    gathered: tuple[Tensor, Tensor] = _BothWays.apply(lines.contiguous(), weights, biases)  # type: ignore[no-untyped-call]
    return gathered


class _BothWays(torch.autograd.Function):
    """The recurrence from the first of (N, lines, pixels of a line, C) to the last, and from the last to the first."""

    @staticmethod
    def forward(ctx: Any, lines: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        if _line_by_line(lines.device):  # one after the other: what one has just written, it reads
            ahead = _inputs(lines, bias[0], first=0)
            _scan(ahead.unbind(1), weight[0])
            back = _inputs(lines, bias[1], first=-1)
            _scan(back.unbind(1)[::-1], weight[1])
        else:
            both = _stacked(_inputs(lines, bias[0], first=0), _inputs(lines, bias[1], first=-1))
            ahead, back = _unstacked(_scan_in_chunks(both, weight[:, None, None]))
        ctx.save_for_backward(ahead, back, weight)
        return ahead, back

    @staticmethod
    @once_differentiable  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
    def backward(ctx: Any, grad_ahead: Tensor, grad_back: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ahead, back, weight = ctx.saved_tensors
        passing, deltas = [], []
        for states, gradient, w in zip((ahead, back), (grad_ahead, grad_back), weight, strict=True):
            alive = (states > 0).to(states.dtype)  # the gradient of the ReLU
            deltas.append(gradient * alive)
            passing.append(alive.mul_(w))
        if _line_by_line(ahead.device):
            _scan_back(deltas[0].unbind(1)[::-1], passing[0].unbind(1)[::-1])
            _scan_back(deltas[1].unbind(1), passing[1].unbind(1))
        else:
            gathered = _scan_back_in_chunks(_stacked(*deltas).flip(0), _stacked(*passing).flip(0))
            deltas = list(_unstacked(gathered.flip(0)))
        # Each line with the one it came from.
        steps = ((deltas[0][:, 1:], ahead[:, :-1]), (deltas[1][:, :-1], back[:, 1:]))
        grad_weight = torch.stack([(delta * before).sum((0, 1, 2)) for delta, before in steps])
        grad_bias = torch.stack([delta.sum((0, 1, 2)) for delta, _ in steps])
        return deltas[0] + deltas[1], grad_weight, grad_bias


def _line_by_line(device: torch.device) -> bool:
    """Whether starting a kernel costs little, so that one line after the other, each still in the cache, is fastest.

    An exported graph would have a node for each line.
    """
    return device.type == "cpu" and not torch.compiler.is_compiling()


def _inputs(lines: Tensor, bias: Tensor, first: int) -> Tensor:
    """What each step of a recurrence adds to its state: no bias where nothing came before."""
    inputs = lines + bias
    inputs[:, first] = lines[:, first]
    return inputs


def _scan(lines: Sequence[Tensor], weight: Tensor) -> None:
    """The recurrence in place, in the order of the lines, (N, pixels, C) each."""
    weight = weight.expand(lines[0].shape[1:]).contiguous()  # repeated once, not in every step
    lines[0].relu_()
    for before, line in pairwise(lines):
        line.addcmul_(before, weight).relu_()


def _scan_back(lines: Sequence[Tensor], gates: Sequence[Tensor]) -> None:
    """line[t] += gate[t] * line[t-1] in place, in the order of the lines."""
    for (before, line), gate in zip(pairwise(lines), gates[1:], strict=True):
        line.addcmul_(before, gate)


def _scan_in_chunks(lines: Tensor, weight: Tensor) -> Tensor:
    """:func:`_scan` of (L, ...) in about 2 sqrt(L) steps instead of L, where starting each step costs time.

    A step is y -> ReLU(w y + x). Any number of steps together are y -> clamp(a y + b, low, high), where a is a power of
    w, b what the steps give without their ReLUs, and the bounds what they give from y = 0 and from y = infinity. So all
    chunks are scanned at once from these three beginnings, and the states at their borders follow one from the other.
    It takes the memory of about ten times the lines.
    """
    chunks = _in_chunks(lines)
    size, first = chunks.shape[1], chunks[:, 0]
    from_infinity = torch.where(weight > 0, math.inf, torch.where(weight < 0, 0, first.relu()))
    step = torch.stack([first, first.relu(), from_infinity])  # without ReLU, from 0, from infinity
    steps = [step]
    for t in range(1, size):
        step = torch.addcmul(chunks[:, t], steps[-1], weight)
        step[1:].relu_()
        steps.append(step)
    scans = torch.stack(steps, dim=1)
    del steps, step  # as large again, and no longer needed
    shift, from_zero, from_infinity = scans.unbind()
    low, high = torch.minimum(from_zero, from_infinity), torch.maximum(from_zero, from_infinity)
    scale = weight ** torch.arange(1, size + 1, device=lines.device).view(-1, *[1] * first.ndim)
    entering = [torch.zeros_like(first[0])]
    for c in range(len(first) - 1):
        entering.append(torch.addcmul(shift[-1, c], scale[-1, 0], entering[c]).clamp(low[-1, c], high[-1, c]))
    states = shift.addcmul_(scale, torch.stack(entering)).clamp_(low, high)
    return states.transpose(0, 1).flatten(0, 1)[: len(lines)]


def _scan_back_in_chunks(lines: Tensor, gates: Tensor) -> Tensor:
    """:func:`_scan_back` likewise: several steps d -> gate d + x together are d -> p d + q."""
    chunks, gates = _in_chunks(lines), _in_chunks(gates)
    step = torch.stack([chunks[:, 0], gates[:, 0]])
    steps = [step]
    for t in range(1, chunks.shape[1]):
        step = steps[-1] * gates[:, t]
        step[0].add_(chunks[:, t])
        steps.append(step)
    scans = torch.stack(steps, dim=1)
    del steps, step
    shift, scale = scans.unbind()
    entering = [torch.zeros_like(chunks[0, 0])]
    for c in range(len(chunks) - 1):
        entering.append(torch.addcmul(shift[-1, c], scale[-1, c], entering[c]))
    states = shift.addcmul_(scale, torch.stack(entering))
    return states.transpose(0, 1).flatten(0, 1)[: len(lines)]


def _in_chunks(lines: Tensor) -> Tensor:
    """(L, ...) to (chunks, lines of a chunk, ...), both about sqrt(L); the last chunk is filled up with zeros."""
    size = math.isqrt(len(lines) - 1) + 1
    missing = -len(lines) % size
    return torch.cat([lines, lines.new_zeros(missing, *lines.shape[1:])]).view(-1, size, *lines.shape[1:])


def _stacked(ahead: Tensor, back: Tensor) -> Tensor:
    """Both ways in the order in which they go: (lines, 2, N, pixels, C)."""
    return torch.stack([ahead.transpose(0, 1), back.transpose(0, 1).flip(0)], dim=1)


def _unstacked(both: Tensor) -> tuple[Tensor, Tensor]:
    return both[:, 0].transpose(0, 1).contiguous(), both[:, 1].flip(0).transpose(0, 1).contiguous()
