"""``derainbench metrics``."""

from __future__ import annotations

from typing import Annotated

import typer

from derainbench.cli.options import JsonOption, PluginOption


def metrics(
    names: Annotated[list[str], typer.Argument(metavar="[NAME...]", help="Say all of these, not a row of each.")] = [],  # noqa: B006 - typer copies it
    plugin: PluginOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """List the metrics that --metrics knows, whose code measures, and what each needs."""
    from derainbench.cli.metric_lists import describe_metrics, list_metrics, metrics_json
    from derainbench.plugins.registry import discover

    known = discover(plugin).metrics
    chosen = [known.get(name) for name in names]
    if as_json:
        typer.echo(metrics_json(known, chosen))
    elif chosen:
        typer.echo(describe_metrics(chosen))
    else:
        typer.echo(list_metrics(known))
