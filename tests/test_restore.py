"""A network on images of any size: padding, cropping, clamping, tiles."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from derainbench import restore as module
from derainbench.engine import choose_engine
from derainbench.method import Derainer
from derainbench.restore import TILE_OVERLAP, prepare, restore, restore_tiled


class Recorder(nn.Module):
    """Returns its input, and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, rainy: Tensor) -> Tensor:
        self.seen.append(rainy)
        return rainy


def convolutions(layers: int = 3) -> nn.Module:
    """A small network that sees ``layers`` pixels to each side."""
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(layers))).eval()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 33), st.integers(1, 2))
def test_an_identity_returns_its_input_in_its_size(height: int, width: int, multiple: int, batch: int) -> None:
    rainy = torch.rand(batch, 3, height, width)
    network = Recorder()
    assert torch.equal(restore(network, rainy, multiple), rainy)
    (seen,) = network.seen
    assert [length % multiple for length in seen.shape[-2:]] == [0, 0]
    assert [length - multiple < whole for length, whole in zip(seen.shape[-2:], (height, width), strict=True)] == [
        True
    ] * 2


def test_padding_mirrors_the_lower_and_right_border() -> None:
    rainy, network = torch.arange(3 * 5 * 6).reshape(1, 3, 5, 6) / 100, Recorder()
    restore(network, rainy, 4)
    assert torch.equal(network.seen[0][..., 5:, :6], rainy[..., [3, 2, 1], :])
    assert torch.equal(network.seen[0][..., :5, 6:], rainy[..., :, [4, 3]])


@pytest.mark.parametrize("value", [float("inf"), 3.0, 1.0, 0.25, 0.0, -3.0])
def test_the_result_is_clamped(value: float) -> None:
    restored = restore(nn.Identity(), torch.full((1, 3, 2, 2), value))
    assert torch.equal(restored, torch.full((1, 3, 2, 2), min(1.0, max(0.0, value))))


def test_the_result_is_float32_and_needs_no_gradient() -> None:
    network = convolutions().to(torch.bfloat16)
    restored = restore(network, torch.rand(1, 3, 8, 8, dtype=torch.bfloat16))
    assert restored.dtype == torch.float32
    assert not restored.requires_grad


@settings(max_examples=25)
@example(height=1, width=148, tile=16, multiple=7)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(16, 80), st.integers(1, 8))
def test_tiles_of_an_identity_are_the_whole(height: int, width: int, tile: int, multiple: int) -> None:
    rainy = torch.rand(1, 3, height, width)
    network = Recorder()
    assert torch.equal(restore_tiled(network, rainy, tile, multiple), rainy)
    largest = max(length for seen in network.seen for length in seen.shape[-2:])
    side, margin = (length + -length % multiple for length in (tile, TILE_OVERLAP))
    assert largest <= side + 2 * margin, "no tile is larger than promised, each rounded up to the size multiple"


@pytest.mark.parametrize(("height", "width", "tile"), [(97, 130, 32), (200, 30, 64), (150, 150, 149)])
def test_tiles_equal_the_whole_where_the_margin_covers_what_the_network_sees(
    height: int, width: int, tile: int
) -> None:
    network, rainy = convolutions(), torch.rand(1, 3, height, width)
    torch.testing.assert_close(restore_tiled(network, rainy, tile), restore(network, rainy), atol=1e-6, rtol=0)


def test_without_the_margin_tiles_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rainy = convolutions(), torch.rand(1, 3, 64, 64)
    monkeypatch.setattr(module, "TILE_OVERLAP", 0)
    difference = (restore_tiled(network, rainy, 32) - restore(network, rainy)).abs().amax(dim=(0, 1))
    assert float(difference[28:36].max()) > 1e-3
    assert float(difference[8:24, 8:24].max()) < 1e-6


def test_a_small_image_is_one_tile() -> None:
    network = Recorder()
    restore_tiled(network, torch.rand(1, 3, 20, 30), 30)
    assert [tuple(seen.shape) for seen in network.seen] == [(1, 3, 20, 30)]


def test_preparing_puts_a_network_in_evaluation_mode() -> None:
    class Halves(Derainer):
        def forward(self, rainy: Tensor) -> Tensor:
            return rainy if self.training else rainy / 2

    fabric = choose_engine("cpu", "fp32").fabric
    rainy = torch.rand(1, 3, 4, 4)
    assert torch.equal(restore(prepare(fabric, Halves()), rainy), rainy / 2)


def test_tiles_of_a_strided_network_equal_the_whole() -> None:
    """A network that halves its input samples the same places in a tile as in the whole image."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=6, padding=1), nn.ConvTranspose2d(4, 3, 6, stride=6), nn.Sigmoid()
    )
    rainy = torch.rand(1, 3, 150, 222)
    torch.testing.assert_close(restore_tiled(network, rainy, 50, 6), restore(network, rainy, 6))
