"""The report as data for scripts, ``results.json``: docs/results.md says what each field means."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from derainbench import __version__
from derainbench.results.results import DatasetInRun, MethodInRun, Results
from derainbench.results.run_info import Info, as_data
from derainbench.stats import Interval, OverSeeds, Paired, Ranks, Refusal

from ..comparison.cells import Cell, ComparisonTable, Metric, protocol_title
from ..comparison.entries import Entry
from ..comparison.grids import ScoreGrid
from ..comparison.provenance import Change
from ..comparison.reproduction import Reproduction
from ..comparison.statistics import DatasetStatistics
from ..content import Content
from ..published.filled import FilledRow, FilledTable, PublishedCell
from ..published.joint import JointRow, JointTable
from ..published.shipped import TableColumn


def dumps(value: Any) -> str:
    """``value`` as indented JSON with a line feed at its end. NaN becomes null, infinities ``"inf"`` and ``"-inf"``.

    Keys keep their order, floats their full precision. ValueError for an object that JSON has no form for.
    """
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """``value`` with every float that JSON lacks replaced, at any depth; tuples become lists."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def number(value: float) -> float | str | None:
    """A float as JSON can say it."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)


def cell_data(cell: Cell) -> dict[str, Any]:
    """A table's cell: the exact value beside what is printed of it."""
    return {
        "state": cell.state,
        "value": cell.value,
        "text": cell.text,
        "deviation": cell.deviation,
        "seeds": cell.seeds,
        "infinite": cell.infinite,
        "rank": cell.rank,
        "seen_in_training": cell.seen,
    }


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
            "seen_in_training": [as_data(entry) for entry in results.info.seen_in_training],
            "input_checks": [as_data(entry) for entry in results.info.input_checks],
            "protocols": [{"name": name, "title": protocol_title(name)} for name in content.run.protocols],
            "methods": [_method(method) for method in results.methods],
            "datasets": [_dataset(dataset, _digests(results)) for dataset in results.datasets],
            "tables": [_table(table, content) for table in content.tables],
            "statistics": statistics_data(content.grids, content.statistics),
            "reproductions": [_reproduction(row) for row in content.reproductions],
            "paper_tables": published_tables(content.paper),
            **({"joint_tables": joint_tables_data(content.joint)} if content.joint else {}),
            "efficiency": content.efficiency.data() if content.efficiency.sessions else None,
            "failures": [{"cell": failure.cell, "error": failure.error} for failure in results.failures],
        }
    )


def _runs(results: Results, name: str) -> list[dict[str, Any]]:
    """How each run was made: the run itself, or all that were merged."""
    of_each = [as_data(run) for run in results.info.runs] or [{"name": name, **as_data(results.info)}]
    return [{key: info[key] for key in ("name", *_OF_A_RUN) if key in info} for info in of_each]


def _change(change: Change) -> dict[str, str]:
    return {"method": change.method, "field": change.field, "paper": change.paper, "here": change.here}


def _method(method: MethodInRun) -> dict[str, Any]:
    return {
        "name": method.name,
        "title": method.title,
        "base": method.base,
        "parameters": method.parameters,
        "macs": _data_of(method.macs),
        "reach": method.reach,
        "verified": not method.unverified,
        "weights": _data_of(method.weights),
        "paper": _data_of(method.paper),
    }


def _data_of(info: Info | None) -> dict[str, Any] | None:
    return None if info is None else as_data(info)


def _digests(results: Results) -> Mapping[str, str]:
    return {each.name: each.test_digest for each in results.info.datasets}


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
        **{metric: {"here": here, "published": printed} for metric, (here, printed) in row.scores.items()},
        "source": row.source,
    }


def statistics_data(
    grids: Mapping[tuple[str, str], ScoreGrid], statistics: Mapping[tuple[str, str, Metric], DatasetStatistics]
) -> list[dict[str, Any]]:
    """An entry a dataset, protocol and metric. ``lines`` are rows of the comparison, which pairs and ranks number."""
    return [_entry(grids[each.dataset, each.protocol], each) for each in statistics.values()]


def _entry(grid: ScoreGrid, found: DatasetStatistics) -> dict[str, Any]:
    lines = [
        {
            "method": line.method.name,
            "trained_on": line.trained_on,
            "interval": _interval(found.intervals[number]),
            "over_seeds": _over_seeds(found.seeds[number]),
            "not_worse_than_best": number in found.not_worse,
        }
        for number, line in enumerate(grid.lines)
    ]
    pairs = [{"first": first, "second": second, **_pair(pair)} for (first, second), pair in found.pairs.items()]
    return {
        "dataset": found.dataset,
        "protocol": found.protocol,
        "metric": found.metric,
        "best": found.best,
        "lines": lines,
        "pairs": pairs,
        "ranks": _ranks(found.ranks),
        "sentences": found.sentences,
    }


