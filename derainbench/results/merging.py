"""Several runs as one: what was made in the same way stands in one row, what was not stands under its run's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from derainbench.errors import UserError
from derainbench.results.merged_info import merged_info, renamed_cell
from derainbench.results.results import DatasetInRun, EvaluationKey, Failure, MethodInRun, Results, TrainingInRun
from derainbench.results.same_rows import PLACE, split_rows
from derainbench.support.run_folder import evaluation_place, training_place

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Run:
    """A run under the name that tells it from the others, and the names that its methods get."""

    name: str
    results: Results
    renamed: Mapping[str, str]


def merged(results: Sequence[Results]) -> Results:
    """The union of runs, as one that every report can show; a run that is given twice counts once.

    A method that was run in different ways (recipe, code, weights, precision), or whose scores differ where they
    should be the same, is split: its name and title get the run's, as in ``nasnet (runB)``. :class:`UserError` where
    runs have different test images under one dataset's name. ``info`` is that of :func:`.merged_info`.
    """
    once = list(_first((each.folder.resolve(), each) for each in results).values())
    if not once:
        raise UserError("no run is given: name the folder of one or more runs")
    if len(once) == 1:
        return once[0]
    names = run_names([each.folder for each in once])
    _check_datasets(names, once)
    renamings, splits = split_rows(names, once)
    runs = [_Run(*each) for each in zip(names, once, renamings, strict=True)]
    trainings = _first(((t.method, t.trained_on, t.seed), t) for run in runs for t in _trainings(run))
    evaluations = _first((_key(run, key), folder) for run in runs for key, folder in run.results.evaluations.items())
    scores = pd.concat([_scores(run) for run in runs], ignore_index=True)
    return Results(
        folder=Path(" + ".join(names)),
        info=merged_info(names, [run.results.info for run in runs], renamings, splits),
        methods=_methods(runs),
        datasets=_datasets(once),
        scores=scores.drop_duplicates(PLACE, ignore_index=True),
        failures=_failures(runs, evaluations, trainings),
        trainings=tuple(trainings.values()),
        evaluations=evaluations,
    )


def run_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """A name for each of several different folders: its own, or ``demo in a`` where another one is called so too."""
    parts = [folder.resolve().parts for folder in folders]
    names = [each[-1] for each in parts]
    for length in range(2, max(map(len, parts)) + 1):
        repeated = [names.count(name) > 1 for name in names]
        names = [
            " in ".join(part.strip("/\\") for part in reversed(each[-length:])) if again else name
            for each, name, again in zip(parts, names, repeated, strict=True)
        ]
    return tuple(names)


def _check_datasets(names: Sequence[str], runs: Sequence[Results]) -> None:
    seen: dict[str, tuple[str, Any]] = {}
    for run, results in zip(names, runs, strict=True):
        digests = {each.name: each.test_digest for each in results.info.datasets}
        for dataset in results.datasets:
            images = digests.get(dataset.name) or tuple(pair.image for pair in dataset.test)
            first, known = seen.setdefault(dataset.name, (run, images))
            if known != images:
                raise UserError(
                    f"{first} and {run} have different test images under the name {dataset.name!r}; report them "
                    "separately, or look at both with derainbench compare"
                )


def _first(items: Iterable[tuple[Any, _T]]) -> dict[Any, _T]:
    """The first item under each key."""
    found: dict[Any, _T] = {}
    for key, item in items:
        found.setdefault(key, item)
    return found


def _methods(runs: Sequence[_Run]) -> tuple[MethodInRun, ...]:
    renamed = [
        replace(method, name=name, title=f"{method.title}{name.removeprefix(method.name)}", split_from=method.name)
        if (name := run.renamed.get(method.name))
        else method
        for run in runs
        for method in run.results.methods
    ]
    counted = _first((method.name, method.macs) for method in renamed if method.macs)
    methods = _first((method.name, method) for method in renamed)
    return tuple(replace(method, macs=counted.get(name)) for name, method in methods.items())


def _datasets(runs: Sequence[Results]) -> tuple[DatasetInRun, ...]:
    found = _first((dataset.name, dataset) for results in runs for dataset in results.datasets)
    part = {dataset.name for results in runs for dataset in results.datasets if not dataset.whole}
    return tuple(replace(dataset, whole=dataset.name not in part) for dataset in found.values())


def _trainings(run: _Run) -> list[TrainingInRun]:
    return [replace(each, method=run.renamed.get(each.method, each.method)) for each in run.results.trainings]


def _key(run: _Run, key: EvaluationKey) -> EvaluationKey:
    method, trained_on, seed, dataset = key
    return run.renamed.get(method, method), trained_on, seed, dataset


def _scores(run: _Run) -> pd.DataFrame:
    scores = run.results.scores
    return scores.assign(method=scores["method"].replace(dict(run.renamed))) if run.renamed else scores


def _failures(
    runs: Sequence[_Run],
    evaluations: Mapping[EvaluationKey, Path],
    trainings: Mapping[tuple[str, str, int], TrainingInRun],
) -> tuple[Failure, ...]:
    """What failed in one run and was not finished in another."""
    finished = {evaluation_place(*key) for key in evaluations} | {training_place(*key) for key in trainings}
    failed = _first(
        (cell, Failure(cell, failure.error))
        for run in runs
        for failure in run.results.failures
        for cell in [renamed_cell(failure.cell, run.renamed)]
    )
    return tuple(failure for cell, failure in failed.items() if cell not in finished)
