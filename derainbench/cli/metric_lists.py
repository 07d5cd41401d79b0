"""The metrics beside PSNR and SSIM, as text for a person or JSON for a script."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from derainbench.errors import UserError
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.metric_registry import MetricRegistry, identity, require


def list_metrics(registry: MetricRegistry) -> str:
    """A row a metric; broken ones with their error."""
    known, broken = _found(registry)
    rows = [
        (
            each.name,
            each.better,
            "yes" if each.needs_reference else "no",
            textwrap.fill(f"{each.implementation}, {each.version}", 48),
            "no" if _lacking(each) else "yes",
            registry.origin(each.name),
        )
        for each in known
    ]
    headers = ["metric", "better", "reference", "measured by", "ready", "from"]
    lines = [tabulate(rows, headers, disable_numparse=True)]
    lines.append(
        "\npsnr and ssim are measured under every protocol: derainbench protocols. These measure the 8-bit image, each "
        "in its own way,\nwhere --metrics asks for them; derainbench metrics NAME says all of one, and what it lacks. "
        "pyiqa:NAME is one of pyiqa's."
    )
    return "\n".join([*lines, *(f"\nbroken: {error}" for error in broken.values())])


def describe_metrics(metrics: Sequence[ImageMetric]) -> str:
    """Each metric in full."""
    blocks = []
    for each in metrics:
        lines = [f"{each.name}: {each.title}{f' in {each.unit}' if each.unit else ''}, {each.better} is better"]
        lines.append(f"of {'the restored image and its ground truth' if each.needs_reference else 'the image alone'}")
        lines += [f"published in {each.paper}"] if each.paper else []
        lines += [f"measured by {identity(each)}", f"licence: {each.licence}"]
        lines += [problem] if (problem := _lacking(each)) else []
        blocks.append("\n  ".join(lines))
    return "\n\n".join(blocks)


def metrics_json(registry: MetricRegistry, chosen: Sequence[ImageMetric]) -> str:
    """Every metric's record, or those of the ``chosen``."""
    known, broken = ([*chosen], {}) if chosen else _found(registry)
    entries = [_entry(each, registry.origin(each.name)) for each in known]
    errors = [{"name": name, "error": error} for name, error in broken.items()]
    return json.dumps({"metrics": entries, "broken": errors}, indent=2)


def _entry(metric: ImageMetric, origin: str) -> dict[str, Any]:
    told = ("name", "title", "unit", "digits", "higher_is_better", "needs_reference", "implementation", "version")
    more = ("revision", "licence", "paper", "networks", "packages")
    return {
        **{name: getattr(metric, name) for name in (*told, *more)},
        "identity": identity(metric),
        "lacks": _lacking(metric),
        "from": origin,
    }


def _found(registry: MetricRegistry) -> tuple[list[ImageMetric], dict[str, str]]:
    known, broken = [], {}
    for name in registry.names():
        try:
            known.append(registry.get(name))
        except UserError as error:
            broken[name] = str(error)
    return known, broken


def _lacking(metric: ImageMetric) -> str:
    try:
        require(metric)
    except UserError as error:
        return str(error)
    return ""
