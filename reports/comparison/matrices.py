"""Who beats whom on a dataset, and what a training on one dataset is worth on another: tables as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # loads its submodules when they are first used

from derainbench.metrics.kinds import LEADING, METRICS
from derainbench.plugins.names import NO_TRAINING_SET
from derainbench.results.results import DatasetInRun
from derainbench.results.run_info import UnionInfo
from derainbench.stats import ALPHA, Refusal, p_words
from derainbench.stats.means import finite_mean
from derainbench.support.words import counted

from .cells import Metric, printed
from .grids import ScoreGrid
from .labels import MISSING, short_names
from .measured import Measured
from .statistics import DatasetStatistics


@dataclass(frozen=True)
class Duel:
    """A row against a column: the share of images that it wins (0 to 1), whether that is more than chance, the words.

    ``told`` is None where no test says anything; ``share`` is NaN where no image has both scores. ``lead`` is the share
    of wins less that of losses (-1 to 1), towards the method that the test favours if it tells them apart.
    """

    share: float
    told: bool | None
    words: str
    lead: float = 0.0

    @property
    def text(self) -> str:
        """Per cent without a sign; a dash where there is nothing to compare."""
        return "–" if math.isnan(self.share) else f"{100 * self.share:.0f}"

    @property
    def shade(self) -> str:
        """``w1`` to ``w3`` for wins, ``l1`` to ``l3`` for losses that a test tells from chance; else nothing."""
        return _shade(self.lead, (0.0, 0.3, 0.7)) if self.told else ""


@dataclass(frozen=True)
class Duels:
    """Every row against every other; None on the diagonal. ``names`` are the labels, short enough for columns.

    ``remark`` says why something was not tested.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[Duel | None, ...], ...]
    remark: str

    @property
    def tested(self) -> bool:
        """Whether a test said anything about any of them."""
        return any(duel is not None and duel.told is not None for row in self.rows for duel in row)


def duels(
    grid: ScoreGrid, lines: Sequence[int], labels: Sequence[str], metric: Metric, statistics: DatasetStatistics | None
) -> Duels:
    """The ``lines`` of ``grid`` against each other, called ``labels``, on the images that both have a score of."""
    values = grid.goodness(metric)[:, list(lines)]
    rows: list[tuple[Duel | None, ...]] = []
    reasons: dict[str, int] = {}
    for i, first in enumerate(lines):
        row: list[Duel | None] = []
        for j, second in enumerate(lines):
            if i == j:
                row.append(None)
                continue
            p, favour, reason = _tested(statistics, first, second)
            if reason:
                reasons[reason] = reasons.get(reason, 0) + 1
            with np.errstate(invalid="ignore"):  # inf against inf is a tie
                wins = int((values[:, i] > values[:, j]).sum())
                losses = int((values[:, i] < values[:, j]).sum())
            both = int((~np.isnan(values[:, i]) & ~np.isnan(values[:, j])).sum())
            duel = _duel(labels[i], labels[j], wins, losses, both, p)
            row.append(replace(duel, lead=math.copysign(wins - losses, favour) / both) if both else duel)
        rows.append(tuple(row))
    return Duels(tuple(labels), short_names(labels), tuple(rows), "; ".join(reasons))


def _duel(first: str, second: str, wins: int, losses: int, both: int, p: float | None) -> Duel:
    if not both:
        return Duel(math.nan, None, f"{first} and {second} have no image in common")
    ties = both - wins - losses
    words = f"{first} is better than {second} on {wins} of {both} images, worse on {losses}"
    words += f", as good on {ties}" if ties else ""
    words += f"; {p_words(p)}" if p is not None else ""
    return Duel(wins / both, None if p is None else p < ALPHA, words)


def _shade(difference: float, steps: tuple[float, ...]) -> str:
    level = sum(abs(difference) >= step for step in steps) if difference else 0
    return f"{'w' if difference > 0 else 'l'}{level}" if level else ""


