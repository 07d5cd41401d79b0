"""The cells of a comparison: a number as it is printed, its mark, its column and its row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

import numpy as np

from derainbench.metrics import kinds
from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.results.results import DatasetInRun, Results
from derainbench.stats.means import finite_mean
from derainbench.support.words import listed

from .entries import Entry
from .labels import MISSING

#: A metric's name.
Metric = str
FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One number of a table: ``value`` is exact (NaN unless finished), ``text`` is what is printed.

    ``deviation`` is the sample standard deviation over seeds (None below two seeds), ``infinite`` the number of
    infinite scores of all seeds, which the mean leaves out, ``seeds`` how many seeds the mean covers. ``tied`` says
    that the value is not the best of its column, and that a test does not find it worse than the best. ``seen`` says
    that the training had exact copies of test images: such a value takes no part in ranks.
    """

    state: Literal["finished", "failed", "missing"]
    value: float
    text: str
    deviation: float | None = None
    deviation_text: str = ""
    infinite: int = 0
    seeds: int = 0
    rank: Literal["best", "second"] | None = None
    tied: bool = False
    seen: bool = False


#: Where nothing was scored, and where it failed.
NO_SCORE = Cell("missing", math.nan, MISSING)
FAILED_SCORE = Cell("failed", math.nan, FAILED)


@dataclass(frozen=True)
class Column:
    """The scores of one metric on one dataset."""

    dataset: DatasetInRun
    metric: Metric

    @property
    def kind(self) -> kinds.Metric:
        """The metric's record."""
        return METRICS[self.metric]

    @property
    def title(self) -> str:
        """What readers call the metric."""
        return self.kind.title

    @property
    def leads(self) -> bool:
        """Whether it is the first column of its dataset."""
        return self.metric == LEADING


@dataclass(frozen=True)
class Row:
    """An entry of the comparison and its cells, one a column."""

    entry: Entry
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ComparisonTable:
    """All methods on all datasets under one protocol. ``notes`` are sentences that belong under the table."""

    protocol: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def protocols(results: Results) -> tuple[str, ...]:
    """The protocols of the run in the order of its plan, then any other that has scores."""
    return tuple(dict.fromkeys([*results.info.protocols, *(str(name) for name in results.scores["protocol"].unique())]))


def protocol_title(name: str) -> str:
    """What readers call the protocol: its title, or its name where a newer version wrote the run."""
    return PROTOCOLS[name].title if name in PROTOCOLS else name


def printed(value: float, metric: Metric) -> str:
    """``value`` rounded half to even to the digits of ``metric``; ``∞`` for an identical image, ``–`` for NaN."""
    return rounded(value, METRICS[metric].digits)


def rounded(value: float, digits: int) -> str:
    """``value`` rounded half to even to so many decimal places; ``∞`` where it is infinite, ``–`` for NaN."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    # repr gives the shortest decimal that is this float: 0.125 is a tie, and so is the 2.675 a reader sees
    nearest = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return str(nearest + 0)  # no minus sign before a zero


def ranked(cells: Iterable[Cell], metric: Metric) -> tuple[Cell, ...]:
    """``cells`` of one column, scores of ``metric``, with the best and the second best marked.

    What is printed decides, so two cells that look equal share a rank. Only finished cells with a number take part,
    and of these not those of images that were seen in training.
    """
    cells = tuple(cells)

    def height(cell: Cell) -> float:
        return METRICS[metric].goodness(float(cell.text.replace("∞", "inf")))

    def contends(cell: Cell) -> bool:
        return cell.state == "finished" and not math.isnan(cell.value) and not cell.seen

    order = sorted({height(cell) for cell in cells if contends(cell)}, reverse=True)
    ranks: dict[float, Literal["best", "second"]] = dict(zip(order, ("best", "second"), strict=False))
    return tuple(replace(cell, rank=ranks.get(height(cell))) if contends(cell) else cell for cell in cells)


def ranked_if_several(cells: Iterable[Cell], metric: Metric) -> tuple[Cell, ...]:
    """The same; one that would take part alone is not marked."""
    marked = ranked(cells, metric)
    alone = sum(cell.state == "finished" and not cell.seen for cell in marked) < 2
    return tuple(replace(cell, rank=None) for cell in marked) if alone else marked


def as_printed(text: str | None) -> Cell:
    """A published number as its digits are, None where none is printed."""
    return NO_SCORE if text is None else Cell("finished", float(text), text)


def pooled(of_seeds: Sequence[tuple[float, int]], metric: Metric) -> Cell:
    """The finished cell of a mean for each seed and how many infinite scores each leaves out.

    It has the mean of the means, and their deviation where two or more are finite.
    """
    value, _ = finite_mean(mean for mean, _ in of_seeds)
    finite = [mean for mean, _ in of_seeds if math.isfinite(mean)]
    deviation = float(np.std(finite, ddof=1)) if len(finite) > 1 and math.isfinite(value) else None
    text = "" if deviation is None else printed(deviation, metric)
    left_out = sum(infinite for _, infinite in of_seeds)
    return Cell("finished", value, printed(value, metric), deviation, text, left_out, len(of_seeds))


def averaged(cells: Iterable[Cell], metric: Metric) -> Cell:
    """The mean of a row's scores on several datasets; it is seen where one of them is.

    None where a score is missing, or one is infinite and others are not: a mean that left that dataset out would stand
    among means over all of them.
    """
    cells = tuple(cells)
    value, infinite = finite_mean(cell.value for cell in cells)
    if any(cell.state != "finished" for cell in cells) or infinite not in (0, len(cells)):
        return NO_SCORE
    return Cell("finished", value, printed(value, metric), seen=any(cell.seen for cell in cells))


def in_words(values: Mapping[Metric, float]) -> str:
    """All scores of one image: ``31.75 dB · SSIM 0.9375``; titles say what numbers are, but for the decibels."""
    said = []
    for name, value in values.items():
        kind, text = METRICS[name], printed(value, name)
        number = f"{text} {kind.unit}" if kind.unit else text
        said.append(number if kind.unit and name == LEADING else f"{kind.title} {number}")
    return " · ".join(said)


def direction_words() -> str:
    """Which numbers of a table are the better ones: ``higher is better``, and of which metrics the lower ones."""
    lower = [kind.title for kind in METRICS.values() if not kind.higher_is_better]
    return f"higher is better ({listed(lower)}: lower)" if lower else "higher is better"
