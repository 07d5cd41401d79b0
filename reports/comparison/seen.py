"""Scores of test images that were in the training set: which they are, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping

from derainbench.results.results import MethodInRun, Results
from derainbench.results.run_info import SeenInfo
from derainbench.support.words import listed

#: How a score looks whose test images the training has seen.
SEEN_MARK = "‡"

#: By training set and test set what run.json says of copies, where there are any.
Copies = Mapping[tuple[str, str], SeenInfo]


def copies_in_training(results: Results) -> Copies:
    """The training sets that have clean images of a test set, exactly or probably."""
    return {(entry.train, entry.test): entry for entry in results.info.seen_in_training if entry.shared}


def is_seen(copies: Copies, method: MethodInRun, source: str, dataset: str) -> bool:
    """Whether scores of ``method``, trained here on ``source``, are of test images that it has certainly seen.

    Of published weights nobody knows on which files they were trained.
    """
    entry = copies.get((source, dataset))
    return entry is not None and bool(entry.exact) and method.weights is None


def seen_notes(results: Results) -> tuple[str, ...]:
    """A sentence each on certain copies, on likely ones, and on weights of which it is not known; most often one."""
    copies, titles = copies_in_training(results), {dataset.name: dataset.title for dataset in results.datasets}
    methods = {method.name: method for method in results.methods}
    certain: dict[tuple[str, str], None] = {}
    likely: dict[tuple[str, str], None] = {}
    unknown: dict[tuple[str, str], None] = {}
    scored = results.scores[["method", "trained_on", "dataset"]].drop_duplicates()
    for name, source, dataset in scored.itertuples(index=False, name=None):
        if (source, dataset) in copies and name in methods and dataset in titles:
            exact = is_seen(copies, methods[name], source, dataset)
            group = unknown if methods[name].weights is not None else certain if exact else likely
            group[source, dataset] = None
    said = []
    if certain:
        said.append(
            f"Copies of test images are in training sets: {_places(copies, certain, titles)}. Such scores are too "
            f"good: they are marked {SEEN_MARK} and are neither best nor second."
        )
    if likely:
        said.append(
            f"Near copies of test images are in training sets: {_places(copies, likely, titles)}; likely, not certain: "
            "look at them."
        )
    if unknown:
        said.append(
            f"Copies of test images are in training sets here: {_places(copies, unknown, titles)}; whether published "
            "weights were trained on those files is not known."
        )
    return tuple(said)


def _places(copies: Copies, pairs: Mapping[tuple[str, str], None], titles: Mapping[str, str]) -> str:
    """``3 (exact) of 6 of Demo drops in demo-mist and demo-streak``: a clause a test set and counts."""
    sources: dict[tuple[str, str], list[str]] = {}
    order = [*titles]
    for source, dataset in sorted(pairs, key=lambda pair: (order.index(pair[1]), pair[0])):
        entry = copies[source, dataset]
        exact = entry.exact or 0
        near = (entry.shared or 0) - exact
        kinds = [f"{count:,} {kind}" for count, kind in ((exact, "(exact)"), (near, "(near)")) if count]
        sources.setdefault((dataset, f"{' and '.join(kinds)} of {entry.total or 0:,}"), []).append(source)
    return "; ".join(
        f"{counts} of {titles[dataset]} in {listed(names)}" for (dataset, counts), names in sources.items()
    )
