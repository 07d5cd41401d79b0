"""What a result depended on, as the run folder recorded it when it was made, and how two such records differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from derainbench.results.results import EvaluationKey, Results
from derainbench.results.run_info import DoneCell, RunInfo, Scalar, read_done

#: What nobody reads the old and the new value of: they are hashes.
_HASHED = {
    "source": "the method's code is another one",
    "data": "the test images are other ones",
    "training data": "the training images are other ones",
    "weights": "the weights are another file",
    "images": "the restored images are other files",
}


def machine_of(results: Results, key: EvaluationKey) -> Mapping[str, Scalar]:
    """What a finished evaluation was made on; empty where nobody recorded it."""
    done = _done(results.evaluations.get(key))
    return {} if done is None else done.made_on


def evaluation_inputs(results: Results, key: EvaluationKey) -> dict[str, Any]:
    """All that the scores of an evaluation depended on: how it was tested, and how what was tested was trained.

    ``precision``, ``weights`` and ``recipe`` are there always, from ``run.json`` where no cell recorded them; of a
    recorded one also ``source``, ``data``, ``harness``, ``protocols`` (revisions by name), ``tile``, ``quantisation``
    and, where a training is in the run, ``training data``. None is for without. Of restored images from files there
    are ``images``, ``data``, ``harness`` and ``protocols``.
    """
    method, trained_on, seed, _ = key
    done = _done(results.evaluations.get(key))
    if done is not None and done.inputs.images is not None:
        of_files = ("images", "data", "harness", "protocols", "metrics")
        of_network = dict.fromkeys(("precision", "weights", "recipe"))
        return {**of_network, **{name: getattr(done.inputs, name) for name in of_files}}
    found = _from_run(results, method, trained_on)
    if done is not None and done.inputs.source is not None:
        known = ("source", "data", "weights", "harness", "protocols", "metrics", "tile", "quantisation", "precision")
        found |= {name: getattr(done.inputs, name) for name in known}
    training = next(
        (t.folder for t in results.trainings if (t.method, t.trained_on, t.seed) == (method, trained_on, seed)), None
    )
    trained = _done(training)
    if trained is not None:
        inputs = trained.inputs
        found |= {"recipe": inputs.recipe} if inputs.recipe is not None else {}
        found |= {"training data": inputs.data} if inputs.data is not None else {}
    return found


def _from_run(results: Results, method: str, trained_on: str) -> dict[str, Any]:
    known = next((each for each in results.methods if each.name == method), None)
    weights = None if known is None or known.weights is None else known.weights.sha256
    recipe = _named_recipe(results.info, method, "" if known is None else known.base, trained_on)
    return {
        "precision": results.info.precision or None,
        "weights": weights,
        "recipe": None if weights else recipe,
    }


def _named_recipe(info: RunInfo, method: str, base: str, trained_on: str) -> Mapping[str, Any] | None:
    """The recipe that a training of the run should have: its own, or its method's; None where the run names none."""
    for cell in info.cells:
        if cell.kind == "train" and (cell.method, cell.dataset) == (method, trained_on) and cell.recipe is not None:
            return cell.recipe
    return (info.recipes or {}).get(base)


def _done(folder: Path | None) -> DoneCell | None:
    path = None if folder is None else folder / "done.json"
    return read_done(path) if path is not None and path.is_file() else None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """In which of the inputs that both records have they differ, a few words each; hashes only say that they do."""
    return tuple(_differences(before, now))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in before:
        if name not in now or before[name] == now[name]:
            continue
        old, new = before[name], now[name]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{prefix}{name} ")
        elif not prefix and name in _HASHED:
            yield _HASHED[name]
        else:
            yield f"{prefix}{name} {_value(old)} -> {_value(new)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return "+".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(part)}" for name, part in value.items()) or "none"
    return str(value)
