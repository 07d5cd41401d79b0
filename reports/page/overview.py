"""What the page says before any table: who leads on each dataset, how sure that is, and what to beware of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.plugins.names import UNPROCESSED
from derainbench.results.results import DatasetInRun, Results
from derainbench.stats import Refusal

from ..comparison.cells import ComparisonTable, Row, printed
from ..comparison.labels import method_labels, short_names
from ..comparison.leader import leader_words
from ..comparison.seen import SEEN_MARK, seen_notes
from ..content import Content

#: Winners that a card names; more of them are counted.
SHOWN_WINNERS = 3
#: Methods and datasets that the first line of the page names; more of them are counted.
SHOWN_NAMES = 4


@dataclass(frozen=True)
class Standing:
    """How sure a mean is: its interval, empty where there is none, and what it is or why not."""

    interval: str = ""
    explained: str = ""


@dataclass(frozen=True)
class Card:
    """The best mean on one dataset under one protocol, by the leading metric.

    ``winners`` print alike; empty where nothing was scored. ``others`` are the titles of the other metrics, and who is
    best by them. ``near`` are those that no test finds worse. ``seen`` says which better mean does not count, for its
    training had test images.
    """

    dataset: DatasetInRun
    place: int
    winners: str
    score: str
    interval: str
    others: tuple[tuple[str, str], ...]
    near: str
    sentence: str
    seen: str


def lede(results: Results) -> str:
    """What was compared on what, in one sentence; the unprocessed input is no method."""
    labels = method_labels(results.methods)
    methods = [labels[each.name] for each in results.methods if each.base != UNPROCESSED]
    images = sum(len(each.test) for each in results.datasets)
    by = f" by {_enumerated(short_names(methods), 'methods')}" if methods else ": the rainy input"
    on = f", on {_enumerated([each.title for each in results.datasets], 'datasets')}" if results.datasets else ""
    return f"Single-image deraining{by}{on}: {images:,} test image{'s' if images != 1 else ''}."


def _enumerated(names: Sequence[str], what: str) -> str:
    """``A, B and C``, or ``9 methods`` where they are many."""
    if len(names) > SHOWN_NAMES:
        return f"{len(names)} {what}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def standings(content: Content, table: ComparisonTable) -> tuple[tuple[Standing, ...], ...]:
    """For each row and column of ``table``; see also :attr:`.content.Content.marked_tables`."""
    by_column = [_standings_of(content, table, number) for number in range(len(table.columns))]
    return tuple(tuple(column[number] for column in by_column) for number in range(len(table.rows)))


def cards(content: Content, table: ComparisonTable) -> tuple[Card, ...]:
    """A card for each dataset, in the order of the table's columns."""
    return tuple(_card(content, table, number) for number in range(0, len(table.columns), len(METRICS)))


def leaks(results: Results) -> tuple[str, ...]:
    """Which test images were seen in training: a line on certain copies, on likely ones, and on unknown ones."""
    return seen_notes(results)


def _card(content: Content, table: ComparisonTable, leading: int) -> Card:
    """Of the dataset whose leading metric is column number ``leading``; the others follow."""
    dataset = table.columns[leading].dataset
    best, *others = (_best(table, leading + n) for n in range(len(METRICS)))
    standing = _standings_of(content, table, leading)
    leader = next((each for each, row in zip(standing, table.rows, strict=True) if row in best), Standing())
    return Card(
        dataset=dataset,
        place=leading // len(METRICS) + 1,
        winners=_names(best),
        score=best[0].cells[leading].text if best else "",
        interval=leader.interval,
        others=tuple(
            (table.columns[number].title, f"{rows[0].cells[number].text}, {_names(rows)}")
            for number, rows in enumerate(others, leading + 1)
            if rows
        ),
        near=_names(row for row in table.rows if row.cells[leading].tied),
        sentence=leader_words(content.statistics.get((dataset.name, table.protocol, LEADING))),
        seen=_seen(table, leading, best),
    )


def _best(table: ComparisonTable, number: int) -> list[Row]:
    """The rows that are best in column ``number``."""
    return [row for row in table.rows if row.cells[number].rank == "best"]


def _seen(table: ComparisonTable, leading: int, best: Sequence[Row]) -> str:
    """The best mean of test images that the training had, where it is above the ``best`` of the others."""
    kind = table.columns[leading].kind

    def height(row: Row) -> float:
        return kind.goodness(row.cells[leading].value)

    least = height(best[0]) if best else -math.inf
    above = [row for row in table.rows if row.cells[leading].seen and height(row) > least]
    if not above:
        return ""
    first = max(above, key=height)
    text = f"{first.cells[leading].text}{SEEN_MARK} {kind.unit}".rstrip()
    return f"{text} of {first.entry.full_label}: test images seen in training."


def _standings_of(content: Content, table: ComparisonTable, number: int) -> list[Standing]:
    """For each row, in column ``number`` of ``table``."""
    column = table.columns[number]
    statistic = content.statistics.get((column.dataset.name, table.protocol, column.metric))
    grid = content.grids.get((column.dataset.name, table.protocol))
    if statistic is None or grid is None:
        return [Standing()] * len(table.rows)
    lines = {line.full_name: place for place, line in enumerate(grid.lines)}
    found = []
    for row in table.rows:
        line = lines.get(row.entry.full_name)
        if line is None:
            found.append(Standing())
            continue
        interval = statistic.intervals[line]
        if isinstance(interval, Refusal):
            found.append(Standing("", f"no interval: {interval.reason}"))
            continue
        text = f"{printed(interval.low, column.metric)} – {printed(interval.high, column.metric)}"
        explained = f"95 % interval of the mean over {interval.images} images of {interval.clusters} scenes"
        found.append(Standing(text, explained))
    return found


def _names(rows: Iterable[Row]) -> str:
    labels = [row.entry.full_label for row in rows]
    more = len(labels) - SHOWN_WINNERS
    return ", ".join(labels[:SHOWN_WINNERS]) + (f" and {more} more" if more > 0 else "")
