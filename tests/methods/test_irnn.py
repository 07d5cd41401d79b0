"""The four-directional recurrence: against the original kernel's values and gradients, line by line and in chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from derainbench.methods import _irnn as module
from derainbench.methods._irnn import DIRECTIONS, irnn


@pytest.fixture(params=["line by line", "in chunks"])
def algorithm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of computing it on this device, of which a device normally uses one."""
    monkeypatch.setattr(module, "_line_by_line", lambda device: request.param == "line by line")
    return str(request.param)


#: The dimension along which each direction goes, and with which step.
WAYS = {"up": (2, -1), "right": (3, 1), "down": (2, 1), "left": (3, -1)}


def plainly(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The definition, line after line, in a form that autograd can differentiate."""
    directions = []
    for number, direction in enumerate(DIRECTIONS):
        dim, way = WAYS[direction]
        lines = list(x.unbind(dim))[::way]
        states = [lines[0].relu()]
        for line in lines[1:]:
            states.append((weight[number, :, None] * states[-1] + bias[number, :, None] + line).relu())
        directions.append(torch.stack(states[::way], dim))
    return torch.cat(directions, dim=1)


def test_values_and_gradients_of_the_original_kernel(shared: Path, algorithm: str) -> None:
    """To 1e-5 of the largest value; a third of the golden weights are negative, the largest is 0.8."""
    golden = {name: torch.tensor(value) for name, value in np.load(shared / "golden" / "irnn_kernel.npz").items()}

    def each(name: str) -> list[Tensor]:
        return [golden[f"{name}_{direction}"] for direction in DIRECTIONS]

    x = golden["x"].requires_grad_()
    weight, bias = (torch.stack(each(name)).view(4, 8).requires_grad_() for name in "wb")
    gathered = torch.cat(irnn(x, weight, bias), dim=1)
    torch.autograd.backward(gathered, torch.cat(each("gout"), dim=1))
    found = {"out": gathered, "grad_x": x.grad, "grad_w": weight.grad, "grad_b": bias.grad}
    expected = {
        "out": torch.cat(each("out"), dim=1),
        "grad_x": golden["grad_x"],
        "grad_w": torch.stack(each("grad_w")),
        "grad_b": torch.stack(each("grad_b")),
    }
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5 * float(value.abs().max()), rtol=0, msg=name)


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    scale=st.sampled_from([0.0, 0.3, 1.0, 1.5]),
    seed=st.integers(0, 2**32),
)
def test_any_size_and_weight(height: int, width: int, scale: float, seed: int) -> None:
    """In float64, weights of both signs, zero, and beyond one: the chunks' algebra holds for all of them."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, height, width, generator=random, dtype=torch.float64).requires_grad_()
    weight = (scale * torch.randn(4, 3, generator=random, dtype=torch.float64)).requires_grad_()
    bias = torch.randn(4, 3, generator=random, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(2, 12, height, width, generator=random, dtype=torch.float64)
    reference = plainly(x, weight, bias)
    gradients = torch.autograd.grad(reference, (x, weight, bias), upstream, allow_unused=True)
    for line_by_line in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_line_by_line", lambda device, chosen=line_by_line: chosen)
            gathered = torch.cat(irnn(x, weight, bias), dim=1)
            found = torch.autograd.grad(gathered, (x, weight, bias), upstream)
        for ours, theirs in zip((gathered, *found), (reference, *gradients), strict=True):
            wanted = torch.zeros_like(ours) if theirs is None else theirs.detach()
            # A recurrence that grows loses digits of what it has grown to.
            torch.testing.assert_close(ours.detach(), wanted, atol=1e-9 * (1 + float(wanted.abs().max())), rtol=0)


def test_the_layout_of_the_input_does_not_matter(algorithm: str) -> None:
    """Results are channels-last, the horizontal ones when transposed."""
    x, weight, bias = torch.randn(2, 5, 7, 6), torch.rand(4, 5), torch.rand(4, 5)
    first = irnn(x, weight, bias)
    second = irnn(x.contiguous(memory_format=torch.channels_last), weight, bias)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    up, right, down, left = first
    assert all(y.is_contiguous(memory_format=torch.channels_last) for y in (up, down, right.mT, left.mT))
