"""Which rows a comparison has, and where the scores and pictures of each row lie in a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from derainbench.plugins.names import NO_TRAINING_SET
from derainbench.results.results import MethodInRun, Results
from derainbench.support.run_folder import evaluation_place, training_place

from .labels import MISSING, method_labels


@dataclass(frozen=True)
class Entry:
    """One row: a method, trained on each dataset it is tested on (``trained_on`` is None), or on one and tested on
    others. ``label`` names the method uniquely for readers."""

    method: MethodInRun
    label: str
    trained_on: str | None

    @property
    def full_label(self) -> str:
        """The label, with the training set where it differs from the test set."""
        return self.label if self.trained_on is None else f"{self.label} (trained on {self.trained_on})"

    @property
    def full_name(self) -> str:
        """The same with the name by which the method is asked for."""
        return self.method.name if self.trained_on is None else f"{self.method.name} (trained on {self.trained_on})"

    @property
    def parameters(self) -> str:
        """The number of parameters as it is printed: a dash where nobody says it."""
        return MISSING if self.method.parameters is None else f"{self.method.parameters:,}"

    def sources(self, dataset: str) -> tuple[str, ...]:
        """The values of ``trained_on`` whose scores belong to this row in the columns of ``dataset``."""
        return (dataset, *NO_TRAINING_SET) if self.trained_on is None else (self.trained_on,)


def entries(results: Results) -> tuple[Entry, ...]:
    """The rows of a run, in the order of its methods; a method's tests on foreign datasets follow its own row.

    A row with a training set of its own appears where the run holds a score, or a failure, of a test elsewhere.
    """
    labels = method_labels(results.methods)
    pairs = results.scores[["method", "trained_on", "dataset"]].drop_duplicates()
    foreign: dict[str, list[str]] = {}
    native = set()
    for name, trained_on, dataset in pairs.itertuples(index=False):
        if trained_on in (dataset, *NO_TRAINING_SET):
            native.add(name)
        elif trained_on not in foreign.setdefault(name, []):
            foreign[name].append(trained_on)
    rows = []
    for method in results.methods:
        for trained_on in sorted(_failed_elsewhere(results, method.name) - set(foreign.get(method.name, ()))):
            foreign.setdefault(method.name, []).append(trained_on)
        if method.name in native or method.name not in foreign:
            rows.append(Entry(method, labels[method.name], None))
        rows += [Entry(method, labels[method.name], source) for source in foreign.get(method.name, ())]
    return tuple(rows)


def seeds(results: Results) -> tuple[int, ...]:
    """The seeds the run was planned with, and any other that has scores."""
    planned = results.info.seeds
    return tuple(dict.fromkeys([*planned, *sorted(int(seed) for seed in results.scores["seed"].unique())]))


def trained_seeds(results: Results) -> tuple[int, ...]:
    """The seeds of trainings; what is not trained stands under seed 0, which is then no seed of anything."""
    cells = results.info.cells
    if not cells:
        return seeds(results)
    trained = {cell.seed for cell in cells if cell.kind == "train"}
    return tuple(seed for seed in seeds(results) if seed in trained)


def failed_seeds(results: Results, entry: Entry, dataset: str) -> tuple[int, ...]:
    """The seeds whose evaluation of ``entry`` on ``dataset``, or the training before it, ended in an error."""
    failed = {failure.cell for failure in results.failures}
    if not failed:
        return ()
    return tuple(
        seed
        for seed in seeds(results)
        if any(
            place in failed
            for source in entry.sources(dataset)
            for place in (
                training_place(entry.method.name, source, seed),
                evaluation_place(entry.method.name, source, seed, dataset),
            )
        )
    )


def _failed_elsewhere(results: Results, method: str) -> set[str]:
    """Training sets of ``method`` whose test on another dataset failed, so that a row without scores is not lost.

    Published weights may have been trained on a set that is not in the run at all.
    """
    places = [Path(failure.cell).parts for failure in results.failures]
    tests = [place[2:] for place in places if place[:2] == ("eval", method)]  # trained on, seed, dataset
    return {source for source, _, dataset in tests if source not in (dataset, *NO_TRAINING_SET)}
