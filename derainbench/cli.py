"""The commands. The only module that knows the methods, the datasets and the reports at once.

Everything heavy is imported inside the commands, so that ``derainbench --help`` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from derainbench import __version__
from derainbench.cli_options import (
    CardOption,
    DataOption,
    DeviceOption,
    JsonOption,
    PluginOption,
    PrecisionOption,
    TileOption,
    same_files,
)
from derainbench.datasets_cli import datasets_app
from derainbench.errors import UserError
from derainbench.weights_cli import weights_app

if TYPE_CHECKING:
    from derainbench.runner import Outcome

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare single-image deraining methods under named metric protocols.",
)
app.add_typer(datasets_app, name="datasets")
app.add_typer(weights_app, name="weights")

#: The exit status of a program that was stopped by Ctrl-C.
INTERRUPTED = 130


class Baseline(StrEnum):
    """Whether the unprocessed input takes part in the comparison."""

    IDENTITY = "identity"
    NONE = "none"


class PageImages(StrEnum):
    """Whether a report's page holds the images."""

    EMBED = "embed"
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


@app.command()
def run(
    methods: Annotated[
        str, typer.Option(help="Methods, with commas between: nasnet, 'nasnet\\[attention=se]', or all.")
    ],
    datasets: Annotated[str, typer.Option(help="Cards, a rain model (streak, drop, mist), demo, or all.")],
    recipe: Annotated[
        str, typer.Option(help="auto, paper, quick, or a TOML file. auto: see docs/recipes.md.")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="The run folder; default runs/RECIPE.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas: a training each.")] = "0",
    protocols: Annotated[str, typer.Option(help="Metric protocols; default y,rgb,rgb-float-u7.")] = "",
    baseline: Annotated[
        Baseline, typer.Option(help="Add the unprocessed input to the comparison.")
    ] = Baseline.IDENTITY,
    cross: Annotated[
        bool, typer.Option("--cross", help="Test every training on every dataset, not only its own.")
    ] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    tile: TileOption = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that load training data; the result is the same.")] = 0,
    data_root: DataOption = None,
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and stop.")] = False,
) -> None:
    """Train and evaluate methods on datasets: what is missing is done, what is finished is kept.

    The same command resumes an interrupted run. Exit status: 0, 2 for a mistake that you can mend, 1 for a crash.
    """
    from derainbench.choices import (
        choose_datasets,
        choose_protocols,
        choose_recipe,
        choose_seeds,
        choose_variants,
        dataset_finder,
    )
    from derainbench.engine import choose_engine, describe_machine
    from derainbench.grid import Grid
    from derainbench.input_check import with_input_checks
    from derainbench.manifest import keep_manifests
    from derainbench.provenance import describe_run, merge, splits_of
    from derainbench.recipes import recipe_book
    from derainbench.registry import discover
    from derainbench.reports.terminal import terminal
    from derainbench.restore import parse_tile
    from derainbench.runner import execute
    from derainbench.store import Store, load_results
    from derainbench.watch import ConsoleWatcher, look_at_training_sets, print_plan, read_manifests
    from derainbench.weights_cache import weights_file

    registry = discover(plugin)
    variants = choose_variants(registry, methods, None if baseline is Baseline.NONE else baseline.value)
    chosen = choose_datasets(datasets, card, data_root)
    engine = choose_engine(device, precision)
    recipe, why = choose_recipe(recipe, engine.device.type, chosen)
    typer.echo(f"recipe {recipe}{why}")
    book = recipe_book(recipe)
    book.check(registry.names())
    store = Store(out or Path("runs") / book.name)
    before = store.read_info() or {}
    if precision == "auto" and before:  # a run that began on a GPU goes on in its precision
        engine = choose_engine(device, before["precision"])
    asked = choose_protocols(protocols, before.get("protocols", ()))
    grid = Grid(variants, chosen, book, choose_seeds(seeds), asked, engine.precision, cross, parse_tile(tile))
    cells = grid.cells()
    read_manifests(splits_of(cells))
    statuses = {cell.name: store.status(cell) for cell in cells}
    for cell in cells:
        if cell.variant.weights is not None and statuses[cell.name].state != "done":
            weights_file(cell.variant)  # what is not here, or damaged, is told now, not after hours of training
    if dry_run:
        print_plan(cells, statuses)
        return
    seen = look_at_training_sets(cells, dataset_finder(card, data_root), same_files(card, data_root))
    with store.locked():
        info = describe_run(grid, cells, describe_machine(engine), shlex.join(["derainbench", *sys.argv[1:]]), seen)
        merged = merge(store.read_info(), info)
        keep_manifests(store.folder, [(d.name, split, d.manifest(split)) for d, split in splits_of(cells)])
        store.write_info(merged)
        with ConsoleWatcher(debug=_debugging()) as watcher:
            outcome = execute(cells, statuses, store, engine, watcher, workers)
        results = load_results(store.folder)
        merged = with_input_checks(merged, results, [dataset.card for dataset in chosen], Baseline.IDENTITY.value)
        store.write_info(merged)
    typer.echo("\n" + terminal(results))
    checks = [entry["notice"] for entry in [*seen, *merged["input_checks"]] if entry["notice"]]
    _conclude(store.folder, outcome, [*info["notices"], *checks])


