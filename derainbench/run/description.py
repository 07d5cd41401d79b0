"""What ``run.json`` says: how a run was made, on what, and which cells belong to it."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from derainbench import __version__
from derainbench.catalogue.cards import SplitName
from derainbench.catalogue.image_sizes import other_sizes
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.manifest import kept_manifest
from derainbench.efficiency.macs import described
from derainbench.errors import UserError
from derainbench.plugins.method import Weights
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant
from derainbench.run.cells import NOT_IN_RESULT, Cell, EvalCell, TrainCell
from derainbench.run.grid import Plan

_RECORDED = ("torch", "lightning-fabric", "pytorch-msssim", "numpy", "pillow", "scikit-image", "scipy")


def describe_run(
    grid: Plan, cells: Sequence[Cell], machine: dict[str, Any], command: str, seen: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A run's description as plain data, for :meth:`Store.write_info`; ``seen`` as :mod:`.leaks` gives it."""
    changes = grid.changes()
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
        "recipes": _recipes(cells),
        "notices": _notices(cells),
        "seen_in_training": list(seen),
        "methods": [_method(variant) for variant in grid.variants],
        "datasets": [_dataset(dataset) for dataset in grid.datasets if dataset.has("test")],
        "manifests": {f"{dataset.name} {split}": _manifest(dataset, split) for dataset, split in splits_of(cells)},
        "cells": [_cell(cell, grid) for cell in cells],
    }


def restated(previous: dict[str, Any], grid: Plan) -> dict[str, Any]:
    """The same description, where the trainings of the plan's methods have the recipe that the plan's book gives now.

    What a cell was really trained with is in its folder: the comparison tells results that are out of date.
    """
    methods = {variant.method.name: variant.method for variant in grid.variants if variant.trainable}

    def now(cell: dict[str, Any]) -> dict[str, Any]:
        method = methods.get(parse_name(cell["method"]).base)
        if cell["kind"] != "train" or method is None or method.recipe is None:
            return cell
        published = method.published_recipe(cell["dataset"])
        published = published if published is None else published.changed(cell.get("row_recipe", {}))
        return {**cell, "recipe": _in_result(grid.book.recipe(method, published))}

    return {**previous, "cells": [now(cell) for cell in previous["cells"]]}


def merge(previous: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """The description of a run that is asked for more: what was in it stays, what is asked again is replaced.

    ``previous`` is :func:`restated`. :class:`UserError` where the recipes differ by name, or the precisions: their
    scores do not belong in one table; and where rows of tables want one training under two recipes.
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
    _check_trainings(previous, now)
    commands = dict.fromkeys([*previous["command"].split(" && "), now["command"]])
    merged = {**now, "created": previous["created"], "command": " && ".join(commands)}
    previous = {**previous, "cells": [cell for cell in previous["cells"] if not _other_weights(cell, now["methods"])]}
    for name, identity in (("methods", "name"), ("datasets", "name"), ("cells", "folder")):
        merged[name] = list({entry[identity]: entry for entry in [*previous[name], *now[name]]}.values())
    for name in ("protocols", "seeds", "notices"):
        merged[name] = list(dict.fromkeys([*previous[name], *now[name]]))
    changes = _merged_changes(previous, now)
    seen = [*previous.get("seen_in_training", []), *now["seen_in_training"]]
    merged["seen_in_training"] = list({(entry["train"], entry["test"]): entry for entry in seen}.values())
    merged["input_checks"] = previous.get("input_checks", [])
    merged["manifests"] = {**previous.get("manifests", {}), **now["manifests"]}
    merged["recipes"] = {**previous.get("recipes", {}), **now["recipes"]}
    merged["recipe"] = {"name": after, "comparable": not changes, "changes": changes}
    suites = [info["suite"] for info in (previous, now) if "suite" in info]
    if suites:
        places = {(row["table"], row["row"], row["column"]): row for suite in suites for row in suite["rows"]}
        names = dict.fromkeys(name for suite in suites for name in suite["name"].split(" + "))
        merged["suite"] = {"name": " + ".join(names), "rows": list(places.values())}
    return merged


def _check_trainings(previous: dict[str, Any], now: dict[str, Any]) -> None:
    before = {cell["folder"]: cell.get("recipe") for cell in previous["cells"] if cell["kind"] == "train"}
    for cell in now["cells"]:
        if cell["kind"] == "train" and before.get(cell["folder"], cell["recipe"]) != cell["recipe"]:
            raise UserError(
                f"this run's {cell['folder']} was asked for with a recipe of another table; give another --out, then "
                "both folders to derainbench report"
            )


def _merged_changes(previous: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """What differs from the publications: of methods asked again what does now, of suites that stay all but recipes."""
    asked = {change["method"] for change in now["recipe"]["changes"]} | {m["base"] for m in now["methods"]}
    again = now.get("suite", {}).get("name")
    kept = [
        change
        for change in previous["recipe"]["changes"]
        if change["method"] not in asked or change.get("suite", again) != again
    ]
    changes = [*kept, *now["recipe"]["changes"]]
    return [change for n, change in enumerate(changes) if change not in changes[:n]]


def _other_weights(cell: dict[str, Any], methods: Sequence[dict[str, Any]]) -> bool:
    """Whether an evaluation was of weights under a name that now stands for weights trained on something else."""
    trained_on = {method["name"]: method["weights"]["trained_on"] for method in methods if method["weights"]}
    return cell["method"] in trained_on and cell.get("trained_on") != trained_on[cell["method"]]


def _method(variant: Variant) -> dict[str, Any]:
    paper = variant.method.paper
    return {
        "name": variant.name,
        "base": variant.method.name,
        "title": variant.title,
        "parameters": variant.parameters(),
        "macs": described(variant),
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
        "bibtex": card.bibtex,
        "revision": card.revision,
        "layout": dataset.layout.name,
        "root": str(root),
        "test_digest": dataset.digest("test"),
        "whole": card.counts.test in (None, len(pairs)),
        "other_sizes": other_sizes(card, pairs.sizes()),
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


def _cell(cell: Cell, grid: Plan) -> dict[str, Any]:
    common = {"folder": cell.name, "method": cell.variant.name, "seed": cell.seed, "dataset": cell.dataset.name}
    if isinstance(cell, EvalCell):
        return {"kind": "eval", **common, "trained_on": cell.trained_on}
    row_recipe = grid.row_recipe(cell)
    own = {"row_recipe": dict(row_recipe)} if row_recipe else {}
    return {"kind": "train", **common, "recipe": _in_result(cell.recipe), **own}


def _recipes(cells: Sequence[Cell]) -> dict[str, Any]:
    """The recipe by method; where a method's trainings differ, as two tables may ask, by training."""
    by_method: dict[str, dict[str, Any]] = {}
    for cell in cells:
        if isinstance(cell, TrainCell):
            trained = f"{cell.variant.name} trained on {cell.dataset.name}"
            by_method.setdefault(cell.variant.method.name, {})[trained] = _in_result(cell.recipe)
    named: dict[str, Any] = {}
    for method, recipes in by_method.items():
        (first, *others) = recipes.values()
        named |= recipes if any(other != first for other in others) else {method: first}
    return named


def _in_result(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe its result depends on, as in a cell's inputs."""
    return recipe.model_dump(mode="json", exclude=set(NOT_IN_RESULT))


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
