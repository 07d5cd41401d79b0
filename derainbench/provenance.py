"""What ``run.json`` says: how a run was made, on what, and which cells belong to it."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from derainbench import __version__
from derainbench.cards import SplitName
from derainbench.cells import NOT_IN_RESULT, Cell, TrainCell
from derainbench.errors import UserError
from derainbench.grid import Grid
from derainbench.locate import Dataset
from derainbench.manifest import kept_manifest
from derainbench.method import Method, Weights
from derainbench.variant import Variant

_RECORDED = ("torch", "lightning-fabric", "pytorch-msssim", "numpy", "pillow", "scikit-image", "scipy")


def describe_run(
    grid: Grid, cells: Sequence[Cell], machine: dict[str, Any], command: str, seen: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A run's description as plain data, for :meth:`Store.write_info`; ``seen`` as :mod:`.leaks` gives it."""
    changes = [change for method in _trained_methods(grid.variants) for change in grid.book.changes(method)]
    return {
        "derainbench": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "recipe": {"name": grid.book.name, "comparable": not changes, "changes": changes},
        "protocols": list(grid.protocols),
        "seeds": list(grid.seeds),
        "precision": grid.precision,
        "machine": machine,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _RECORDED}},
        "recipes": {method.name: _recipe(grid, method) for method in _trained_methods(grid.variants)},
        "notices": _notices(cells),
        "seen_in_training": list(seen),
        "methods": [_method(variant) for variant in grid.variants],
        "datasets": [_dataset(dataset) for dataset in grid.datasets if dataset.has("test")],
        "manifests": {f"{dataset.name} {split}": _manifest(dataset, split) for dataset, split in splits_of(cells)},
        "cells": [_cell(cell) for cell in cells],
    }


