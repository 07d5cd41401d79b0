"""A metric of one image as it is saved: the record that packages and files outside add, and what it gives.

Needs no torch.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derainbench.errors import UserError, printable
from derainbench.metrics.kinds import Metric

Levels = NDArray[np.uint8]

#: A name, as a column of tables has it; that of a bridge to a library has the library before a colon.
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*|[a-z0-9]+:[a-z0-9][a-z0-9_+-]*")
#: What score tables call other columns, or words of ``--metrics``.
_TAKEN = frozenset(
    (
        *("psnr", "ssim", "metric", "value", "method", "trained_on", "seed", "dataset", "image", "scene", "height"),
        *("width", "tile", "protocol", "verified", "all", "none"),
    )
)
_LONGEST, _LONGEST_TEXT, _MOST_DIGITS = 40, 100, 8


def may_be_called(name: str) -> bool:
    """Whether a metric beside those of protocols may have that name."""
    return _NAME.fullmatch(name) is not None and name not in _TAKEN and len(name) <= _LONGEST


@dataclass(frozen=True, kw_only=True)
class ImageMetric(Metric):
    """A metric that measures images as they are saved, in a way of its own, whatever the protocols of a run.

    ``measure(restored, clean)``, or ``measure(restored)`` where no reference is needed, takes (H, W, 3) uint8 RGB and
    gives a finite number, or NaN where it is undefined for the image, with a warning that says why. Where it is said
    to work ``on_device``, it is also given the ``device=`` of the run, a CPU or a CUDA device as torch names it.
    ``implementation`` and ``version`` say whose code measures, for implementations of one name differ; ``revision``
    goes up whenever its numbers change, so that older scores are stale. ``networks`` are those that the user adds by
    ``derainbench weights add``, ``packages`` those that the user installs; ``licence`` is that of what measures,
    ``paper`` where the metric was published. :class:`UserError` for a record that no table can show.
    """

    measure: Callable[..., float] = field(compare=False)
    implementation: str
    version: str
    licence: str
    revision: int = 1
    networks: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    paper: str = ""
    on_device: bool = False
    by_protocol: bool = False

    def __post_init__(self) -> None:
        if not may_be_called(self.name):
            raise UserError(
                f"a metric cannot be called {printable(self.name)!r}: take another name, of a-z, 0-9 and -, at most "
                f"{_LONGEST} signs"
            )
        for part in ("title", "implementation", "version", "licence"):
            text = getattr(self, part)
            if not text.strip() or not text.isprintable() or len(text) > _LONGEST_TEXT:
                raise UserError(f"metric {self.name}: say its {part} on one line of at most {_LONGEST_TEXT} signs")
        if not callable(self.measure) or isinstance(self.measure, partial):  # whose code could not be told
            raise UserError(f"metric {self.name}: write what measures as a function, with def")
        if not self.unit.isprintable() or not 0 <= self.digits <= _MOST_DIGITS or self.revision < 1:
            raise UserError(
                f"metric {self.name}: give a unit on one line, 0 to {_MOST_DIGITS} digits and a revision from 1"
            )


def value_of(metric: ImageMetric, restored: Levels, clean: Levels | None, device: str = "cpu") -> float:
    """What ``metric`` gives for a restored image, (H, W, 3) uint8 RGB, beside its ground truth of the same shape.

    NaN where it is undefined. :class:`UserError` where it needs a reference and there is none, or where the function
    gives something that is no score.
    """
    if metric.needs_reference and clean is None:
        raise UserError(f"{metric.title} compares an image with its ground truth, and there is none; leave it out")
    given = (restored, clean) if metric.needs_reference else (restored,)
    found: Any = metric.measure(*given, device=device) if metric.on_device else metric.measure(*given)
    try:
        value = float(found)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"metric {metric.name} gives {type(found).__name__}, not a number; mend its function"
        ) from error
    if math.isinf(value):
        raise UserError(f"metric {metric.name} gives {value}; a metric gives a finite number, or NaN where undefined")
    return value


def undefined(title: str, shape: Sequence[int], why: str) -> float:
    """NaN, and a warning that says of which image and why."""
    text = f"{title} is undefined (NaN) for an image of {shape[0]}x{shape[1]} px: {why}"
    warnings.warn(text, stacklevel=3)
    return math.nan
