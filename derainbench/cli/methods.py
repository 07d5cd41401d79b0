"""The commands about methods: listing, measuring and checking them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.options import (
    OUT,
    DeviceOption,
    JsonOption,
    PluginOption,
    PrecisionOption,
    ThreadsOption,
    say_threads,
)
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.engine import conformance


def methods(plugin: PluginOption = [], as_json: JsonOption = False) -> None:  # noqa: B006
    """List the methods: parameters, options, weights, where each comes from; broken plugins with their error."""
    from derainbench.cli.lists import list_methods
    from derainbench.plugins.registry import discover

    typer.echo(list_methods(discover(plugin), as_json))


def efficiency(
    methods: Annotated[
        str, typer.Option(help="Methods, with commas between, or all; 'derainbench methods' lists them.")
    ] = "all",
    size: Annotated[str, typer.Option(help="Image sizes in pixels: 256x256,512x384 (width x height).")] = "256x256",
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=10**6, help="Timed runs of each; default as many as fit into ten seconds, 3 to 50."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(**OUT, help="Keep it: a run's folder, whose report shows it, or a .json.")
    ] = None,
    figure: Annotated[
        str | None, typer.Option(help="Print the numbers of a figure instead: nasnet/5, or a TOML file.")
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = None,
    plugin: PluginOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Measure what methods cost: parameters, multiply-accumulates, time and memory on this machine.

    Exit status: 0, 1 where something could not be measured (its row says why), 2 for a mistake that you can mend.
    """
    if figure is not None:
        from derainbench.efficiency.module_parameters import module_parameters
        from derainbench.reports.published.module_figures import figure_json, figure_text, published_figure

        shown = published_figure(figure, module_parameters)
        typer.echo(figure_json(shown) if as_json else figure_text(shown))
        return
    from derainbench.efficiency.session import measure_all
    from derainbench.engine.device import choose_engine
    from derainbench.plugins.registry import discover
    from derainbench.run.choices import choose_variants

    say_threads(threads)
    variants = choose_variants(discover(plugin), methods, None)
    if not variants:
        raise UserError("--methods names none; name one at least, or leave it out for all")
    text, complete = measure_all(variants, size, choose_engine(device, precision), repeats, plugin, out, as_json)
    typer.echo(text)
    if not complete:
        raise typer.Exit(1)


def check(
    method: Annotated[
        str,
        typer.Argument(metavar="NAME_OR_FILE", help="A method's or a metric's name, or the file that defines it."),
    ],
    plugin: PluginOption = [],  # noqa: B006
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a method, or a metric, against what the harness relies on: for people who write them."""
    from derainbench.cli.lists import check_line, checks_as_json
    from derainbench.engine.conformance import CHECKS, check_variant
    from derainbench.engine.metric_conformance import METRIC_CHECKS, check_metric
    from derainbench.plugins.registry import discover

    say_threads(threads)
    path = Path(method)
    registry = discover([path, *plugin] if path.suffix == ".py" else plugin)
    metrics = registry.metrics
    if path.suffix == ".py":
        names = [n for n in registry.names() if registry.origin(n) == f"file {path}"]
        of_metrics = [n for n in metrics.names() if metrics.origin(n) == f"file {path}"]
    else:
        of_metrics = [method] if metrics.has(method) else []
        names = [] if of_metrics else [method]
    results: dict[str, dict[str, conformance.CheckOutcome]] = {}
    for name in names:
        variant, results[name] = registry.variant(name), {}
        if not as_json:
            typer.echo(name)
        for description, outcome in check_variant(variant):  # some take long
            results[name][description] = outcome
            if not as_json:
                typer.echo(check_line(description, outcome, max(map(len, CHECKS))))
    for name in of_metrics:
        results[name] = {}
        if not as_json:
            typer.echo(name)
        for description, outcome in check_metric(metrics.get(name)):
            results[name][description] = outcome
            if not as_json:
                typer.echo(check_line(description, outcome, max(map(len, METRIC_CHECKS))))
    if as_json:
        typer.echo(checks_as_json(results))
    if any(outcome.problem for checks in results.values() for outcome in checks.values()):
        raise typer.Exit(2)