def merge(previous: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """The description of a run that is asked for more: what was in it stays, what is asked again is replaced.

    :class:`UserError` where the recipes differ by name, or the precisions: their scores do not belong in one table.
    """
    if previous is None:
        return now
    before, after = previous["recipe"]["name"], now["recipe"]["name"]
    if before != after:
        raise UserError(f"this run was made with recipe {before!r}, not {after!r}; give another --out for {after!r}")
    if previous["precision"] != now["precision"]:
        raise UserError(
            f"this run was made in {previous['precision']}, not {now['precision']}; give another --out, or leave "
            "--precision out"
        )
    commands = dict.fromkeys([*previous["command"].split(" && "), now["command"]])
    merged = {**now, "created": previous["created"], "command": " && ".join(commands)}
    previous = {**previous, "cells": [cell for cell in previous["cells"] if not _other_weights(cell, now["methods"])]}
    for name, identity in (("methods", "name"), ("datasets", "name"), ("cells", "folder")):
        merged[name] = list({entry[identity]: entry for entry in [*previous[name], *now[name]]}.values())
    for name in ("protocols", "seeds", "notices"):
        merged[name] = list(dict.fromkeys([*previous[name], *now[name]]))
    asked = {change["method"] for change in now["recipe"]["changes"]} | {m["base"] for m in now["methods"]}
    kept = [change for change in previous["recipe"]["changes"] if change["method"] not in asked]
    changes = kept + now["recipe"]["changes"]
    seen = [*previous.get("seen_in_training", []), *now["seen_in_training"]]
    merged["seen_in_training"] = list({(entry["train"], entry["test"]): entry for entry in seen}.values())
    merged["input_checks"] = previous.get("input_checks", [])
    merged["manifests"] = {**previous.get("manifests", {}), **now["manifests"]}
    merged["recipes"] = {**previous.get("recipes", {}), **now["recipes"]}
    merged["recipe"] = {"name": after, "comparable": not changes, "changes": changes}
    return merged


def _other_weights(cell: dict[str, Any], methods: Sequence[dict[str, Any]]) -> bool:
    """Whether an evaluation was of weights under a name that now stands for weights trained on something else."""
    trained_on = {method["name"]: method["weights"]["trained_on"] for method in methods if method["weights"]}
    return cell["method"] in trained_on and cell.get("trained_on") != trained_on[cell["method"]]


def _trained_methods(variants: Sequence[Variant]) -> list[Method]:
    return list({variant.method.name: variant.method for variant in variants if variant.trainable}.values())


def _method(variant: Variant) -> dict[str, Any]:
    paper = variant.method.paper
    return {
        "name": variant.name,
        "base": variant.method.name,
        "title": variant.title,
        "parameters": variant.parameters(),
        "paper": dataclasses.asdict(paper) if paper else None,
        "weights": _weights(variant.weights) if variant.weights else None,
        "reach": variant.skeleton().reach,
    }


def _weights(weights: Weights) -> dict[str, Any]:
    return {
        "tag": weights.tag,
        "trained_on": weights.trained_on,
        "source": weights.source,
        "licence": weights.licence,
        "sha256": weights.sha256,
        "verified": weights.verified,
        "quantisation": weights.quantisation,
        "published": [score._asdict() for score in weights.published],
    }


def _dataset(dataset: Dataset) -> dict[str, Any]:
    card, root, pairs = dataset.card, dataset.root, dataset.pairs("test")
    columns = ["image", "scene", *(role for role in ("rainy", "clean") if role in pairs.roles)]
    rows = zip(*(pairs.column(name).to_pylist() for name in columns), strict=True)
    return {
        "name": card.name,
        "title": card.title,
        "rain_model": card.rain_model,
        "kind": card.kind,
        "revision": card.revision,
        "layout": dataset.layout.name,
        "root": str(root),
        "test_digest": dataset.digest("test"),
        "whole": card.counts.test in (None, len(pairs)),
        "side_by_side": pairs.side_by_side,
        "test": [dict(zip(columns, row, strict=True)) for row in rows],
    }


def splits_of(cells: Sequence[Cell]) -> list[tuple[Dataset, SplitName]]:
    """The splits that some cells read, each once, by name."""
    used: dict[tuple[str, SplitName], Dataset] = {}
    for cell in cells:
        used[cell.dataset.name, "train" if isinstance(cell, TrainCell) else "test"] = cell.dataset
    return [(dataset, split) for (_, split), dataset in sorted(used.items(), key=lambda item: item[0])]


def _manifest(dataset: Dataset, split: SplitName) -> dict[str, Any]:
    manifest = dataset.manifest(split)
    kept = kept_manifest(dataset.name, split, manifest.digest)
    return {"pairs": len(manifest.pairs), "digest": manifest.digest, "file": kept.as_posix()}


def _cell(cell: Cell) -> dict[str, Any]:
    common = {"folder": cell.name, "method": cell.variant.name, "seed": cell.seed, "dataset": cell.dataset.name}
    if isinstance(cell, TrainCell):
        return {"kind": "train", **common}
    return {"kind": "eval", **common, "trained_on": cell.trained_on}


def _recipe(grid: Grid, method: Method) -> dict[str, Any]:
    return grid.book.recipe(method).model_dump(mode="json", exclude=set(NOT_IN_RESULT))


def _notices(cells: Sequence[Cell]) -> list[str]:
    notices = []
    for dataset, split in splits_of(cells):
        card, found = dataset.card, len(dataset.pairs(split))
        expected = getattr(card.counts, split)
        known = [other.means for other in card.other_counts if (other.split, other.pairs) == (split, found)]
        if known:
            notices.append(f"{card.name} has {found} {split} pairs here: {known[0]}.")
        elif expected is not None and expected != found:
            notices.append(f"{card.name} has {found} {split} pairs here; its card says {expected}.")
    defects = {cell.dataset.name: cell.dataset.card.defects for cell in cells}
    return notices + [f"{name}: {defect}" for name, known in sorted(defects.items()) for defect in known]
