"""Two runs against each other: what scores better or worse, beyond chance or not, and what was done differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.kinds import METRICS, use
from derainbench.metrics.paired import paired_by
from derainbench.results.merging import run_names
from derainbench.results.recorded_inputs import differences, evaluation_inputs, machine_of
from derainbench.results.results import Results
from derainbench.results.score_table import as_wide
from derainbench.stats import Paired, Refusal, adjusted_family
from derainbench.support.run_folder import evaluation_folder, training_folder

State = Literal["scored", "failed", "missing"]
#: Method, training set, dataset: an evaluation over all its seeds.
Place = tuple[str, str, str]

#: Said of a cell whose scores changed though no record did.
NOTHING_RECORDED = "nothing that is recorded"


@dataclass(frozen=True)
class MetricChange:
    """One metric of a cell, second run against first, on the images that both have; an image's score is its mean over
    seeds.

    ``first`` and ``second`` are means over the images finite in both (NaN without any), ``infinite`` how many are
    left out. ``better``, ``equal`` and ``worse`` count images of the second run, not those undefined in either. The p
    of ``test`` is adjusted for all cells of the comparison, and it is refused where their number leaves it nothing to
    find (:func:`derainbench.stats.adjusted_family`).
    """

    first: float
    second: float
    better: int
    equal: int
    worse: int
    infinite: int
    test: Paired | Refusal

    @property
    def difference(self) -> float:
        """Second less first, in the metric's own values."""
        return self.second - self.first


@dataclass(frozen=True)
class CellChange:
    """A method, trained on a set and tested on one, in two runs; pairs are (first run, second run).

    ``images`` counts those that both have under the protocol, ``alone`` those that one has. ``identical`` says that
    the same seeds gave the same scores, bit for bit. ``changes`` are by metric, of those that both runs have.
    ``causes`` says what the results depended on that is not the same, in words; ``errors`` why a run has no scores, or
    lacks those of some seeds.
    """

    method: str
    trained_on: str
    dataset: str
    states: tuple[State, State]
    seeds: tuple[tuple[int, ...], tuple[int, ...]]
    images: int = 0
    alone: tuple[int, int] = (0, 0)
    identical: bool = False
    changes: Mapping[str, MetricChange] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    errors: tuple[str, str] = ("", "")

    @property
    def scored(self) -> bool:
        """Whether both runs have scores."""
        return self.states == ("scored", "scored")


@dataclass(frozen=True)
class RunComparison:
    """Two runs under one protocol. ``circumstances`` are what the runs say of themselves that is not the same."""

    runs: tuple[str, str]
    protocol: str
    cells: tuple[CellChange, ...]
    circumstances: tuple[str, ...]


def compare_runs(first: Results, second: Results, protocol: str | None = None) -> RunComparison:
    """Every cell of both runs under ``protocol``, by default the first that both measured.

    :class:`UserError` where both are one run, where one has no scores, or where they share no such protocol.
    """
    use(metric.kind for run in (first, second) for metric in run.info.metrics)
    if first.folder.resolve() == second.folder.resolve():
        raise UserError(f"{first.folder} is given twice; give the folders of two runs")
    one, other = run_names([first.folder, second.folder])
    for name, run in ((one, first), (other, second)):
        if run.scores.empty:
            why = run.failures[0].error if run.failures else "nothing was evaluated; run the command that made it again"
            raise UserError(f"{name} has no scores to compare: {why}")
    known = [name for name in _protocols(first) if name in _protocols(second)]
    if not known:
        raise UserError(f"{one} and {other} have no scores under a common protocol; run one again with --protocols")
    if protocol is not None and protocol not in known:
        raise UserError(f"{one} and {other} do not both have protocol {protocol!r}: {did_you_mean(protocol, known)}")
    chosen = protocol or known[0]
    scores = (_by_place(first, chosen), _by_place(second, chosen))
    failed = (_failed(first), _failed(second))
    places = dict.fromkeys([*_in_order(first, scores[0], failed[0]), *_in_order(second, scores[1], failed[1])])
    cells = [_cell(place, (first, second), scores, failed) for place in places]
    return RunComparison((one, other), chosen, _adjusted(cells), _circumstances(first, second))


def _protocols(results: Results) -> list[str]:
    scored = set(results.scores["protocol"].unique())
    planned = [name for name in results.info.protocols if name in scored]
    return list(dict.fromkeys([*planned, *sorted(scored)]))


def _by_place(results: Results, protocol: str) -> dict[Place, pd.DataFrame]:
    """The scores of each evaluation, a column for each metric that it has."""
    scores, place = results.scores[results.scores["protocol"] == protocol], ["method", "trained_on", "dataset"]
    has = {(*map(str, each),) for each in scores[[*place, "metric"]].drop_duplicates().itertuples(index=False)}
    return {
        (str(m), str(t), str(d)): group.drop(
            columns=[each for each in METRICS if (str(m), str(t), str(d), each) not in has]
        )
        for (m, t, d), group in as_wide(scores).groupby(place, sort=False)
    }


def _failed(results: Results) -> dict[Place, str]:
    """Why evaluations have no scores: their error, or that of their training."""
    errors = {failure.cell: failure.error for failure in results.failures}
    here, failed = Path(), dict[Place, str]()
    for cell in results.info.cells:
        if cell.trained_on is not None:
            place = (cell.method, cell.trained_on, cell.dataset)
            evaluation = evaluation_folder(here, place[0], place[1], cell.seed, place[2])
            training = training_folder(here, place[0], place[1], cell.seed)
            error = errors.get(evaluation.as_posix()) or errors.get(training.as_posix())
            if error:
                failed.setdefault(place, error)
    return failed