def _conclude(folder: Path, outcome: Outcome, notices: Sequence[str]) -> None:
    """The last lines of a run, and its exit status."""
    for notice in notices:
        typer.echo(f"note: {notice}")
    typer.echo(f"{folder}: {outcome.done} done, {outcome.skipped} kept, {len(outcome.failed)} failed")
    typer.echo(f"next: derainbench report {folder}")
    if outcome.failed:
        raise typer.Exit(1 if outcome.crashed else 2)


@app.command()
def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    formats: Annotated[
        str, typer.Option("--format", help="Any of html, latex, markdown, csv.")
    ] = "html,latex,markdown,csv",
    protocol: Annotated[str | None, typer.Option(help="The protocol of the table printed here.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; default RUN/report.")] = None,
    images: Annotated[
        PageImages, typer.Option(help="Whether the page holds copies of the images; many may not be passed on.")
    ] = PageImages.EMBED,
) -> None:
    """Write the comparison as a page, LaTeX tables, Markdown and CSV, and print it."""
    from derainbench.names import split_list
    from derainbench.reports.terminal import terminal
    from derainbench.reports.write import write_report
    from derainbench.store import load_results

    results = load_results(run_folder)
    text = terminal(results, protocol)
    path = write_report(results, out or run_folder / "report", split_list(formats), images.value)
    typer.echo(text)
    typer.echo(str(path))


@app.command()
def methods(plugin: PluginOption = [], as_json: JsonOption = False) -> None:  # noqa: B006
    """List the methods: parameters, options, weights, where each comes from; broken plugins with their error."""
    from derainbench.listings import list_methods
    from derainbench.registry import discover

    typer.echo(list_methods(discover(plugin), as_json))


@app.command()
def derain(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photographs of any size.")],
    method: Annotated[str, typer.Option(help="The method, with its options: prenet, 'nasnet\\[stages=2]'.")],
    weights: Annotated[
        Path | None, typer.Option(help="A weights file, or the folder of a run that trained it.")
    ] = None,
    trained_on: Annotated[str | None, typer.Option(help="Which of the run's trainings, by dataset.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default beside each photograph.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")] = False,
    tile: TileOption = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    plugin: PluginOption = [],  # noqa: B006
) -> None:
    """Take the rain out of your own photographs; writes PHOTO-METHOD.png."""
    from derainbench.engine import choose_engine
    from derainbench.photos import derain_photo, find_weights
    from derainbench.registry import discover
    from derainbench.restore import parse_tile, restorer
    from derainbench.weights import load_into

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


@app.command()
def check(
    method: Annotated[
        str, typer.Argument(metavar="METHOD_OR_FILE", help="A method's name, or the file that defines it.")
    ],
    plugin: PluginOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Check a method against what the harness relies on: the conformance kit, for people who write methods."""
    from derainbench.conformance import check_variant
    from derainbench.listings import list_checks
    from derainbench.registry import discover

    path = Path(method)
    registry = discover([path, *plugin] if path.suffix == ".py" else plugin)
    names = [n for n in registry.names() if registry.origin(n) == f"file {path}"] if path.suffix == ".py" else [method]
    results = {name: check_variant(registry.variant(name)) for name in names}
    typer.echo(list_checks(results, as_json))
    if any(outcome.problem for checks in results.values() for outcome in checks.values()):
        raise typer.Exit(2)


def main() -> NoReturn:
    """Run a command; a mistake that the user can mend is one line on standard error and exit status 2."""
    # At its end Python looks for garbage among all that torch has made, which takes half a second and frees nothing.
    atexit.register(gc.freeze)
    try:
        status = app(standalone_mode=False)
    except UserError as error:
        if _debugging():
            raise
        _fail(f"error: {error}", 2)
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's own usage errors
            _fail(f"error: {error.format_message()}", 2)
        raise
    if status == INTERRUPTED:  # typer turns Ctrl-C into this status
        _fail("interrupted; what is finished is kept: run the same command again", INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(status)


def _debugging() -> bool:
    return "--debug" in sys.argv[1:2] or bool(os.environ.get("DERAINBENCH_DEBUG"))
