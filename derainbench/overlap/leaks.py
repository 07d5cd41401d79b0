"""What a run's report says of test scenes that were in a training set: scores on them are too good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from derainbench.cells import Cell, EvalCell
from derainbench.errors import UserError
from derainbench.locate import Dataset
from derainbench.overlap import shared_scenes
from derainbench.overlap.image_sets import Progress, cache_path, kept_before, split_files

#: Training sets with more clean images than this are not looked at unasked: reading them takes minutes. Once
#: ``datasets overlap`` has read them, runs know.
MOST = 20_000


def scenes_seen_in_training(
    cells: Sequence[Cell], find: Callable[[str], Dataset | None], progress: Progress = lambda what, more, total: None
) -> list[dict[str, Any]]:
    """An entry for each training set and test set on which weights trained on it are scored, for ``run.json``.

    ``shared`` is how many of the ``total`` clean test images are in the training set, None where that was not looked
    at; ``notice`` a line for the report, empty where there is nothing to say. ``find`` gives the dataset of a name if
    it is here: published weights were trained on sets that the run does not name. The first time images are read;
    after that the answer comes from the cache.
    """
    pairs: dict[tuple[str, str], tuple[Dataset, Dataset]] = {}
    for cell in cells:
        if isinstance(cell, EvalCell):
            train = cell.training.dataset if cell.training is not None else find(cell.trained_on)
            if train is not None and train.has("train"):
                pairs[train.name, cell.dataset.name] = (train, cell.dataset)
    return [
        {"train": names[0], "test": names[1], **_looked_at(*datasets, progress)}
        for names, datasets in sorted(pairs.items())
    ]


def _looked_at(train: Dataset, test: Dataset, progress: Progress) -> dict[str, Any]:
    command = f"derainbench datasets overlap {train.name}:train {test.name}:test"
    unknown = {"shared": None, "total": None}
    try:
        images = _unread(train)
        if images:
            notice = (
                f"whether {train.name} train has test scenes of {test.name} was not looked at: it has {images:,} "
                f"images, and reading them takes minutes; {command} does, and runs say it from then on."
            )
            return {**unknown, "notice": notice}
        found = shared_scenes(train, test, progress)
    except UserError as error:
        return {**unknown, "notice": f"whether {train.name} train has test scenes of {test.name} is unknown: {error}."}
    notice = (
        f"{train.name} train has {found.shared} of the {found.total} clean test images of {test.name} (first: "
        f"{found.first}): scores there of what was trained on it are too good; see {command}."
    )
    return {"shared": found.shared, "total": found.total, "notice": notice if found.shared else ""}


def _unread(train: Dataset) -> int:
    """The number of a training set's images if they are too many to be read now, otherwise 0."""
    expected = train.card.counts.train or 0
    if expected > MOST and not kept_before(train.name, "train"):
        return expected  # not even counted here: that, too, would read every file
    files = split_files(train, "train")
    return len(files.sources) if len(files.sources) > MOST and not cache_path(files).exists() else 0
