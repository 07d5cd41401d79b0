"""The boards' means as records of Every Eval Ever's schema 0.2.2 (https://github.com/evaleval/every_eval_ever).

A file a method, dataset and run, at ``every-eval-ever/data/BENCHMARK/DEVELOPER/MODEL/UUID.json``. Scores of single
images have no record: its schema for instances is of texts asked and answered.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from derainbench.metrics.kinds import METRICS
from derainbench.stats import Interval

from ..comparison.cells import Metric, protocol_title
from .boards import Board
from .rows import Row, Source
from .slugs import slug

SCHEMA_VERSION = "0.2.2"
#: A made-up address under which every record's name is hashed: the same row has the same file.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://derainbench/leaderboard")
#: Metrics that have a least and a largest value.
_BOUNDS = {"ssim": (-1.0, 1.0)}


def records(boards: Sequence[Board], sources: Sequence[Source]) -> dict[str, bytes]:
    """The files, by their names below the site. Quoted rows have none: whoever printed them is their source."""
    created = {source.by or source.name: source.results.info.created for source in sources}
    groups: dict[tuple[str, str, str, str], list[tuple[Board, Row, int]]] = {}
    for board in boards:
        for place, row in enumerate(board.rows):
            if row.status != "quoted":
                key = (board.images.dataset.name, board.images.digest, f"{row.method} {row.trained_on}", row.who)
                groups.setdefault(key, []).append((board, row, place))
    found: dict[str, bytes] = {}
    for key, rows in groups.items():
        dataset, _, _, who = key
        row = rows[0][1]
        name = uuid.uuid5(_NAMESPACE, "\n".join([*key, *sorted(row.identity for _, row, _ in rows)]))
        file = f"every-eval-ever/data/derainbench-{slug(dataset)}/{slug(row.page)}/{slug(row.method)}/{name}.json"
        found[file] = (json.dumps(_record(rows, created.get(who, "")), indent=1, ensure_ascii=False) + "\n").encode()
    return found


def _record(rows: Sequence[tuple[Board, Row, int]], created: str) -> dict[str, Any]:
    board, row, _ = rows[0]
    moment = _epoch(created)
    model = f"{slug(row.page)}/{slug(row.method)}"
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"derainbench-{slug(board.images.dataset.name)}/{model}/{moment}",
        "evaluation_timestamp": created,
        "retrieved_timestamp": moment,
        "source_metadata": {
            "source_name": "derainbench leaderboard",
            "source_type": "evaluation_run",
            "source_organization_name": row.who,
            "evaluator_relationship": "other" if row.status == "submitted" else "third_party",
            "additional_details": {"status": row.status},
        },
        "eval_library": {"name": "derainbench", "version": row.version or "unknown"},
        "model_info": {"name": row.title, "id": model, "additional_details": _details(row)},
        "evaluation_results": [
            _result(board, row, metric, board.intervals.get(metric, (None,) * len(board.rows))[place])
            for board, row, place in rows
            for metric, cell in row.cells.items()
            if math.isfinite(cell.value)
        ],
    }


def _details(row: Row) -> dict[str, str]:
    said = {
        "method": row.method,
        "trained_on": row.trained_on,
        "parameters": "" if row.parameters is None else str(row.parameters),
        "weights_licence": row.licence,
        "recipe": row.recipe,
        "precision": row.precision,
        "seeds": ",".join(map(str, row.seeds)),
        "seen_in_training": "yes" if row.seen else "",
        "doubt": row.doubt,
    }
    return {name: value for name, value in said.items() if value}


def _result(board: Board, row: Row, metric: Metric, interval: Interval | None) -> dict[str, Any]:
    dataset, kind = board.images.dataset, METRICS[metric]
    config: dict[str, Any] = {
        "evaluation_description": f"{kind.title} of restored images, {protocol_title(row.protocol)}",
        "metric_id": f"derainbench.{metric}.{row.protocol}",
        "metric_name": f"{kind.title} ({row.protocol})",
        "metric_kind": metric,
        **({"metric_unit": kind.unit} if kind.unit else {}),
        "metric_parameters": {"protocol": row.protocol, "mean_of": dataset.mean_of},
        "lower_is_better": not kind.higher_is_better,
    }
    if metric in _BOUNDS:
        config |= {"score_type": "continuous", "min_score": _BOUNDS[metric][0], "max_score": _BOUNDS[metric][1]}
    score: dict[str, Any] = {"score": row.cells[metric].value, "details": {"trained_on": row.trained_on}}
    if interval is not None:
        ends = {"lower": interval.low, "upper": interval.high, "confidence_level": 0.95}
        score["uncertainty"] = {
            "standard_error": {"value": interval.error, "method": "analytic, clustered by scene"},
            "confidence_interval": {**ends, "method": "bootstrap-t over scenes"},
            "num_samples": interval.images,
        }
    return {
        "evaluation_result_id": f"{row.identity}-{metric}",
        "evaluation_name": f"{dataset.name} {row.protocol} {metric}",
        "source_data": {
            "dataset_name": dataset.title,
            "source_type": "other",
            "source_id": dataset.name,
            "source_version": board.images.digest,
            "additional_details": {"test_images": str(len(dataset.test)), "whole": str(dataset.whole).lower()},
        },
        "metric_config": config,
        "score_details": score,
    }


def _epoch(created: str) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return "0"
    return str(int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))
