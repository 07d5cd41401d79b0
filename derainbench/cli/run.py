"""``derainbench run``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derainbench.cli.exit_status import debugging
from derainbench.cli.fetch import (
    YesOption,
    agreed,
    fetch_agreed_datasets,
    fetch_agreed_weights,
    offered_datasets,
    offered_weights,
)
from derainbench.cli.options import (
    MOST_WORKERS,
    OUT,
    CardOption,
    DataOption,
    DeviceOption,
    MetricsOption,
    PluginOption,
    PrecisionOption,
    ThreadsOption,
    TileOption,
)
from derainbench.cli.run_config import config_text, read_config
from derainbench.engine.threads import use_threads
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.run.execute import RunOutcome
    from derainbench.run.plan import Order
    from derainbench.run.wanted import Suite


class Baseline(StrEnum):
    """Whether the unprocessed input takes part in the comparison."""

    IDENTITY = "identity"
    NONE = "none"


def run(
    context: typer.Context,
    methods: Annotated[
        str | None, typer.Option(help="Methods, with commas between: nasnet, 'nasnet[attention=se]', or all.")
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Cards, a rain model (streak, drop, mist), demo, or all. With --suite: one, instead of all of its."
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="Instead of methods, what tables need: rain13k, drsformer, ..., or a TOML file."),
    ] = None,
    reduce: Annotated[
        str | None, typer.Option(help="With --suite: options for all of its networks, blocks=1,width=8.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="auto, paper, quick, or a TOML file. auto: see docs/recipes.md.")
    ] = "auto",
    out: Annotated[
        Path | None, typer.Option(**OUT, help="The run folder; default runs/RECIPE or SUITE-RECIPE.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, a training each: 0,1,2 for three; 2 is the one seed 2.")] = "0",
    protocols: Annotated[
        str, typer.Option(help="Metric protocols, all, or TOML files of your own; default y,rgb,rgb-float-u7.")
    ] = "",
    metrics: MetricsOption = "",
    baseline: Annotated[
        Baseline | None,
        typer.Option(help="Whether to add the unprocessed input; default identity, with a suite none."),
    ] = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="Test every training on every dataset, not only its own.")
    ] = False,
    device: DeviceOption = "auto",
    devices: Annotated[
        str, typer.Option(metavar="all|0,1,3|cpu:N", help="Several devices, a process on each: GPUs, or N on the CPU.")
    ] = "",
    executor: Annotated[
        str,
        typer.Option(
            metavar="inline|processes|ray[=ADDRESS]|slurm[=NAME=VALUE,...]", help="What carries out the cells."
        ),
    ] = "",
    devices_per_cell: Annotated[
        int, typer.Option(min=1, max=64, help="Train each on so many of the --devices, the batch shared out.")
    ] = 1,
    precision: PrecisionOption = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile trainings: fewer, larger kernels; other last bits, another key.")
    ] = False,
    tile: TileOption = "auto",
    threads: ThreadsOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_WORKERS,
            help="Processes that load training data; the result is the same. Default: 4 for a GPU, otherwise none.",
        ),
    ] = None,
    log: Annotated[
        str, typer.Option(metavar="none|tensorboard", help="Where trainings show curves, beside their log.jsonl.")
    ] = "none",
    images: Annotated[
        str,
        typer.Option(
            metavar="none|some|all", help="Restored images that are kept; some: twelve a test set. Default: all."
        ),
    ] = "",
    data_root: DataOption = None,
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
    fetch: Annotated[
        bool, typer.Option("--fetch", help="First fetch what is named and not here: published weights, datasets.")
    ] = False,
    yes: YesOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and stop.")] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", is_eager=True, callback=read_config, help="A TOML file of these options."),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the options as such a file, and stop.")
    ] = False,
) -> None:
    """Train and evaluate methods on datasets: what is missing is done, what is finished is kept.

    The same command resumes an interrupted run. Exit status: 0, 2 for a mistake that you can mend, 1 for a crash.
    """
    if print_config:
        typer.echo(config_text(context), nl=False)
        return
    if devices and not dry_run:
        from derainbench.run.executors.forks import begin_to_load

        begin_to_load()
    from derainbench.run.plan import Order

    order = Order(
        methods=methods,
        datasets=datasets,
        suite=_suite(suite, card) if suite is not None else None,
        reduce=reduce,
        baseline=None if baseline is None else baseline is Baseline.IDENTITY,
        recipe=recipe,
        out=out,
        seeds=seeds,
        protocols=protocols,
        metrics=metrics,
        cross=cross,
        device=device,
        devices=devices,
        executor=executor,
        devices_per_cell=devices_per_cell,
        compiled=compiled,
        log=log,
        images=images,
        precision=precision,
        tile=tile,
        workers=workers,
        threads=threads,
        data_root=data_root,
        plugin=plugin,
        card=card,
    )
    if yes and not fetch:
        raise UserError("--yes answers what --fetch asks; give both, or neither")
    if fetch and not _fetch(order, yes, dry_run):
        return
    fulfil(order, dry_run)


def _fetch(order: Order, yes: bool, dry_run: bool) -> bool:
    """Fetch what the order names and this machine does not have, if that is agreed to; or say only what it is.

    Whether the order can be planned then: not without the datasets.
    """
    from derainbench.plugins.registry import discover
    from derainbench.run.fetchable import lacking

    registry = discover(order.plugin)
    wanted = lacking(order, registry)
    offers = [*offered_weights(wanted), *offered_datasets(wanted.cards, order.data_root)]
    if offers:
        agreed(offers, yes or dry_run)
    if offers and not dry_run:
        fetch_agreed_weights(wanted, registry)
        fetch_agreed_datasets(wanted.cards, order.data_root)
    if dry_run and wanted.cards:
        typer.echo("what would be done then depends on their files")
    return not (dry_run and wanted.cards)


def fulfil(order: Order, dry_run: bool) -> None:
    """Plan an order, carry it out, and say what came of it; or say only what would be done."""
    from derainbench.reports.content import content
    from derainbench.reports.text.terminal import terminal
    from derainbench.run.command import carry_out, show
    from derainbench.run.plan import plan_run

    use_threads(order.threads)
    planned = plan_run(order)
    if dry_run:
        show(planned)
        return
    done = carry_out(planned, debug=debugging())
    typer.echo("\n" + terminal(content(done.results)))
    _conclude(done.folder, done.outcome, done.notices)


def _suite(word: str, card: Sequence[Path]) -> Suite:
    from derainbench.catalogue.cards import all_cards
    from derainbench.reports.published.suites import read_suite

    suite: Suite = read_suite(word, list(all_cards(card)))
    return suite


def _conclude(folder: Path, outcome: RunOutcome, notices: Sequence[str]) -> None:
    """The last lines of a run, and its exit status."""
    for notice in notices:
        typer.echo(f"note: {notice}")
    typer.echo(f"{folder}: {outcome.done} done, {outcome.skipped} kept, {len(outcome.failed)} failed")
    typer.echo(f"next: derainbench report {folder}")
    if outcome.failed:
        raise typer.Exit(1 if outcome.crashed else 2)
