"""What a report says of one output under several protocols: which numbers in print may be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

from derainbench.metrics.kinds import LEADING, METRICS, Metric, of_protocols
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import UNTRAINED
from derainbench.results.spread import Reading, Spread, first_seeds, scores_of, spread, tolerance
from derainbench.support.words import counted

from .cells import rounded
from .labels import MISSING
from .measured import Measured


def best_spreads(run: Measured) -> tuple[Spread, ...]:
    """The spread of one output a dataset, that of the best mean; none of a run under a single protocol."""
    if len(run.protocols) < 2:
        return ()
    results, reference = run.results, run.protocols[0]
    found = []
    for dataset in results.datasets:
        places = [place for place in first_seeds(results) if place[3] == dataset.name]
        best = max(places, key=lambda place: _mean(run, place, reference), default=None)
        if best is not None:
            scores = scores_of(results, best)
            found.append(spread(best, scores[scores["protocol"].isin(run.protocols)], reference))
    return tuple(found)


def _mean(run: Measured, place: tuple[str, str, int, str], protocol: str) -> float:
    method, trained_on, _, dataset = place
    means = run.means.of_seeds(method, trained_on, dataset, protocol, LEADING)
    mean = means[0].mean if means else math.nan
    return -math.inf if math.isnan(mean) else METRICS[LEADING].goodness(mean)


def where(spread: Spread) -> str:
    """``prenet@rain100l on rain100l, 100 images``; the training set where it is another one, the seed unless 0."""
    method, trained_on, seed, dataset = spread.place
    source = "" if trained_on in (dataset, UNTRAINED) else f", trained on {trained_on},"
    return f"{method}{source} on {dataset}, {counted(spread.images, 'image')}{f', seed {seed}' if seed else ''}"


def shift_text(reading: Reading, kind: Metric) -> str:
    """``+0.040``, to a digit more than is printed; ``0`` for the same numbers, ``–`` where there is none."""
    if abs(reading.shifted) < 1e-9:
        return "0"
    text = rounded(reading.shifted, kind.digits + 1)
    return text if text == MISSING or text.startswith("-") else f"+{text}"


def letters_words() -> str:
    """What the letters of a spread mean."""
    by = [
        f"{tolerance(name):.{kind.digits + 1}f} {kind.unit or f'in {kind.title}'}"
        for name, kind in of_protocols().items()
    ]
    return (
        "Numbers with one letter may stand in one column: of no image here do they differ by more than "
        f"{' or '.join(by)}. Numbers with different letters cannot be compared."
    )


def range_words(spread: Spread) -> str:
    """How far the same output's scores lie apart."""
    said = []
    for name, kind in of_protocols().items():
        low, high = spread.range_of(name)
        if not math.isnan(low):
            unit = f" {kind.unit}" if kind.unit else ""
            said.append(f"{kind.title} {rounded(high - low, kind.digits)}{unit}")
    return f"From the lowest to the highest, of the same images: {', '.join(said)}." if said else "No scores."


@dataclass(frozen=True)
class SetRow:
    """A protocol, who uses it, and the texts of its readings: value, difference and letter of each metric."""

    protocol: str
    used_by: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class SetSpread:
    """A spread as a table: what it is of, the protocol held against, the metrics' titles and the rows."""

    title: str
    reference: str
    metrics: tuple[str, ...]
    rows: tuple[SetRow, ...]
    range: str


def set_spread(spread: Spread) -> SetSpread:
    """``spread`` in words and printed numbers, to a digit more than the field prints."""
    kinds = [kind for name, kind in of_protocols().items() if any(name in row.readings for row in spread.rows)]
    rows = []
    for row in spread.rows:
        cells: list[str] = []
        for kind in kinds:
            reading = row.readings.get(kind.name)
            if reading is None:
                cells += [MISSING, MISSING, ""]
            else:
                cells += [rounded(reading.mean, kind.digits + 1), shift_text(reading, kind), reading.letter]
        used_by = PROTOCOLS[row.protocol].used_by if row.protocol in PROTOCOLS else ""
        rows.append(SetRow(row.protocol, used_by, tuple(cells)))
    return SetSpread(
        where(spread), spread.reference, tuple(kind.title for kind in kinds), tuple(rows), range_words(spread)
    )
