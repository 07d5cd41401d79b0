"""A network on an image of any size: padded to what the network accepts, tiled where needed, clamped, cropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from derainbench.engine.device import fastest_layout, laid_out, lay_out
from derainbench.errors import UserError
from derainbench.plugins.method import Derainer
from derainbench.support.words import whole_number

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Side in pixels of the largest square that a network is shown at once where it can be tiled exactly. A constant, and
#: not what memory is free, because a score must not depend on the machine; chosen for the memory of PReNet, whose
#: restoration of 4096x4096 pixels stays below 2 GiB with it.
SEEN_AT_ONCE = 640

#: The margin in pixels around the tiles of a network whose reach is the whole image, or unknown: a compromise.
MARGIN_OF_UNKNOWN_REACH = 64


def prepare(fabric: Fabric, network: Derainer) -> torch.nn.Module:
    """The network on Fabric's device and precision, ready for :func:`restore`."""
    lay_out(network, fastest_layout(fabric))
    return fabric.setup_module(network.eval())


def restorer(fabric: Fabric, network: Derainer, tile: int | None = None) -> Callable[[Tensor], Tensor]:
    """A function that restores (B, 3, H, W) RGB in [0, 1] on Fabric's device: :func:`restore`, tiled as asked.

    ``tile`` is a side in pixels, 0 for never, None to decide by :func:`tile_side`.
    """
    prepared = prepare(fabric, network)

    def restored(rainy: Tensor) -> Tensor:
        side = tile_side(rainy.shape[-2], rainy.shape[-1], network, tile)
        return restore_tiled(prepared, rainy.to(fabric.device), side, network.reach, network.size_multiple)

    return restored


@torch.inference_mode()
def restore(network: torch.nn.Module, rainy: Tensor, size_multiple: int = 1) -> Tensor:
    """(B, 3, H, W) RGB in [0, 1], any size from 1x1, to the restored image: same shape, float32, clamped to [0, 1].

    :class:`UserError` where the network returns anything else than floats in the shape that it is given.
    """
    height, width = rainy.shape[-2:]
    padded = _pad(rainy, -height % size_multiple, -width % size_multiple)
    restored: Tensor = network(laid_out(padded, network))
    _check(restored, padded)
    return restored[..., :height, :width].float().clamp(0, 1)


def parse_tile(text: str) -> int | None:
    """What ``--tile`` asks for: a side in pixels, 0 for ``off``, None for ``auto``. :class:`UserError` otherwise."""
    if text == "auto":
        return None
    if text == "off":
        return 0
    side = whole_number(text, 2**31 - 1)
    if not side:
        raise UserError(f"--tile {text!r}: give auto, off, or the side of a tile in pixels from 1, as in --tile 512")
    return side


def tile_side(height: int, width: int, network: Derainer, asked: int | None = None) -> int:
    """The side in pixels of the square tiles in which an image is restored; 0: as a whole.

    ``asked`` is a side, 0 for never, or None to decide from the image's size and the network alone: tiles where the
    image has more pixels than a square of :data:`SEEN_AT_ONCE` and the network's reach is finite, so that tiles give
    what the whole image would. A multiple of the network's ``size_multiple``.
    """
    if asked is None:
        if network.reach is None or height * width <= SEEN_AT_ONCE**2:
            return 0
        # A network that sees far would spend nearly all its time in margins if its tiles shrank any further.
        side = max(SEEN_AT_ONCE - 2 * network.reach, 2 * network.reach)
    else:
        side = asked
    side = _rounded_up(side, network.size_multiple)
    seen = side + 2 * _margin(network.reach, network.size_multiple)
    return side if max(height, width) > seen else 0


def restore_tiled(
    network: torch.nn.Module, rainy: Tensor, tile: int, reach: int | None = None, size_multiple: int = 1
) -> Tensor:
    """:func:`restore` on tiles of at most ``tile`` pixels a side, each seen with a margin that is cut away; 0: whole.

    The margin is ``reach`` (:attr:`Derainer.reach`): the result is then the whole image's, to the rounding of float32.
    Where ``reach`` is None the margin is :data:`MARGIN_OF_UNKNOWN_REACH`, and the result differs from the whole
    image's.
    """
    height, width = rainy.shape[-2:]
    if not tile:
        return restore(network, rainy, size_multiple)
    margin = _margin(reach, size_multiple)
    rows, columns = (_spans(length, tile, margin, size_multiple) for length in (height, width))
    if len(rows) == len(columns) == 1:
        return restore(network, rainy, size_multiple)
    whole = torch.empty_like(rainy, dtype=torch.float32)
    for top, bottom, first_row, end_row in rows:
        for left, right, first_column, end_column in columns:
            restored = restore(network, rainy[..., top:bottom, left:right], size_multiple)
            whole[..., first_row:end_row, first_column:end_column] = restored[
                ..., first_row - top : end_row - top, first_column - left : end_column - left
            ]
    return whole


def _check(restored: object, rainy: Tensor) -> None:
    """:class:`UserError` where a network returned something that a score would make sense of, and should not."""
    if not isinstance(restored, Tensor):
        raise UserError(f"the network returned a {type(restored).__name__}; forward must return the restored images")
    if restored.shape != rainy.shape:
        raise UserError(
            f"the network made {tuple(restored.shape)} of {tuple(rainy.shape)}; the images it returns must have the "
            "size of those it is given"
        )
    if not restored.is_floating_point():
        raise UserError(f"the network returned {restored.dtype}; the images it returns must be floats in [0, 1]")


def _spans(length: int, tile: int, margin: int, multiple: int) -> list[tuple[int, int, int, int]]:
    """How a side is covered: (first pixel seen, the one after the last, first kept, the one after) for each tile.

    All are equally long, so that memory is used again and not fragmented, and start at multiples: a strided network
    samples every tile where it would sample the whole image, and only the image's own border is ever padded.
    """
    tile = _rounded_up(tile, multiple)
    inner = max(0, length - 2 * margin)  # the first and the last tile keep one of their margins
    count = max(1, -(-inner // tile))
    seen = _rounded_up(-(-(length + 2 * margin * (count - 1)) // count), multiple)
    last = _rounded_up(length, multiple) - seen
    spans: list[tuple[int, int, int, int]] = []
    for number in range(count):
        start = min(number * (seen - 2 * margin), last)
        kept = spans[-1][3] if spans else 0
        spans.append((start, min(start + seen, length), kept, length if number == count - 1 else start + seen - margin))
    return spans


def _margin(reach: int | None, multiple: int) -> int:
    return _rounded_up(MARGIN_OF_UNKNOWN_REACH if reach is None else reach, multiple)


def _rounded_up(length: int, multiple: int) -> int:
    return length + -length % multiple


def _pad(image: Tensor, below: int, right: int) -> Tensor:
    """Mirror the lower and right border; repeat it where the image is too small to be mirrored."""
    if not below and not right:
        return image
    mirrors = below < image.shape[-2] and right < image.shape[-1]
    return F.pad(image, (0, right, 0, below), mode="reflect" if mirrors else "replicate")