def _in_order(results: Results, scored: Iterable[Place], failed: Iterable[Place]) -> list[Place]:
    """By method and dataset as the run lists them."""
    methods = {method.name: n for n, method in enumerate(results.methods)}
    datasets = {dataset.name: n for n, dataset in enumerate(results.datasets)}
    places = {*scored, *failed}
    return sorted(places, key=lambda p: (methods.get(p[0], len(methods)), datasets.get(p[2], len(datasets)), p))


def _cell(
    place: Place,
    runs: tuple[Results, Results],
    scores: tuple[Mapping[Place, pd.DataFrame], Mapping[Place, pd.DataFrame]],
    failed: tuple[Mapping[Place, str], Mapping[Place, str]],
) -> CellChange:
    frames = tuple(of_run.get(place) for of_run in scores)
    states = (_state(place, scores[0], failed[0]), _state(place, scores[1], failed[1]))
    seeds = tuple(() if f is None else tuple(sorted(int(seed) for seed in f["seed"].unique())) for f in frames)
    errors = (failed[0].get(place, ""), failed[1].get(place, ""))
    cell = CellChange(*place, states=states, seeds=(seeds[0], seeds[1]), errors=errors)
    first, second = frames
    if first is None or second is None:
        return cell
    metrics = [name for name in METRICS if name in first and name in second]
    images = [_by_image(frame, metrics) for frame in (first, second)]
    both = images[0].index.intersection(images[1].index, sort=False)
    aligned = [frame.loc[both] for frame in images]
    scenes = np.asarray(aligned[0]["scene"], dtype=str)
    identical = _identical(first, second, metrics)
    return replace(
        cell,
        images=len(both),
        alone=(len(images[0]) - len(both), len(images[1]) - len(both)),
        identical=identical,
        changes={metric: _metric(aligned, metric, scenes) for metric in metrics},
        causes=_causes(place, runs, cell.seeds) or (() if identical else (NOTHING_RECORDED,)),
    )


def _state(place: Place, scored: Mapping[Place, pd.DataFrame], failed: Mapping[Place, str]) -> State:
    return "scored" if place in scored else "failed" if place in failed else "missing"


def _by_image(frame: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """An image's scene and its mean scores over seeds; one that a seed has no score for has none."""
    values = frame.set_index("image")
    if not values.index.has_duplicates:
        return values[["scene", *metrics]]
    groups = values.groupby(level="image", sort=False)
    means = pd.DataFrame({m: groups[m].agg(lambda each: np.mean(each.to_numpy(np.float64))) for m in metrics})
    return means.assign(scene=groups["scene"].first())


def _metric(aligned: Sequence[pd.DataFrame], metric: str, scenes: NDArray[Any]) -> MetricChange:
    first, second = (frame[metric].to_numpy(np.float64) for frame in aligned)
    finite = np.isfinite(first) & np.isfinite(second)
    means = [float(each[finite].mean()) if finite.any() else float("nan") for each in (first, second)]
    infinite = int((np.isinf(first) | np.isinf(second)).sum())
    kind = METRICS[metric]
    before, after = kind.goodness(first), kind.goodness(second)
    better, equal, worse = (int(each.sum()) for each in (after > before, after == before, after < before))
    return MetricChange(means[0], means[1], better, equal, worse, infinite, paired_by(kind, second, first, scenes))


def _identical(first: pd.DataFrame, second: pd.DataFrame, metrics: list[str]) -> bool:
    frames = [f.set_index(["seed", "image"])[metrics].sort_index() for f in (first, second)]
    return bool(metrics) and bool(frames[0].equals(frames[1]))


def _causes(
    place: Place, runs: tuple[Results, Results], seeds: tuple[tuple[int, ...], tuple[int, ...]]
) -> tuple[str, ...]:
    """What differs in what a cell's results depended on: of the seeds that both have, else of each one's first."""
    method, trained_on, dataset = place
    common = [seed for seed in seeds[0] if seed in seeds[1]]
    pairs = [(seed, seed) for seed in common] or [(seeds[0][0], seeds[1][0])]
    said = [] if seeds[0] == seeds[1] else [f"seeds {_numbers(seeds[0])} -> {_numbers(seeds[1])}"]
    for pair in pairs:
        keys = [(method, trained_on, seed, dataset) for seed in pair]
        records = [evaluation_inputs(run, key) for run, key in zip(runs, keys, strict=True)]
        machines = [machine_of(run, key) for run, key in zip(runs, keys, strict=True)]
        said += [*differences(*records), *(f"machine: {words}" for words in differences(*machines))]
    return tuple(dict.fromkeys(said))


def _circumstances(first: Results, second: Results) -> tuple[str, ...]:
    """What the runs say of themselves: recipe, precision, versions, machine."""
    records = [
        {
            "derainbench": run.info.derainbench,
            "recipe": run.info.recipe.name if run.info.recipes != {} else "none was used",
            "precision": run.info.precision,
            **{f"version of {name}": value for name, value in run.info.versions.items()},
            **{f"machine: {name}": value for name, value in run.info.machine.items()},
        }
        for run in (first, second)
    ]
    return differences(*records)


def _adjusted(cells: Sequence[CellChange]) -> tuple[CellChange, ...]:
    """The cells with the tests of each metric read together, as one family."""
    adjusted = list(cells)
    for metric in METRICS:
        tests = {n: cell.changes[metric].test for n, cell in enumerate(cells) if metric in cell.changes}
        for n, test in adjusted_family(tests).items():
            of_cell = adjusted[n].changes
            adjusted[n] = replace(adjusted[n], changes={**of_cell, metric: replace(of_cell[metric], test=test)})
    return tuple(adjusted)


def _numbers(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
