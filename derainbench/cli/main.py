"""The commands. The only module that knows the methods, the datasets and the reports at once.

Everything heavy is imported inside the commands, so that ``derainbench --help`` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from derainbench import __version__
from derainbench.cli.datasets import datasets_app
from derainbench.cli.exit_status import debugging, status_of
from derainbench.cli.options import (
    MOST_WORKERS,
    OUT,
    CardOption,
    DataOption,
    DeviceOption,
    JsonOption,
    PluginOption,
    PrecisionOption,
    ThreadsOption,
    TileOption,
    check_words,
)
from derainbench.cli.weights import weights_app
from derainbench.errors import UserError
from derainbench.support.stopping import obeyed
from derainbench.support.threads import use_threads, wait_briefly_where_busy

if TYPE_CHECKING:
    from derainbench.engine import conformance
    from derainbench.run.execute import Outcome
    from derainbench.run.suite import Suite

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # its boxes take longer to import than all the rest of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare single-image deraining methods under named metric protocols.",
)
app.add_typer(datasets_app, name="datasets", short_help="List, check, compare and make datasets.")
app.add_typer(weights_app, name="weights", short_help="List, add and export trained weights.")


class Baseline(StrEnum):
    """Whether the unprocessed input takes part in the comparison."""

    IDENTITY = "identity"
    NONE = "none"


class PageImages(StrEnum):
    """Where the images of a report's page are."""

    EMBED = "embed"
    BESIDE = "beside"
    NONE = "none"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"derainbench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Options of every command."""
    check_words(sys.argv[1:], os.environ)


@app.command(short_help="Train and evaluate methods on datasets.")
def run(
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
        typer.Option(help="Instead of methods: what tables need; nasnet-tables, nasnet-ablations, or a TOML file."),
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
    protocols: Annotated[str, typer.Option(help="Metric protocols; default y,rgb,rgb-float-u7.")] = "",
    baseline: Annotated[
        Baseline | None,
        typer.Option(help="Whether to add the unprocessed input; default identity, with a suite none."),
    ] = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="Test every training on every dataset, not only its own.")
    ] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    tile: TileOption = "auto",
    threads: ThreadsOption = None,
    workers: Annotated[
        int, typer.Option(min=0, max=MOST_WORKERS, help="Processes that load training data; the result is the same.")
    ] = 0,
    data_root: DataOption = None,
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and stop.")] = False,
) -> None:
    """Train and evaluate methods on datasets: what is missing is done, what is finished is kept.

    The same command resumes an interrupted run. Exit status: 0, 2 for a mistake that you can mend, 1 for a crash.
    """
    from derainbench.reports.content import content
    from derainbench.reports.text.terminal import terminal
    from derainbench.run.command import carry_out, show
    from derainbench.run.plan import Order, plan_run

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
        cross=cross,
        device=device,
        precision=precision,
        tile=tile,
        workers=workers,
        data_root=data_root,
        plugin=plugin,
        card=card,
    )
    use_threads(threads)
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


def _conclude(folder: Path, outcome: Outcome, notices: Sequence[str]) -> None:
    """The last lines of a run, and its exit status."""
    for notice in notices:
        typer.echo(f"note: {notice}")
    typer.echo(f"{folder}: {outcome.done} done, {outcome.skipped} kept, {len(outcome.failed)} failed")
    typer.echo(f"next: derainbench report {folder}")
    if outcome.failed:
        raise typer.Exit(1 if outcome.crashed else 2)


@app.command(short_help="Write the comparison: page, LaTeX, CSV, ...")
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders; several are merged into one.")],
    formats: Annotated[
        str, typer.Option("--format", help="Any of html, latex, markdown, csv, json, pdf (needs LaTeX), or all.")
    ] = "html,latex,markdown,csv,json",
    protocol: Annotated[
        str | None, typer.Option(help="The protocol of the table printed here, one of the run's; default its first.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(**OUT, help="Where to write; default RUN/report, for several runs ./report.")
    ] = None,
    images: Annotated[
        PageImages, typer.Option(help="Whether the page holds the images, or has them beside it, or none.")
    ] = PageImages.EMBED,
    table: Annotated[
        list[str],
        typer.Option(help="Published tables: nasnet, nasnet/3, a TOML file of your own, or none; repeatable."),
    ] = ["nasnet"],  # noqa: B006 - typer copies it
    siunitx: Annotated[bool, typer.Option("--siunitx", help="Set LaTeX's numbers in siunitx columns.")] = False,
) -> None:
    """Write the comparison as a page, LaTeX tables, Markdown, CSV and JSON, and print it.

    Measured scores stand beside those that papers print. Several runs are merged into one report.
    """
    from derainbench.reports.options import check_protocol, formats_of, tables_of

    asked, tables = formats_of(formats, siunitx), tables_of(table)
    check_protocol(protocol, runs)
    from derainbench.reports.content import folder_for, report_of
    from derainbench.reports.latex.numbers import PLAIN, SIUNITX
    from derainbench.reports.text.terminal import terminal
    from derainbench.reports.write import Style, write_report

    content = report_of(runs, tables)
    text = terminal(content, protocol)
    style = Style(images.value, SIUNITX if siunitx else PLAIN)
    path = write_report(content, folder_for(runs, out), asked, style)
    typer.echo(text)
    typer.echo(str(path))