def _tested(statistics: DatasetStatistics | None, first: int, second: int) -> tuple[float | None, float, str]:
    """The adjusted p of two lines and how far it favours the first (-1 to 1), or why there is none."""
    pair = None if statistics is None else statistics.pairs.get((min(first, second), max(first, second)))
    if pair is None:
        return None, 0.0, ""
    if isinstance(pair, Refusal):
        return None, 0.0, pair.reason
    return pair.p, pair.effect if first < second else -pair.effect, ""


@dataclass(frozen=True)
class Transfer:
    """A training on one dataset, tested on another: the leading metric's mean, and how far that is from the training
    on the tested one.

    NaN where it was not tested; ``drop`` (negative where foreign data is worse) is NaN on the diagonal too.
    """

    mean: float
    text: str
    drop: float
    drop_text: str
    own: bool
    words: str

    @property
    def shade(self) -> str:
        """``l1`` to ``l3`` from 0.5, 2 and 5 dB of drop, ``w1`` to ``w3`` from as much of a gain; else nothing."""
        return _shade(self.drop, (0.5, 2.0, 5.0))


@dataclass(frozen=True)
class Standing:
    """A training over all tests: ``mean_rank`` among the trainings (1 is best, equal ones share it), NaN where it was
    not tested on all; ``worst`` is the test on which it is farthest below the best training, with the difference."""

    mean_rank: float
    worst: str

    @property
    def text(self) -> str:
        """``1.67``; a dash where there is none."""
        return MISSING if math.isnan(self.mean_rank) else f"{self.mean_rank:.2f}"


@dataclass(frozen=True)
class Generalisation:
    """A method: rows are what it was trained on, columns what it was tested on. ``sentence`` sums it up.

    ``standings`` has one a row where one of the trainings is on a union, otherwise none.
    """

    label: str
    trained_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    rows: tuple[tuple[Transfer, ...], ...]
    sentence: str
    standings: tuple[Standing, ...] = ()


def generalisation(run: Measured, protocol: str) -> tuple[Generalisation, ...]:
    """A matrix for each method with a test away from home: means over images, then over seeds, under ``protocol``.

    Infinite scores are left out of means, as in the comparison.
    """
    table = run.means.table
    trained = ~table["trained_on"].isin(NO_TRAINING_SET)
    here = table[(table["protocol"] == protocol) & (table["metric"] == LEADING) & trained]
    means: dict[str, dict[tuple[str, str], float]] = {}
    for (name, source, dataset), group in here.groupby(["method", "trained_on", "dataset"]):
        means.setdefault(str(name), {})[str(source), str(dataset)] = finite_mean(group["mean"])[0]
    labels = {line.method.name: line.label for line in reversed(run.lines)}
    away = [name for name in labels if any(source != test for source, test in means.get(name, ()))]
    unions = {each.name: each for each in run.results.info.unions}
    return tuple(_matrix(labels[name], means[name], run.results.datasets, unions) for name in reversed(away))


def _matrix(
    label: str,
    means: Mapping[tuple[str, str], float],
    datasets: tuple[DatasetInRun, ...],
    unions: Mapping[str, UnionInfo],
) -> Generalisation:
    titles = {dataset.name: dataset.title for dataset in datasets}
    trained = {source for source, _ in means}
    joined = [name for name in unions if name in trained]
    sources = [*joined, *(name for name in titles if name in trained)]
    sources += sorted(trained - {*titles, *joined})  # of published weights, perhaps
    tested = [name for name in titles if any(test == name for _, test in means)]
    titles |= {name: unions[name].title for name in joined}
    rows = tuple(tuple(_transfer(label, source, test, means, titles) for test in tested) for source in sources)
    drops = [cell.drop for row in rows for cell in row if math.isfinite(cell.drop)]
    tests = tuple(titles[name] for name in tested)
    said = [_of_union(label, titles[name], rows[number], tests) for number, name in enumerate(joined)]
    return Generalisation(
        label,
        tuple(titles.get(name, name) for name in sources),
        tests,
        rows,
        " ".join(said) or _sentence(label, drops),
        _standings(rows, tests) if joined else (),
    )


