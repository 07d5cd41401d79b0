"""What a result depended on, as the run folder recorded it when it was made, and how two such records differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from derainbench.results.results import EvaluationKey, Results
from derainbench.support.atomic import read_json

#: What nobody reads the old and the new value of: they are hashes.
_HASHED = {
    "source": "the method's code is another one",
    "data": "the test images are other ones",
    "training data": "the training images are other ones",
    "weights": "the weights are another file",
}


def done_record(results: Results, key: EvaluationKey) -> dict[str, Any]:
    """``done.json`` of a finished evaluation: ``key``, ``inputs``, ``made_on`` and more; empty where there is none."""
    folder = results.evaluations.get(key)
    return _record(folder / "done.json") if folder is not None else {}


def evaluation_inputs(results: Results, key: EvaluationKey) -> dict[str, Any]:
    """All that the scores of an evaluation depended on: how it was tested, and how what was tested was trained.

    ``precision``, ``weights`` and ``recipe`` are there always, from ``run.json`` where no cell recorded them; of a
    recorded one also ``source``, ``data``, ``harness``, ``protocols`` (revisions by name), ``tile``, ``quantisation``
    and, where a training is in the run, ``training data``. None is for without.
    """
    method, trained_on, seed, _ = key
    found = _from_run(results, method, trained_on)
    inputs = done_record(results, key).get("inputs", {})
    if "source" in inputs:
        known = ("source", "data", "weights", "harness", "protocols", "tile", "quantisation", "precision")
        found |= {name: inputs.get(name) for name in known}
    training = next(
        (t.folder for t in results.trainings if (t.method, t.trained_on, t.seed) == (method, trained_on, seed)), None
    )
    if training is not None:
        trained = _record(training / "done.json").get("inputs", {})
        names = {"recipe": "recipe", "data": "training data"}
        found |= {here: trained[there] for there, here in names.items() if there in trained}
    return found


def _from_run(results: Results, method: str, trained_on: str) -> dict[str, Any]:
    info = results.info
    known = next((each for each in results.methods if each.name == method), None)
    weights = None if known is None or known.weights is None else known.weights.get("sha256")
    of_cell = [
        cell["recipe"]
        for cell in info.get("cells", ())
        if cell["kind"] == "train" and (cell["method"], cell["dataset"]) == (method, trained_on) and "recipe" in cell
    ]
    of_method = info.get("recipes", {}).get("" if known is None else known.base)
    return {
        "precision": info.get("precision"),
        "weights": weights,
        "recipe": None if weights else of_cell[0] if of_cell else of_method,
    }


def _record(path: Any) -> dict[str, Any]:
    if not path.is_file():
        return {}
    record = read_json(path)
    return dict(record) if isinstance(record, Mapping) else {}


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
