"""A network on images of any size: padding, cropping, clamping, tiles."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from derainbench.engine.device import choose_engine
from derainbench.engine.restore import (
    MARGIN_OF_UNKNOWN_REACH,
    SEEN_AT_ONCE,
    parse_tile,
    prepare,
    restore,
    restore_tiled,
    restorer,
    tile_side,
)
from derainbench.plugins.method import Derainer


class Recorder(nn.Module):
    """Returns its input, and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, rainy: Tensor) -> Tensor:
        self.seen.append(rainy)
        return rainy


Refused = Callable[..., AbstractContextManager[None]]


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


class Sees(Derainer):
    """3x3 convolutions on an image shrunk ``multiple`` times; ``known`` is whether it says how far it sees."""

    def __init__(self, layers: int, multiple: int = 1, known: bool = True) -> None:
        super().__init__()
        self.multiple, self.layers, self.known = multiple, layers, known
        torch.manual_seed(layers)
        down, up = nn.Conv2d(3, 3, multiple, multiple), nn.ConvTranspose2d(3, 3, multiple, multiple)
        self.body = nn.Sequential(down, *(nn.Conv2d(3, 3, 3, padding=1) for _ in range(layers)), up, nn.Sigmoid())

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        return self.multiple

    @property
    def reach(self) -> int | None:
        return self.multiple * (self.layers + 1) - 1 if self.known else None

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.body(rainy)
        return restored


def in_tiles(network: Derainer, rainy: Tensor, asked: int | None) -> Tensor:
    """What ``--tile`` does with an image."""
    return restorer(choose_engine("cpu", "fp32").fabric, network, asked)(rainy)


@settings(max_examples=60)
@example(height=1, width=148, tile=16, margin=64, multiple=7)
@example(height=100, width=33, tile=1, margin=0, multiple=1)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(10, 80), st.integers(0, 70), st.integers(1, 8))
def test_tiles_of_an_identity_are_the_whole(height: int, width: int, tile: int, margin: int, multiple: int) -> None:
    rainy = torch.rand(1, 3, height, width)
    network = Recorder()
    assert torch.equal(restore_tiled(network, rainy, tile, margin, multiple), rainy)
    largest = max(length for seen in network.seen for length in seen.shape[-2:])
    side, rounded = (length + -length % multiple for length in (tile, margin))
    assert largest <= side + 2 * rounded, "no tile is larger than promised, each rounded up to the size multiple"
    assert len({seen.shape for seen in network.seen}) == 1, "memory is used again where all tiles are equal"


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 100), st.integers(0, 4), st.integers(1, 4))
def test_tiles_equal_the_whole_where_the_network_says_how_far_it_sees(
    height: int, width: int, tile: int, layers: int, multiple: int
) -> None:
    network, rainy = Sees(layers, multiple), torch.rand(1, 3, height, width)
    torch.testing.assert_close(in_tiles(network, rainy, tile), in_tiles(network, rainy, 0), atol=1e-6, rtol=0)


def test_with_too_small_a_margin_tiles_would_show() -> None:
    network, rainy = Sees(3).eval(), torch.rand(1, 3, 64, 64)
    whole = restore(network, rainy)
    assert float((restore_tiled(network, rainy, 32, reach=3) - whole).abs().max()) < 1e-6
    difference = (restore_tiled(network, rainy, 32, reach=2) - whole).abs().amax(dim=(0, 1))
    assert float(difference[30:34].max()) > 1e-5
    assert float(difference[8:24, 8:24].max()) < 1e-6


def test_a_network_of_unknown_reach_is_tiled_with_a_fixed_margin() -> None:
    network, rainy = Recorder(), torch.rand(1, 3, 8, 400)
    assert torch.equal(restore_tiled(network, rainy, 100), rainy)
    assert max(seen.shape[-1] for seen in network.seen) > 100 + MARGIN_OF_UNKNOWN_REACH
    assert len(network.seen) == 3


LARGE = SEEN_AT_ONCE + 1


@pytest.mark.parametrize(
    ("size", "network", "asked", "side"),
    [
        ((SEEN_AT_ONCE, SEEN_AT_ONCE), Sees(3), None, 0),
        ((LARGE, LARGE), Sees(3), None, SEEN_AT_ONCE - 6),
        ((LARGE, LARGE), Sees(3, known=False), None, 0),
        ((LARGE, LARGE), Sees(3), 0, 0),
        ((100, 100), Sees(3), 50, 50),
        ((100, 100), Sees(3), 94, 0),
        ((100, 100), Sees(3), 93, 93),
        ((300, 300), Sees(3, known=False), 172, 0),
        ((300, 300), Sees(3, known=False), 171, 171),
        ((100, 100), Sees(1, multiple=4), 50, 52),
        ((9000, 9000), Sees(300), None, 600),
    ],
)
def test_the_side_of_tiles(size: tuple[int, int], network: Derainer, asked: int | None, side: int) -> None:
    """Only large images where the network's reach is finite, unless asked; 0 where one tile would see the whole."""
    assert tile_side(*size, network, asked) == side


def test_large_images_are_tiled_and_nothing_changes() -> None:
    network, rainy = Sees(2), torch.rand(1, 3, SEEN_AT_ONCE + 40, SEEN_AT_ONCE - 30)
    torch.testing.assert_close(in_tiles(network, rainy, None), in_tiles(network, rainy, 0), atol=1e-6, rtol=0)


def test_what_tile_may_be(refused: Refused) -> None:
    assert [parse_tile(text) for text in ("auto", "off", "512", "1")] == [None, 0, 512, 1]
    for text in ("0", "-5", "none", "1.5", "", "9" * 40):
        with refused("--tile", repr(text), "auto, off", "--tile 512"):
            parse_tile(text)


def test_preparing_puts_a_network_in_evaluation_mode() -> None:
    class Halves(Derainer):
        def forward(self, rainy: Tensor) -> Tensor:
            return rainy if self.training else rainy / 2

    fabric = choose_engine("cpu", "fp32").fabric
    rainy = torch.rand(1, 3, 4, 4)
    assert torch.equal(restore(prepare(fabric, Halves()), rainy), rainy / 2)
