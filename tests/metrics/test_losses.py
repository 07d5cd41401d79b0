"""Training losses: PReNet's own values and gradients, precision, patches of any size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from derainbench.errors import UserError
from derainbench.metrics.loss_sum import read_sum, spell_sum
from derainbench.metrics.losses import LOSSES, check_own_losses, get_loss
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
    least = {"-ssim": -1, "charbonnier": 1e-3, "edge": 1e-3, "psnr": -80, "psnr-y": -80}
    assert lowest == pytest.approx(least.get(name, 0), abs=1e-5)
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


#: What losses are called in the golden file, made by their authors' code, and here.
GOLDEN = {
    "charbonnier": "charbonnier",
    "edge": "edge",
    "charbonnier_plus_0.05_edge": "charbonnier + 0.05*edge",
    "psnr": "psnr",
    "psnr_weight_0.5": "0.5*psnr",
    "psnr_toY": "psnr-y",
    "fft_abs": "fft",
    "fft_l1_realimag": "fft-l1",
    "l1": "l1",
    "l1_plus_0.1_fft": "l1 + 0.1*fft-l1",
    "negative_ssim_zeropad": "-ssim",
}


@pytest.mark.parametrize(("theirs", "ours"), GOLDEN.items())
def test_values_and_gradients_are_those_of_the_authors_code(shared: Path, theirs: str, ours: str) -> None:
    golden = np.load(shared / "golden/losses.npz")
    for case in ("even", "odd"):
        restored = torch.from_numpy(golden[f"{case}/pred"]).requires_grad_()
        loss = get_loss(ours)(restored, torch.from_numpy(golden[f"{case}/target"]))
        (gradient,) = torch.autograd.grad(loss, restored)
        expected = golden[f"{case}/{theirs}/grad"]
        assert loss.item() == pytest.approx(golden[f"{case}/{theirs}/value"].item(), rel=1e-5)
        # Against the largest gradient: 1e-4 where a difference of two filtered images is little more than the 1e-3
        # under Charbonnier's root, so that their rounding in float32 tells.
        most = 1e-4 if "edge" in ours or "ssim" in ours else 3e-6
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=0, atol=most * np.abs(expected).max())


@pytest.mark.parametrize(("theirs", "ours"), GOLDEN.items())
def test_two_equal_images_have_the_value_of_the_authors_code_and_a_gradient(
    shared: Path, theirs: str, ours: str
) -> None:
    golden = np.load(shared / "golden/losses.npz")
    clean = torch.from_numpy(golden["even/target"])
    restored = clean.clone().requires_grad_()
    loss = get_loss(ours)(restored, clean)
    (gradient,) = torch.autograd.grad(loss, restored)
    assert loss.item() == pytest.approx(golden[f"identical/{theirs}/value"].item(), rel=1e-5)
    assert gradient.abs().max().item() == pytest.approx(golden[f"identical/{theirs}/grad_absmax"].item(), abs=1e-6)


def test_sfnets_loss_of_three_scales_is_one_sum_at_each(shared: Path) -> None:
    golden = np.load(shared / "golden/losses.npz")
    loss, total = get_loss("l1 + 0.1*fft-l1"), torch.zeros(())
    outputs = [torch.from_numpy(golden[f"sfnet/pred_{scale}"]).requires_grad_() for scale in range(3)]
    for output, target in zip(outputs, ("target_quarter", "target_half", "target"), strict=True):
        total = total + loss(output, torch.from_numpy(golden[f"sfnet/{target}"]))
    assert total.item() == pytest.approx(golden["sfnet/total"].item(), rel=1e-5)
    for scale, gradient in enumerate(torch.autograd.grad(total, outputs)):
        np.testing.assert_allclose(gradient.numpy(), golden[f"sfnet/grad_{scale}"], rtol=0, atol=1e-6)


def test_an_edge_is_wherever_an_image_is_not_smooth() -> None:
    """A brightness that all pixels share is no error of edges but one of ``charbonnier``: the kernel sums to 1, and
    one pixel of four is multiplied by 4, so that it vanishes away from the border."""
    restored, clean = batches(41, 40)
    even = get_loss("edge")(clean[..., 4:-4, 4:-4] + 0.2, clean[..., 4:-4, 4:-4]).item()
    assert even < 0.1 < get_loss("charbonnier")(clean + 0.2, clean).item()
    assert get_loss("edge")(restored, clean).item() > 0.05


def test_a_sum_is_its_weighted_parts() -> None:
    restored, clean = batches()
    parts = 2 * get_loss("l1")(restored, clean) + 0.5 * get_loss("ssim")(restored, clean)
    assert get_loss("2*l1+ 0.5 * ssim")(restored, clean).item() == pytest.approx(parts.item(), rel=1e-6)
    assert get_loss("l1 + ssim")(restored, clean).item() == pytest.approx(get_loss("l1+ssim")(restored, clean).item())
    doubled = get_loss("2*-ssim")(restored, clean).item()
    assert doubled == pytest.approx(2 * get_loss("-ssim")(restored, clean).item())


NAMES = st.lists(st.sampled_from(sorted(LOSSES.keys() - {"l1+ssim"})), min_size=1, max_size=5, unique=True)
WEIGHTS = st.floats(min_value=1e-30, max_value=1e30)


@given(st.data(), NAMES)
def test_a_sum_is_read_as_it_is_spelled(data: st.DataObject, names: list[str]) -> None:
    weights = [data.draw(WEIGHTS) for _ in names]
    blank = data.draw(st.sampled_from(["", " ", "  "]))
    text = f"{blank}+{blank}".join(
        f"{weight!r}{blank}*{blank}{name}" for weight, name in zip(weights, names, strict=True)
    )
    terms = read_sum(text)
    assert [(term.weight, term.name) for term in terms] == list(zip(weights, names, strict=True))
    assert read_sum(spell_sum(terms)) == terms


@given(st.text(alphabet="l1+*-. 05emsx", max_size=12))
def test_any_text_is_a_sum_or_refused_in_a_line(text: str) -> None:
    refused = ""
    try:
        terms = read_sum(text)
    except ValueError as error:
        refused = str(error)
    assert refused.startswith(f"loss {text!r}") if refused else read_sum(spell_sum(terms)) == terms
    assert "\n" not in refused


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no sum of losses \\(at its end\\)"),
        ("charbonnier +", "at its end"),
        ("0.05 edge", "at '0.05 edge'"),
        ("l1 - edge", "at '- edge'"),
        ("l1 + 0*edge", "weight of edge is 0; give one above 0"),
        ("l1 + 1e999*edge", "weight of edge"),
        ("l1 + l1", "names l1 twice"),
        ("l1 + 0.1*egde", "unknown loss 'egde'.*did you mean 'edge'"),
        ("charbonier", "did you mean 'charbonnier'"),
    ],
)
def test_what_is_no_sum_is_told_in_a_line(text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        get_loss(text)


def doubled_error(restored: Tensor, clean: Tensor) -> Tensor:
    return 2 * (restored - clean).abs().mean()


def test_a_loss_of_a_methods_own() -> None:
    restored, clean = batches()
    loss = get_loss("mine + 0.5*l1", {"mine": doubled_error})(restored, clean)
    assert loss.item() == pytest.approx(2.5 * get_loss("l1")(restored, clean).item())
    with pytest.raises(UserError, match="of one shape"):
        get_loss("mine", {"mine": doubled_error})(restored, clean[:1])
    with pytest.raises(UserError, match="did you mean 'mine'"):
        get_loss("mime", {"mine": doubled_error})


@pytest.mark.parametrize(
    ("name", "loss", "why"),
    [
        ("l1", doubled_error, "one of derainbench's; give it another name"),
        ("two words", doubled_error, "use letters, digits"),
        ("mine", 3, "no function of \\(restored, clean\\) but int"),
    ],
)
def test_own_losses_that_no_recipe_could_name(name: str, loss: Any, why: str) -> None:
    with pytest.raises(UserError, match=why):
        check_own_losses({name: loss})
