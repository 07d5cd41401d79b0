"""What a run's report says of test scenes that were in a training set: scores on them are too good."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from derainbench.catalogue.locate import Dataset
from derainbench.errors import UserError
from derainbench.overlap.compare import SharedScenes, shared_scenes
from derainbench.overlap.image_sets import Progress, is_kept, kept_before, split_files
from derainbench.results.run_info import SeenInfo
from derainbench.run.cells import Cell, EvalCell, TrainCell

#: Training sets with more clean images than this are not looked at unasked: reading them takes minutes. Once
#: ``datasets overlap`` has read them, runs know.
MOST = 20_000


def scenes_seen_in_training(
    cells: Sequence[Cell],
    find: Callable[[str], Dataset | None],
    options: Sequence[str] = (),
    progress: Progress = lambda what, more, total: None,
) -> list[SeenInfo]:
    """An entry for each training set and test set on which weights trained on it are scored, for ``run.json``.

    ``shared`` is how many of the ``total`` clean test images are in the training set, ``exact`` of them with the same
    pixels; None where that was not looked at. ``notice`` is a line for the report, empty where there is nothing to
    say. ``find`` gives the dataset of a name if it is here: published weights were trained on a set that the run does
    not name, of which other files may be here. ``options`` are what a command needs that is to find the same sets. The
    first time images are read; after that the answer comes from the cache.
    """
    found: dict[tuple[str, str], _Looked] = {}
    for cell in cells:
        if not isinstance(cell, TrainCell):
            training = cell.training if isinstance(cell, EvalCell) else None
            train = training.dataset if training is not None else find(cell.trained_on)
            if train is not None and train.has("train"):
                looked = found.setdefault((train.name, cell.dataset.name), _Looked(train, cell.dataset, options))
                if training is not None:
                    looked.trained_here = True
                elif cell.method not in looked.published:
                    looked.published.append(cell.method)
            start = training.initial if training is not None else None
            before = find(start.weights.trained_on) if start is not None and start.weights is not None else None
            if start is not None and before is not None and before.has("train"):
                looked = found.setdefault((before.name, cell.dataset.name), _Looked(before, cell.dataset, options))
                if start.name not in looked.published:
                    looked.published.append(start.name)
    return [_entry(looked, progress) for _, looked in sorted(found.items())]


@dataclass
class _Looked:
    """Two sets, and which weights they matter for: some that this run trains, and published ones by name."""

    train: Dataset
    test: Dataset
    options: Sequence[str]
    trained_here: bool = False
    published: list[str] = field(default_factory=list)

    @property
    def command(self) -> str:
        sets = f"{self.train.name}:train", f"{self.test.name}:test"
        return shlex.join(["derainbench", "datasets", "overlap", *sets, *self.options])


def _entry(looked: _Looked, progress: Progress) -> SeenInfo:
    names = looked.train.name, looked.test.name
    unknown = SeenInfo(train=names[0], test=names[1], shared=None, exact=None, total=None, notice="")
    try:
        images = _unread(looked)
        if images:
            notice = (
                f"whether {names[0]} train has test scenes of {names[1]} was not looked at: {images} images, and "
                f"reading them takes minutes; {looked.command} does, and runs say it from then on."
            )
            return unknown.model_copy(update={"notice": notice})
        found = shared_scenes(looked.train, looked.test, progress)
    except UserError as error:
        notice = f"whether {names[0]} train has test scenes of {names[1]} is unknown: {error}."
        return unknown.model_copy(update={"notice": notice})
    shared = found.exact + found.near
    notice = _notice(looked, found) if shared else ""
    return SeenInfo(train=names[0], test=names[1], shared=shared, exact=found.exact, total=found.total, notice=notice)


def _notice(looked: _Looked, found: SharedScenes) -> str:
    """What is there, what it means for the scores as far as that is known, and where to look."""
    train = (
        f"{looked.train.name} train has" if looked.trained_here else f"the files of {looked.train.name} train here have"
    )
    counts = [f"{count} {kind}" for kind, count in (("exact", found.exact), ("near", found.near)) if count]
    said = [f"{train} {', '.join(counts)} of the {found.total} clean test images of {looked.test.name} ({found.first})"]
    if looked.trained_here and found.exact:
        said.append("scores there of what was trained on it are too good")
    if looked.published:
        several = len(looked.published) > 1
        said.append(
            f"whether {', '.join(looked.published)} {'were' if several else 'was'} trained on those files is not known"
        )
    said.append(
        f"near ones are likely, not certain: look at them with {looked.command}"
        if found.near
        else f"see {looked.command}"
    )
    return f"{'; '.join(said)}."


def _unread(looked: _Looked) -> str:
    """How many images a training set has, if they are too many to be read now, and who says so; otherwise empty."""
    train = looked.train
    expected = train.card.pairs("train") or 0
    # A run that trains on it has counted its files; otherwise even that would read every one of them.
    known = all(kept_before(part.name, "train") for part in train.parts)
    if not looked.trained_here and expected > MOST and not known:
        return f"its card says it has {expected:,}"
    files = split_files(train, "train")
    return f"it has {files.images:,}" if files.images > MOST and not is_kept(files) else ""
