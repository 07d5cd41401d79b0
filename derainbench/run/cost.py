"""What a plan would cost: multiply-accumulates a cell, and roughly how long this device would take over them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.efficiency.macs import described
from derainbench.engine.device import Engine, fastest_layout, laid_out, lay_out
from derainbench.engine.patches import grid_places, hold_out
from derainbench.run.cells import Cell, EvalCell, ImagesCell, TrainCell

#: A training step costs the forward pass, and the backward pass twice that: gradients of features and of weights.
FORWARD_AND_BACKWARD = 3

#: How many times as long as the convolution says NASNet and PReNet took, least and most (docs/suites.md).
SEEN = (0.9, 1.4)

_WIDTH, _SIDE = 64, 64  # of the convolution that is timed: NASNet's, PReNet's and SPANet's are of this kind
_ROUND, _BUDGET = 0.05, 0.5  # seconds: of one timing, and of all
_LARGEST_BATCH = 256


def macs_of(cell: Cell) -> int | None:
    """Multiply-accumulates of a training or an evaluation, or None where data are needed to tell and are not here.

    Of the network alone: not of the loss, the optimiser, the metrics, nor of tiles' overlaps.
    """
    if isinstance(cell, ImagesCell):
        return 0
    counted = described(cell.variant)
    pixels = _training_pixels(cell) if isinstance(cell, TrainCell) else _test_pixels(cell)
    if counted is None or pixels is None:
        return None
    times = FORWARD_AND_BACKWARD if isinstance(cell, TrainCell) else 1
    per_pixel: float = counted["macs"] / (counted["height"] * counted["width"])
    return round(per_pixel * pixels * times)


def macs_a_second(engine: Engine) -> float:
    """Multiply-accumulates a second of a 3x3 convolution from 64 to 64 maps, forward and backward, on this device.

    Measured, in about a second; the best of several timings, because other programs only make it slower.
    """
    conv = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1).to(engine.device)
    lay_out(conv, fastest_layout(engine.fabric, training=True))
    batch, best = 1, 0.0
    began = time.perf_counter()
    while True:
        images = torch.zeros(batch, _WIDTH, _SIDE, _SIDE, device=engine.device)
        images = laid_out(images, conv).requires_grad_()
        _step(conv, images, engine)  # warm: the first one chooses and compiles kernels
        seconds = _timed(conv, images, engine)
        best = max(best, batch * _SIDE**2 * _WIDTH**2 * 9 * FORWARD_AND_BACKWARD / seconds)
        if time.perf_counter() - began > _BUDGET:
            return best
        if seconds < _ROUND and batch < _LARGEST_BATCH:
            batch *= 2  # too short to be more than its start


def duration(seconds: float) -> str:
    """A length of time in words, as roughly as it is known: ``3 h 20 min``, ``12 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        tens = 10 * round(minutes / 10)
        return f"{tens // 60} h {tens % 60:02} min"
    return f"{minutes / 60 / 24:.0f} days"


@dataclass(frozen=True)
class Costs:
    """What cells cost: ``words`` for each by its name, and a ``summary`` in a few lines."""

    words: Mapping[str, str]
    summary: str


def costs_of(cells: Sequence[Cell], engine: Engine) -> Costs:
    """What cells that are yet to be done would cost on a device; times it for that, if there are any."""
    macs = {cell.name: macs_of(cell) for cell in cells}
    known = [each for each in macs.values() if each is not None]
    if not known:
        return Costs(dict.fromkeys(macs, "cost unknown"), "cost unknown: no network here can be counted")
    speed, total = macs_a_second(engine), sum(known)
    words = {name: "cost unknown" if each is None else _about(each / speed) for name, each in macs.items()}
    unknown = len(macs) - len(known)
    left_out = f", without {unknown} of unknown cost" if unknown else ""
    summary = (
        f"{_about(total / speed)} on this {engine.device}{left_out}\n"
        f"  {total:.2e} multiply-accumulates at {speed:.1e} a second, as one 3x3 convolution runs here now;\n"
        f"  whole networks took {SEEN[0]} to {SEEN[1]} times as long on a CPU, small ones far longer (docs/suites.md)"
    )
    return Costs(words, summary)


def _about(seconds: float) -> str:
    return f"about {duration(seconds)}" if seconds >= 1 else "under 1 s"


def _step(conv: nn.Module, images: Tensor, engine: Engine) -> None:
    with engine.autocast():
        output: Tensor = conv(images)
    output.sum().backward()  # type: ignore[no-untyped-call]
    _synchronise(engine.device)


def _timed(conv: nn.Module, images: Tensor, engine: Engine) -> float:
    began = time.perf_counter()
    _step(conv, images, engine)
    return time.perf_counter() - began


def _synchronise(device: torch.device) -> None:
    waits: dict[str, Callable[[], None]] = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
    waits.get(device.type, lambda: None)()


def _training_pixels(cell: TrainCell) -> int | None:
    recipe = cell.recipe
    steps = recipe.steps or _steps_of_epochs(cell)
    return None if steps is None else round(steps * recipe.pixels_a_step)


def _steps_of_epochs(cell: TrainCell) -> int | None:
    recipe = cell.recipe
    if not cell.dataset.has("train") or recipe.epochs is None:
        return None
    used, _ = hold_out(cell.dataset.pairs("train"), recipe.validation)
    places = len(used) if recipe.stride is None else grid_places(_sizes(used), recipe.patch, recipe.stride)
    return math.ceil(recipe.epochs * places / recipe.batch)


def _test_pixels(cell: EvalCell) -> int | None:
    if cell.dataset.has("test"):
        return int(_sizes(cell.dataset.pairs("test")).prod(axis=1).sum())
    listed = cell.dataset.card.test_sizes
    return sum(math.prod(map(int, size.split("x"))) * images for size, images in listed.items()) or None


def _sizes(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """(N, 2): heights and widths as a manifest has them."""
    assert isinstance(pairs, Pairs)
    return pairs.sizes()
