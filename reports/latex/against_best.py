"""The tests of a dataset as a table: every method against the best; what no table can say stays in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from derainbench.metrics.kinds import METRICS
from derainbench.stats import Paired, Refusal, p_words
from derainbench.support.words import listed

from ..comparison.cells import Metric, printed
from ..comparison.statistics import DatasetStatistics
from ..content import Content
from ..layout.statistics import SetStatistics


@dataclass(frozen=True)
class AgainstBest:
    """One dataset. ``lines`` are a name and, for each metric, how far the best is ahead of it, on which part of the
    images, and p; a metric without a test has one text instead. ``lines`` is empty where nothing could be tested.

    ``words`` are the metrics and the sentences on what was not tested, and on ranks.
    """

    title: str
    lines: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    words: tuple[tuple[str, tuple[str, ...]], ...]


def against_best(content: Content, part: SetStatistics) -> tuple[AgainstBest, ...]:
    """Every dataset of ``part`` that anything is said of."""
    return tuple(
        _of_dataset(each.dataset.title, content.statistics_of(each.dataset.name, part.protocol))
        for each in part.datasets
        if each.said
    )


def _of_dataset(title: str, found: Mapping[Metric, DatasetStatistics]) -> AgainstBest:
    tested = {metric: _tested(each) for metric, each in found.items()}
    words: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for metric, each in found.items():
        words[_rest(each, len(tested[metric]))].append(METRICS[metric].title)
    lines = tuple(
        (label, tuple(_cells(found[m], tested[m], n) if m in found else ("not measured",) for m in METRICS))
        for n, label in enumerate(next(iter(found.values())).labels)
    )
    said = tuple((listed(metrics), sentences) for sentences, metrics in words.items() if sentences)
    return AgainstBest(title, lines if any(tested.values()) else (), said)


def _rest(found: DatasetStatistics, tested: int) -> tuple[str, ...]:
    """The sentences after those on the ``tested`` pairs; where no pair was tested for one reason, it is said of all."""
    reasons = {
        pair.reason
        for place, pair in found.pairs.items()
        if found.best in place and not found.seen & {*place} and isinstance(pair, Refusal)
    }
    if tested or found.best is None or len(reasons) != 1:
        return found.sentences[tested + bool(tested) :]  # the first one names the test
    return (f"No method is tested against the best, {found.names[found.best]}: {reasons.pop()}.", *found.sentences[1:])


def _tested(found: DatasetStatistics) -> dict[int, Paired]:
    """The tests of the best against other lines, by line."""
    best = found.best
    pairs = {place: pair for place, pair in found.pairs.items() if isinstance(pair, Paired)}
    against = {} if best is None else {sum(place) - best: pair for place, pair in pairs.items() if best in place}
    return {line: pair for line, pair in against.items() if line not in found.seen}


def _cells(found: DatasetStatistics, tested: dict[int, Paired], line: int) -> tuple[str, ...]:
    if line == found.best:
        return ("best",)
    if line in found.seen:
        return ("seen in training",)
    if line not in tested:
        return ("not tested",)
    pair = tested[line]
    first = found.best is not None and found.best < line
    difference = pair.mean_difference if first else -pair.mean_difference
    wins = pair.wins if first else pair.losses
    p = p_words(pair.p).removeprefix("p ").removeprefix("= ")
    return (
        printed(METRICS[found.metric].goodness(difference), found.metric).replace("-", "−"),
        f"{wins}/{pair.images}",
        p,
    )
