"""Training losses: PReNet's own values and gradients, precision, patches of any size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.errors import UserError
from derainbench.metrics.losses import LOSSES, get_loss
from derainbench.metrics.scores import score

every_loss = pytest.mark.parametrize("name", list(LOSSES))


def batches(height: int = 20, width: int = 17, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, height, width, generator=random, dtype=torch.float64)
    restored = clean + 0.1 * torch.randn(clean.shape, generator=random, dtype=torch.float64)
    return restored.to(dtype), clean.to(dtype)


def test_golden_ssim_loss_and_gradient(shared: Path) -> None:
    """PReNet's code filters with a 2-D window in float32, which alone moves its value by 3e-6: hence 1e-5."""
    golden = np.load(shared / "golden/ssim_loss.npz")
    restored = torch.from_numpy(golden["x"]).requires_grad_()
    loss = get_loss("-ssim")(restored, torch.from_numpy(golden["y"]))
    (gradient,) = torch.autograd.grad(loss, restored)
    assert loss.item() == pytest.approx(golden["loss"].item(), abs=1e-5)
    np.testing.assert_allclose(gradient.numpy(), golden["grad"], rtol=0, atol=1e-6)  # the largest is 5e-3


def test_ssim_loss_is_the_zero_padding_protocol() -> None:
    restored, clean = batches(dtype=torch.float64)
    restored = restored.clamp(0, 1)
    expected = score(restored, clean, "rgb-zeropad").ssim.mean().item()
    assert get_loss("-ssim")(restored, clean).item() == pytest.approx(-expected, abs=1e-5)


def test_nasnet_loss_is_l1_plus_one_minus_ssim() -> None:
    restored, clean = batches()
    parts = (restored - clean).abs().mean() + 1 + get_loss("-ssim")(restored, clean)
    assert get_loss("l1+ssim")(restored, clean).item() == pytest.approx(parts.item(), abs=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("l1", 0.25), ("mse", 0.0625)])
def test_pixel_losses_of_a_constant_error(name: str, expected: float) -> None:
    clean = torch.full((1, 3, 4, 5), 0.5)
    assert get_loss(name)(clean + 0.25, clean).item() == pytest.approx(expected, abs=1e-7)


@every_loss
def test_perfect_restoration_is_the_minimum(name: str) -> None:
    restored, clean = batches()
    lowest = get_loss(name)(clean, clean).item()
    assert lowest == pytest.approx(-1 if name == "-ssim" else 0, abs=1e-5)
    assert get_loss(name)(restored, clean).item() > lowest + 1e-3


@every_loss
@pytest.mark.parametrize("size", [(1, 1), (7, 30), (10, 10), (11, 12)])
def test_gradient_is_finite_for_patches_of_any_size(name: str, size: tuple[int, int]) -> None:
    restored, clean = batches(*size)
    restored.requires_grad_()
    loss = get_loss(name)(restored, clean)
    (gradient,) = torch.autograd.grad(loss, restored)
    assert loss.shape == ()
    assert math.isfinite(loss.item())
    assert bool(gradient.isfinite().all())
    assert gradient.abs().max() > 0


@every_loss
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    restored, clean = batches(4, 5, torch.float64)
    assert torch.autograd.gradcheck(lambda image: get_loss(name)(image, clean), restored.requires_grad_())


@every_loss
def test_autocast_changes_nothing(name: str) -> None:
    restored, clean = batches()
    expected = get_loss(name)(restored, clean)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = get_loss(name)(restored, clean)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


@every_loss
def test_half_precision_is_raised_to_float32(name: str) -> None:
    restored, clean = batches()
    loss = get_loss(name)(restored.bfloat16(), clean)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, get_loss(name)(restored.bfloat16().float(), clean))


@every_loss
def test_two_shapes_are_an_error_not_a_broadcast(name: str) -> None:
    restored, clean = batches()
    with pytest.raises(UserError, match=r"\(2, 3, 20, 17\).*\(1, 3, 20, 17\)"):
        get_loss(name)(restored, clean[:1])


def test_an_unknown_loss_suggests_a_known_one() -> None:
    with pytest.raises(UserError, match="did you mean 'l1\\+ssim'"):
        get_loss("l1-ssim")
