"""The weights that a run trained, found again."""

from __future__ import annotations

from pathlib import Path

from derainbench.errors import UserError
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights_store import weights_file
from derainbench.support.words import whole_number


def find_weights(variant: Variant, given: Path | None, trained_on: str | None) -> Path | None:
    """The weights file: as given, of a training in a run folder, or published; None where none is needed.

    :class:`UserError` where there is none, or where a run has several trainings to choose from.
    """
    if variant.weights is not None:
        if given is not None or trained_on is not None:
            raise UserError(f"{variant.name} names its weights; leave out --weights and --trained-on, or the tag")
        return weights_file(variant)
    if given is None:
        if variant.method.recipe is None:
            return None
        raise UserError(f"{variant.name} needs weights; give --weights FILE, --weights RUN, or a tag as in NAME@TAG")
    if not given.is_dir():
        if trained_on is not None:
            raise UserError(f"--trained-on chooses among the trainings of a run, but {given} is a file; leave it out")
        return given
    trained = given / "train" / variant.name
    folders = sorted(trained.iterdir()) if trained.is_dir() else []
    names = [folder.name for folder in folders if _trainings(folder)]
    if not names:
        raise UserError(f"run {given} has no finished training of {variant.name}; train it or name what it has")
    if trained_on is None and len(names) > 1:
        raise UserError(f"run {given} trained {variant.name} on {', '.join(names)}; choose with --trained-on")
    if trained_on is not None and trained_on not in names:
        raise UserError(f"run {given} did not train {variant.name} on {trained_on!r}; it has {', '.join(names)}")
    chosen = trained_on or names[0]
    return min(_trainings(trained / chosen).items())[1]


def _trainings(folder: Path) -> dict[int, Path]:
    """The weights of a method trained on a dataset, by seed; other folders beside them mean nothing."""
    files = ((path.parent.name.removeprefix("seed"), path) for path in folder.glob("seed*/weights.safetensors"))
    return {seed: path for text, path in files if (seed := whole_number(text, 2**63 - 1)) is not None}
