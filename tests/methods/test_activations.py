"""The fast forms of activations are the activations, in float32 and in half precision."""

from __future__ import annotations

import pytest
import torch

from derainbench.methods._activations import gates_and_candidate, tanh


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float64, 1e-9), (torch.float32, 1e-4), (torch.bfloat16, 1e-2)])
def test_small_values_keep_their_digits(dtype: torch.dtype, relative: float) -> None:
    """Near 0, where 2 sigmoid(2x) - 1 cancels: to 1e-2 of the value in bf16, whose own precision is 4e-3."""
    x = (torch.randn(1000, dtype=torch.float64) * 0.02).to(dtype)
    exact = torch.tanh(x.double())
    error = (tanh(x).double() - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert float(error) < relative
    *_, candidate = gates_and_candidate(x.view(1, -1, 1, 1).clone(), 250)
    expected = exact.view(1, -1, 1, 1)[:, -250:]
    error = (candidate.double() - expected).square().mean().sqrt() / expected.square().mean().sqrt()
    assert float(error) < relative


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gates_are_sigmoids_and_the_last_a_tanh_with_their_gradients(dtype: torch.dtype) -> None:
    x = torch.randn(2, 12, 3, 5).to(dtype)
    ours, plain = x.clone().requires_grad_(), x.clone().requires_grad_()
    found = torch.cat(gates_and_candidate(ours * 1, 4), dim=1)
    expected = torch.cat([torch.sigmoid(plain[:, :8]), torch.tanh(plain[:, 8:])], dim=1)
    torch.testing.assert_close(found, expected, atol=1e-6 if dtype == torch.float32 else 1e-2, rtol=0)
    torch.autograd.backward(found.sum())
    torch.autograd.backward(expected.sum())
    torch.testing.assert_close(ours.grad, plain.grad, atol=1e-6 if dtype == torch.float32 else 1e-2, rtol=0)
