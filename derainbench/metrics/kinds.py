"""What is measured of a restored image: each metric's name, unit, digits and direction. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", float, NDArray[np.float64])


@dataclass(frozen=True)
class Metric:
    """A number that says how good a restored image is; ``name`` is how score tables call it.

    ``digits`` are the decimal places that the field prints, ``unit`` what stands behind them in a sentence.
    ``protocols`` are the names of those that measure it, None for all. Where it is not ``by_protocol``, no protocol
    says how it is measured: it measures the image as it is saved, in its own way, and is the same under all of them.
    ``needs_reference``: it compares the image with its ground truth.
    """

    name: str
    title: str
    unit: str
    digits: int
    higher_is_better: bool = True
    protocols: tuple[str, ...] | None = None
    by_protocol: bool = True
    needs_reference: bool = True

    def goodness(self, values: Values) -> Values:
        """``values`` turned so that larger is better: what ranks, and what is tested for being better."""
        return values if self.higher_is_better else -values

    def measured_under(self, protocol: str) -> bool:
        """Whether the protocol of that name measures it."""
        return self.protocols is None or protocol in self.protocols

    @property
    def better(self) -> str:
        """``higher`` or ``lower``."""
        return "higher" if self.higher_is_better else "lower"

    @property
    def worse(self) -> str:
        """``lower`` or ``higher``."""
        return "lower" if self.higher_is_better else "higher"

    @property
    def worst(self) -> str:
        """``lowest`` or ``highest``."""
        return "lowest" if self.higher_is_better else "highest"

    @property
    def title_and_unit(self) -> str:
        """What stands at an axis: ``PSNR, dB``."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


_BY_NAME = {each.name: each for each in (Metric("psnr", "PSNR", "dB", 2), Metric("ssim", "SSIM", "", 4))}
#: The metrics by name, in the order of a table's columns: those of protocols, then those that the results at hand have
#: beside them (``use``). All who need them read them here when they need them.
METRICS: Mapping[str, Metric] = MappingProxyType(_BY_NAME)
#: Names of metrics that results have beside those of protocols.
_IN_USE: list[str] = []
#: The metric of charts and cards, which show one. Charts put what is better above: higher must be better.
LEADING = next(iter(METRICS))


def of_protocols() -> dict[str, Metric]:
    """The metrics that protocols measure, by name."""
    return {name: each for name, each in METRICS.items() if each.by_protocol}


def use(metrics: Iterable[Metric]) -> None:
    """Have these beside the metrics of protocols in :data:`METRICS`, and no others that results had before."""
    for name in _IN_USE:
        del _BY_NAME[name]
    more = {each.name: each for each in metrics if each.name not in _BY_NAME}
    _BY_NAME.update(more)
    _IN_USE[:] = more
