"""The report as data for scripts, ``results.json``: docs/results.md says what each field means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from derainbench import __version__
from derainbench.results import DatasetInRun, MethodInRun, Results

from ..comparison.entries import Entry
from ..comparison.reproduction import Reproduction
from ..comparison.table import ComparisonTable, protocol_title, protocols
from ..content import Content
from ..provenance import Change
from .published import published_tables
from .statistics import statistics_data
from .values import cell_data, dumps

#: The name stays while every field keeps its meaning; fields that are added do not change it.
SCHEMA = "derainbench-results/1"

#: What is said of how each run was made, where run.json has it.
_OF_A_RUN = ("recipe", "created", "command", "derainbench", "precision", "seeds", "protocols", "machine", "versions")


def results_json(content: Content) -> str:
    """All that the report shows but the images and curves, as JSON: NaN is null, infinities are ``"inf"``, ``"-inf"``.

    The same content gives the same text. Methods, datasets and rows stand in the report's order.
    """
    results, source = content.results, content.source
    return dumps(
        {
            "schema": SCHEMA,
            "written_by": f"derainbench {__version__}",
            "name": source.run,
            "recipe": source.recipe,
            "comparable": source.comparable,
            "changes": [_change(change) for change in source.changes],
            "notices": source.notices,
            "runs": _runs(results, source.run),
            "seen_in_training": results.info.get("seen_in_training", []),
            "input_checks": results.info.get("input_checks", []),
            "protocols": [{"name": name, "title": protocol_title(name)} for name in protocols(results)],
            "methods": [_method(method) for method in results.methods],
            "datasets": [_dataset(dataset, _digests(results)) for dataset in results.datasets],
            "tables": [_table(table, content) for table in content.tables],
            "statistics": statistics_data(content.grids, content.statistics),
            "reproductions": [_reproduction(row) for row in content.reproductions],
            "paper_tables": published_tables(content.paper),
            "efficiency": content.efficiency,
            "failures": [{"cell": failure.cell, "error": failure.error} for failure in results.failures],
        }
    )


def _runs(results: Results, name: str) -> list[dict[str, Any]]:
    """How each run was made: the run itself, or all that were merged."""
    of_each: Sequence[Mapping[str, Any]] = results.info.get("runs") or [{"name": name, **results.info}]
    return [{key: info[key] for key in ("name", *_OF_A_RUN) if key in info} for info in of_each]


def _change(change: Change) -> dict[str, str]:
    return {"method": change.method, "field": change.field, "paper": change.paper, "here": change.here}


def _method(method: MethodInRun) -> dict[str, Any]:
    return {
        "name": method.name,
        "title": method.title,
        "base": method.base,
        "parameters": method.parameters,
        "macs": method.macs,
        "reach": method.reach,
        "verified": not method.unverified,
        "weights": method.weights,
        "paper": method.paper,
    }


def _digests(results: Results) -> Mapping[str, str]:
    return {entry["name"]: entry.get("test_digest", "") for entry in results.info.get("datasets", ())}


def _dataset(dataset: DatasetInRun, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "rain_model": dataset.rain_model,
        "kind": dataset.kind,
        "images": len(dataset.test),
        "scenes": len({pair.scene for pair in dataset.test}),
        "whole": dataset.whole,
        "other_sizes": dataset.other_sizes,
        "test_digest": digests.get(dataset.name) or None,
    }


def _table(table: ComparisonTable, content: Content) -> dict[str, Any]:
    not_worse = _not_worse(content, table.protocol)
    cells = [
        {
            **_line(row.entry),
            "dataset": column.dataset.name,
            "metric": column.metric,
            **cell_data(cell),
            "not_worse_than_best": (*_names(row.entry), column.dataset.name, column.metric) in not_worse,
        }
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]
    return {"protocol": table.protocol, "title": table.title, "cells": cells, "notes": table.notes}


def _not_worse(content: Content, protocol: str) -> set[tuple[str | None, ...]]:
    """Method, training set, dataset and metric of what a test does not find worse than the best."""
    return {
        (*_names(content.grids[dataset, protocol].lines[line]), dataset, metric)
        for (dataset, of, metric), found in content.statistics.items()
        if of == protocol
        for line in found.not_worse
    }


def _names(entry: Entry) -> tuple[str, str | None]:
    return entry.method.name, entry.trained_on


def _line(entry: Entry) -> dict[str, Any]:
    return dict(zip(("method", "trained_on"), _names(entry), strict=True))


def _reproduction(row: Reproduction) -> dict[str, Any]:
    return {
        "method": row.name,
        "dataset_title": row.dataset,
        "protocol": row.protocol,
        "psnr": {"here": row.psnr[0], "published": row.psnr[1]},
        "ssim": {"here": row.ssim[0], "published": row.ssim[1]},
        "source": row.source,
    }