@app.command(short_help="Say what changed between two runs.")
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="The folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="The folder of another.")],
    protocol: Annotated[
        str | None, typer.Option(help="The protocol to compare under; default the first of both.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed from one run to another: scores, whether beyond chance, and what they depended on.

    Exit status: 0 whatever the outcome, 2 for a mistake that you can mend.
    """
    from derainbench.reports.text.run_comparison import comparison_json, comparison_text
    from derainbench.results.comparing import compare_runs
    from derainbench.results.load import load_results

    comparison = compare_runs(load_results(first), load_results(second), protocol)
    typer.echo((comparison_json if as_json else comparison_text)(comparison), nl=False)


@app.command(short_help="List the methods.")
def methods(plugin: PluginOption = [], as_json: JsonOption = False) -> None:  # noqa: B006
    """List the methods: parameters, options, weights, where each comes from; broken plugins with their error."""
    from derainbench.cli.lists import list_methods
    from derainbench.plugins.registry import discover

    typer.echo(list_methods(discover(plugin), as_json))


@app.command(short_help="Measure what methods cost.")
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
        from derainbench.reports.published.counted_figures import figure_json, figure_text, published_figure

        shown = published_figure(figure)
        typer.echo(figure_json(shown) if as_json else figure_text(shown))
        return
    from derainbench.efficiency.session import measure_all
    from derainbench.engine.device import choose_engine
    from derainbench.plugins.registry import discover
    from derainbench.run.choices import choose_variants

    use_threads(threads)
    variants = choose_variants(discover(plugin), methods, None)
    text, complete = measure_all(variants, size, choose_engine(device, precision), repeats, plugin, out, as_json)
    typer.echo(text)
    if not complete:
        raise typer.Exit(1)


@app.command(short_help="Take the rain out of photographs.")
def derain(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photographs of any size.")],
    method: Annotated[str, typer.Option(help="The method, with its options: prenet, 'nasnet[stages=2]'.")],
    weights: Annotated[
        Path | None, typer.Option(help="A weights file, or the folder of a run that trained it.")
    ] = None,
    trained_on: Annotated[str | None, typer.Option(help="Which of the run's trainings, by dataset.")] = None,
    out: Annotated[
        Path | None, typer.Option(**OUT, help="Folder for the results; default beside each photograph.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")] = False,
    tile: TileOption = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    plugin: PluginOption = [],  # noqa: B006
) -> None:
    """Take the rain out of your own photographs; writes PHOTO-METHOD.png."""
    from derainbench.engine.device import choose_engine
    from derainbench.engine.photo import derain_photo
    from derainbench.engine.restore import parse_tile, restorer
    from derainbench.plugins.registry import discover
    from derainbench.plugins.weights import load_into
    from derainbench.run.trained_weights import find_weights

    use_threads(threads)
    asked = parse_tile(tile)
    variant = discover(plugin).variant(method)
    fabric = choose_engine(device, precision).fabric
    network = variant.build()
    source = find_weights(variant, weights, trained_on)
    if source is not None:
        load_into(network, variant, source)
    targets = [(out or photo.parent) / f"{photo.stem}-{variant.name}.png" for photo in photos]
    for target in targets:
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists; give --overwrite or another --out")
        if targets.count(target) > 1:
            raise UserError(f"two photographs would be written to {target}; give them one at a time, or no --out")
    restore = restorer(fabric, network, asked)
    for photo, target in zip(photos, targets, strict=True):
        derain_photo(photo, target, restore)
        typer.echo(str(target))


@app.command(short_help="Check a method that you write.")
def check(
    method: Annotated[
        str, typer.Argument(metavar="METHOD_OR_FILE", help="A method's name, or the file that defines it.")
    ],
    plugin: PluginOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Check a method against what the harness relies on: the conformance kit, for people who write methods."""
    from derainbench.cli.lists import check_line, checks_as_json
    from derainbench.engine.conformance import CHECKS, check_variant
    from derainbench.plugins.registry import discover

    path = Path(method)
    registry = discover([path, *plugin] if path.suffix == ".py" else plugin)
    names = [n for n in registry.names() if registry.origin(n) == f"file {path}"] if path.suffix == ".py" else [method]
    results: dict[str, dict[str, conformance.Outcome]] = {}
    for name in names:
        variant, results[name] = registry.variant(name), {}
        if not as_json:
            typer.echo(name)
        for description, outcome in check_variant(variant):  # some take long
            results[name][description] = outcome
            if not as_json:
                typer.echo(check_line(description, outcome, max(map(len, CHECKS))))
    if as_json:
        typer.echo(checks_as_json(results))
    if any(outcome.problem for checks in results.values() for outcome in checks.values()):
        raise typer.Exit(2)


def main() -> NoReturn:
    """Run a command; a mistake that the user can mend is one line on standard error and exit status 2."""
    # At its end Python looks for garbage among all that torch has made, which takes half a second and frees nothing.
    atexit.register(gc.freeze)
    wait_briefly_where_busy()
    with obeyed():
        status = status_of(lambda: app(standalone_mode=False))
    sys.exit(status)
