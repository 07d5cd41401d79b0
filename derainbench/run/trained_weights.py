"""A method's network with weights, wherever those lie: published ones, a file, or a run that trained them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from derainbench.errors import UserError
from derainbench.plugins.method import Derainer
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import load_into
from derainbench.plugins.weights_store import weights_file
from derainbench.support.words import whole_number


def load_method(
    name: str,
    weights: str | Path | None = None,
    trained_on: str | None = None,
    *,
    plugins: Sequence[str | Path] = (),
    device: str = "cpu",
) -> Derainer:
    """The network of a method with its weights, in evaluation mode, for :func:`derainbench.restore`.

    :param name: as it is typed: ``prenet@rain100l`` with published weights (added before by ``derainbench weights
        add``), ``nasnet[stages=2]`` with ``weights`` of one's own, ``identity`` without.
    :param weights: a weights file, or the folder of a run that trained the method.
    :param trained_on: which of the run's trainings, by dataset, where it has several.
    :param plugins: files that define further methods.
    :param device: where the network goes, as torch names it: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    :raises derainbench.errors.UserError: for a name that stands for nothing, and weights that are not there or do not
        fit.

    >>> load_method("identity").training
    False
    """
    variant = discover([Path(plugin) for plugin in plugins]).variant(name)
    source = find_weights(variant, None if weights is None else Path(weights), trained_on)
    network = variant.build()
    if source is not None:
        load_into(network, variant, source)
    return network.to(device).eval()


def find_weights(variant: Variant, given: Path | None, trained_on: str | None) -> Path | None:
    """The weights file: as given, of a training in a run folder, or published; None where none is needed.

    :class:`UserError` where there is none, or where a run has several trainings to choose from.
    """
    if variant.weights is not None:
        if given is not None or trained_on is not None:
            raise UserError(f"{variant.name} names its weights; leave out --weights and --trained-on, or the tag")
        return weights_file(variant) if variant.tag else None
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