def _interval(interval: Interval | Refusal) -> dict[str, Any]:
    if isinstance(interval, Refusal):
        return {"refused": interval.reason}
    return {
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "standard_error": interval.error,
        "images": interval.images,
        "scenes": interval.clusters,
        "infinite": interval.infinite,
        "refused": None,
    }


def _over_seeds(found: OverSeeds | Refusal) -> dict[str, Any]:
    if isinstance(found, Refusal):
        return {"refused": found.reason}
    return {
        "mean": found.mean,
        "deviation": found.deviation,
        "low": found.low,
        "high": found.high,
        "seeds": found.seeds,
        "refused": None,
    }


def _pair(pair: Paired | Refusal) -> dict[str, Any]:
    if isinstance(pair, Refusal):
        return {"refused": pair.reason}
    return {
        "wins": pair.wins,
        "ties": pair.ties,
        "losses": pair.losses,
        "missing": pair.missing,
        "mean_difference": pair.mean_difference,
        "median_difference": pair.median_difference,
        "p": pair.p,
        "effect": pair.effect,
        "scenes": pair.units,
        "scenes_that_differ": pair.differing,
        "refused": None,
    }


def _ranks(ranks: Ranks | Refusal) -> dict[str, Any]:
    if isinstance(ranks, Refusal):
        return {"refused": ranks.reason}
    return {
        "mean_ranks": ranks.mean_ranks,
        "statistic": ranks.statistic,
        "p": ranks.p,
        "critical_difference": ranks.critical_difference,
        "cliques": ranks.cliques,
        "scenes": ranks.units,
        "refused": None,
    }


def published_tables(tables: Sequence[FilledTable]) -> list[dict[str, Any]]:
    """An entry a table; published numbers are texts, with the digits that are printed, null where nothing is."""
    return [_published_table(table) for table in tables]


def joint_tables_data(tables: Sequence[JointTable]) -> list[dict[str, Any]]:
    """An entry a table of quoted and measured rows; quoted numbers are texts, to the digits of their column."""
    return [
        {
            "name": joint.table.name,
            "title": joint.table.title,
            "caption": joint.table.caption,
            "columns": [{"title": column.title, "protocol": column.protocol} for column in joint.columns],
            "rows": [
                _joint_row(row, apart) for apart, rows in ((False, joint.rows), (True, joint.apart)) for row in rows
            ],
            "notes": joint.notes,
            "sources": {key: source.text for key, source in joint.table.sources.items()},
        }
        for joint in tables
    ]


def _joint_row(row: JointRow, apart: bool) -> dict[str, Any]:
    return {
        "name": row.name,
        "measured": row.measured,
        "apart": apart,
        "cells": [
            {
                **{metric: _joint_score(score, row.measured) for metric, score in cell.scores.items()},
                "protocol": cell.tag or None,
                "source": cell.source or None,
                "note": cell.note,
            }
            for cell in row.cells
        ],
    }


def _joint_score(score: Cell, measured: bool) -> Any:
    if measured:
        return cell_data(score)
    return score.text if score.state == "finished" else None


def _published_table(filled: FilledTable) -> dict[str, Any]:
    table = filled.table
    return {
        "name": table.name,
        "title": table.title,
        "caption": table.caption,
        "kind": table.kind,
        "columns": [{"dataset": column.dataset, "title": column.title} for column in table.columns],
        "rows": [_published_row(row, table.columns) for row in filled.rows],
        "notes": filled.notes,
        "sources": {key: source.text for key, source in table.sources.items()},
    }


def _published_row(row: FilledRow, columns: Sequence[TableColumn]) -> dict[str, Any]:
    counts = row.counts
    return {
        "title": row.title,
        "published": [_published(*each) for each in zip(columns, row.published, strict=False)],
        "measured": [
            {
                "protocol": protocol,
                "dataset": column.dataset,
                **{metric: cell_data(cell) for metric, cell in row.here(protocol, n).items()},
            }
            for protocol in row.measured
            for n, column in enumerate(columns)
        ],
        "filled_by": row.filled_by or None,
        "parameters": None if counts is None else {"published": counts[0], "counted": counts[1]},
    }


def _published(column: TableColumn, cell: PublishedCell) -> dict[str, Any]:
    return {
        "dataset": column.dataset,
        **{metric: each.text if each.state == "finished" else None for metric, each in cell.scores.items()},
        "protocol": cell.protocol,
        "guess": cell.guess,
        "source": cell.source or None,
        "note": cell.note,
    }
