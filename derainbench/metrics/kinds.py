"""What is measured of a restored image: each metric's name, unit, digits and direction. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Metric:
    """A number that says how good a restored image is; ``name`` is how score tables call it.

    ``digits`` are the decimal places that the field prints, ``unit`` what stands behind them in a sentence.
    """

    name: str
    title: str
    unit: str
    digits: int
    higher_is_better: bool = True


#: The metrics of every protocol by name; charts and cards, which show one, show the first.
METRICS: Mapping[str, Metric] = MappingProxyType(
    {each.name: each for each in (Metric("psnr", "PSNR", "dB", 2), Metric("ssim", "SSIM", "", 4))}
)
LEADING = next(iter(METRICS))
