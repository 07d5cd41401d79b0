"""Counts of multiply-accumulates against numbers worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from derainbench.efficiency.macs import TOOL, NotCountedError, count_macs, described
from derainbench.plugins.method import Derainer, Method
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant, choose

REGISTRY = discover()
VARIANTS = [
    choose(REGISTRY.get(name), options)
    for name in REGISTRY.working()
    for options in ({}, *REGISTRY.get(name).variants.values())
]


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.integers(1, 5),
    size=st.sampled_from([1, 3, 5]),
    groups=st.sampled_from([1, 3]),
)
@settings(max_examples=30)
def test_a_convolution(height: int, width: int, channels: int, size: int, groups: int) -> None:
    layer = nn.Conv2d(3, 3 * channels, size, padding=size // 2, groups=groups)
    assert count_macs(layer, height, width) == height * width * size * size * (3 // groups) * 3 * channels


class Applies(nn.Module):
    """Does one thing to an image; the function gets the pixels, (B, H W, 3), as well."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, x.flatten(2).mT)


@pytest.mark.parametrize(
    ("macs", "function"),
    [
        (8 * 6 * 16 * 3 * 2, lambda x, _: F.conv_transpose2d(x, x.new_ones(3, 2, 4, 4), stride=2, groups=3, padding=1)),
        (4 * 3 * 9 * 3 * 2, lambda x, _: F.conv2d(x, x.new_ones(2, 3, 3, 3), stride=2, padding=1)),
        (8 * 6 * 9 * 3, lambda x, _: F.conv2d(x, x.new_ones(3, 1, 3, 3), padding=2, dilation=2, groups=3)),
        (48 * 3 * 5, lambda x, pixels: F.linear(pixels, x.new_ones(5, 3), x.new_ones(5))),
        (48 * 3, lambda x, pixels: pixels @ x.new_ones(3)),
        (48 * 3, lambda x, pixels: torch.addmv(x.new_ones(48), pixels[0], x.new_ones(3))),
        (48 * 3 * 5, lambda x, _: torch.einsum("bchw,dc->bdhw", x, x.new_ones(5, 3))),
        (2 * 48 * 48 * 3, lambda _, pixels: F.scaled_dot_product_attention(pixels, pixels, pixels)),
        (0, lambda x, _: (x * x).sigmoid() + F.avg_pool2d(x, 3, 1, 1)),
    ],
    ids=["transposed", "strided", "depthwise", "linear", "vector", "addmv", "einsum", "attention", "elementwise"],
)
def test_kinds_of_layers(macs: int, function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """On 8 x 6 pixels of 3 channels."""
    assert count_macs(Applies(function), 8, 6) == macs


def test_nasnet_is_the_sum_of_its_convolutions() -> None:
    """Each runs once, at the image's size."""
    network = REGISTRY.variant("nasnet").skeleton()
    weights = sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert weights == 6_494_528
    assert count_macs(network, 31, 17) == 31 * 17 * weights


#: Of each pixel: PReNet convolves the rainy image once, and leaves out of the first stage what acts on zeros.
A_PIXEL = {
    "identity": 0,
    "prenet": 864 + 6 * (864 + 10 * 9_216 + 864) + 27_648 + 5 * 73_728,
    "spanet": 864 + 17 * 11_264 + 4 * (9_216 + 2 * 36_864 + 32) + 864,
}


@pytest.mark.parametrize("name", A_PIXEL)
def test_by_hand(name: str) -> None:
    assert count_macs(REGISTRY.variant(name).skeleton(), 12, 20) == 12 * 20 * A_PIXEL[name]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_method_is_counted(variant: Variant) -> None:
    found = described(variant, 24, 16)
    assert found is not None
    assert (found["height"], found["width"], found["tool"]) == (24, 16, TOOL)
    assert (found["macs"] > 0) == (variant.method.recipe is not None)


class Strided(Derainer):
    """Takes multiples of 8 only."""

    size_multiple = 8

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 8, stride=8)

    def forward(self, rainy: Tensor) -> Tensor:
        return F.interpolate(self.layer(rainy), scale_factor=8)


def test_images_are_padded_as_they_would_be() -> None:
    assert count_macs(Strided(), 9, 17) == 2 * 3 * 8 * 8 * 9


def test_a_network_on_a_device_stays_there() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_macs(network, 4, 4)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name])


class Looks(Derainer):
    """Reads a value: there is none on the meta device."""

    def forward(self, rainy: Tensor) -> Tensor:
        return rainy * float(rainy.max())


LOOKS = Variant(Method("looks", "Looks", Looks))


def test_what_cannot_be_counted_is_no_failure() -> None:
    assert described(LOOKS) is None
    with pytest.raises(NotCountedError, match="meta device"):
        count_macs(Looks(), 4, 4)


def test_counts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the cache, by options and size; a damaged file is counted anew."""
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path))
    small, smaller = (REGISTRY.variant(f"nasnet[blocks=1,stages=1,width={width}]") for width in (4, 2))
    counted = described(small, 8, 8)
    assert counted is not None
    (kept,) = (tmp_path / "macs").iterdir()
    kept.write_text(json.dumps({**counted, "macs": 7}))
    assert described(small, 8, 8) == {**counted, "macs": 7}
    assert described(smaller, 8, 8) != described(small, 8, 8) != described(small, 8, 9)
    kept.write_text("{")
    assert described(small, 8, 8) == counted


def test_an_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "file"))
    found = described(REGISTRY.variant("prenet"), 8, 8)
    assert found is not None
    assert found["macs"] == 64 * A_PIXEL["prenet"]