def _standings(rows: Sequence[Sequence[Transfer]], tests: Sequence[str]) -> tuple[Standing, ...]:
    """Each training's mean rank over the tests, and the one where it is farthest below the best training."""
    kind = METRICS[LEADING]
    good = np.array([[kind.goodness(cell.mean) for cell in row] for row in rows])
    known = np.flatnonzero(np.isfinite(good).all(axis=1))
    standings = [Standing(math.nan, MISSING)] * len(rows)
    if not len(known):
        return tuple(standings)
    ranks = scipy.stats.rankdata(-good[known], axis=0).mean(axis=1)
    behind = good[known] - good[known].max(axis=0)
    for number, rank, losses in zip(known, ranks, behind, strict=True):
        at = int(np.argmin(losses))
        worst = f"{tests[at]} {signed(kind.goodness(losses[at]))}" if losses[at] < 0 else "none"
        standings[number] = Standing(float(rank), worst)
    return tuple(standings)


def _of_union(label: str, title: str, row: Sequence[Transfer], tests: Sequence[str]) -> str:
    """One network on a union against the specialists of the tests."""
    kind = METRICS[LEADING]
    drops = {test: cell.drop for test, cell in zip(tests, row, strict=True) if math.isfinite(cell.drop)}
    if not drops:
        return f"{label} trained on {title}: there is no specialist to compare it with."
    worst, mean = min(drops, key=lambda test: drops[test]), float(np.mean([*drops.values()]))
    verb = "loses" if mean < 0 else "gains"
    return (
        f"One {label} trained on {title} {verb} {printed(abs(mean), LEADING)} {kind.unit} on average against a "
        f"specialist for each of {counted(len(drops), 'test')}; its worst is {worst}, "
        f"{signed(kind.goodness(drops[worst]))} {kind.unit}."
    )


def _transfer(
    label: str, source: str, test: str, means: Mapping[tuple[str, str], float], titles: Mapping[str, str]
) -> Transfer:
    value, home = means.get((source, test), math.nan), means.get((test, test), math.nan)
    where = f"{label} trained on {titles.get(source, source)}, tested on {titles[test]}"
    if math.isnan(value):
        return Transfer(math.nan, "–", math.nan, "", source == test, f"{where}: not tested")
    kind = METRICS[LEADING]
    difference = value - home if source != test else math.nan
    drop = kind.goodness(difference)
    known = math.isfinite(drop)
    words = f"{where}: {printed(value, LEADING)} {kind.unit}"
    words += f", {signed(difference)} {kind.unit} from the training on {titles[test]} itself" if known else ""
    told = signed(difference) if known else ""
    return Transfer(value, printed(value, LEADING), drop, told, source == test, words)


def signed(value: float) -> str:
    """``−3.12`` or ``+0.40``: the leading metric's digits, with a sign."""
    text = printed(abs(value), LEADING)
    return ("−" if value < 0 and float(text) else "+") + text


def _sentence(label: str, drops: Sequence[float]) -> str:
    if not drops:
        return f"{label}: there is no training on a tested dataset itself to compare with."
    mean = float(np.mean(drops))
    pairs = f"{len(drops)} pair" + ("s" if len(drops) != 1 else "")
    verb = "loses" if mean < 0 else "gains"
    kind = METRICS[LEADING]
    worst = f", {signed(kind.goodness(min(drops)))} {kind.unit} at worst" if len(drops) > 1 else ""
    return (
        f"{label} {verb} {printed(abs(mean), LEADING)} {kind.unit} on average where it was trained on another dataset "
        f"than it is tested on ({pairs}{worst})."
    )
