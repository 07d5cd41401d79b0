"""The commands. The only module that knows the methods, the datasets and the reports at once.

Everything heavy is imported inside the commands, so that ``derainbench --help`` answers at once.
"""

from __future__ import annotations

import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from derainbench import __version__
from derainbench.errors import UserError

if TYPE_CHECKING:
    from derainbench.locate import Dataset
    from derainbench.registry import Registry
    from derainbench.variant import Variant

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare single-image deraining methods under named metric protocols.",
)

PluginOption = Annotated[list[Path], typer.Option("--plugin", help="A Python file that defines methods; repeatable.")]
CardOption = Annotated[list[Path], typer.Option("--card", help="A dataset card (TOML) of your own; repeatable.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="DERAINBENCH_DATA", help="Folder that holds the datasets' folders."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto (the GPU if there is one), cpu, cuda, cuda:N, mps.")]
PrecisionOption = Annotated[str, typer.Option("--precision", help="auto (bf16 mixed on a GPU), fp32, bf16.")]


#: The exit status of a program that was stopped by Ctrl-C.
INTERRUPTED = 130


class Baseline(StrEnum):
    """Whether the unprocessed input takes part in the comparison."""

    IDENTITY = "identity"
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
    workers: Annotated[int, typer.Option(min=0, help="Processes that load training data; the result is the same.")] = 0,
    data_root: DataOption = None,
    plugin: PluginOption = [],  # noqa: B006 - typer copies it
    card: CardOption = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and stop.")] = False,
) -> None:
    """Train and evaluate methods on datasets: what is missing is done, what is finished is kept.

    The same command resumes an interrupted run. Exit status: 0, 2 for a mistake that you can mend, 1 for a crash.
    """
    from derainbench.engine import choose_engine, describe_machine
    from derainbench.grid import Grid
    from derainbench.metrics import DEFAULT_PROTOCOLS, get_protocol
    from derainbench.names import split_list
    from derainbench.provenance import describe_run, merge
    from derainbench.recipes import recipe_book
    from derainbench.registry import discover
    from derainbench.reports.terminal import terminal
    from derainbench.runner import execute
    from derainbench.store import Store, load_results
    from derainbench.watch import ConsoleWatcher, print_plan
    from derainbench.weights import published_file

    registry = discover(plugin)
    variants = _variants(registry, methods, baseline)
    chosen = _datasets(datasets, card, data_root)
    engine = choose_engine(device, precision)
    if recipe == "auto":
        published = engine.device.type != "cpu" and not any(dataset.card.embedded for dataset in chosen)
        recipe = "paper" if published else "quick"
        typer.echo(f"recipe {recipe} (default for {'a GPU and real' if published else 'no GPU, or embedded'} datasets)")
    else:
        typer.echo(f"recipe {recipe}")
    book = recipe_book(recipe)
    book.check(registry.names())
    store = Store(out or Path("runs") / book.name)
    before = store.read_info() or {}
    if precision == "auto" and before:  # a run that began on a GPU goes on in its precision
        engine = choose_engine(device, before["precision"])
    asked = [get_protocol(name).name for name in split_list(protocols)] or DEFAULT_PROTOCOLS
    asked = list(dict.fromkeys([*before.get("protocols", ()), *asked]))
    grid = Grid(variants, chosen, book, _seeds(seeds), asked, engine.precision, cross)
    cells = grid.cells()
    for cell in cells:
        if cell.variant.weights is not None and store.status(cell).state != "done":
            published_file(cell.variant)  # weights that are not here are told now, not after hours of training
    if dry_run:
        print_plan(cells, {cell.name: store.status(cell) for cell in cells})
        return
    with store.locked():
        info = describe_run(grid, cells, describe_machine(engine), shlex.join(["derainbench", *sys.argv[1:]]))
        store.write_info(merge(store.read_info(), info))
        with ConsoleWatcher(debug=_debugging()) as watcher:
            outcome = execute(cells, store, engine, watcher, workers)
    typer.echo("\n" + terminal(load_results(store.folder)))
    for notice in info["notices"]:
        typer.echo(f"note: {notice}")
    typer.echo(f"{store.folder}: {outcome.done} done, {outcome.skipped} kept, {len(outcome.failed)} failed")
    typer.echo(f"next: derainbench report {store.folder}")
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
) -> None:
    """Write the comparison as a page, LaTeX tables, Markdown and CSV, and print it."""
    from derainbench.names import split_list
    from derainbench.reports.terminal import terminal
    from derainbench.reports.write import write_report
    from derainbench.store import load_results

    results = load_results(run_folder)
    text = terminal(results, protocol)
    path = write_report(results, out or run_folder / "report", split_list(formats))
    typer.echo(text)
    typer.echo(str(path))


@app.command()
def methods(plugin: PluginOption = [], as_json: JsonOption = False) -> None:  # noqa: B006
    """List the methods: parameters, options, weights, where each comes from; broken plugins with their error."""
    from derainbench.listings import list_methods
    from derainbench.registry import discover

    typer.echo(list_methods(discover(plugin), as_json))


@app.command()
def datasets(card: CardOption = [], data_root: DataOption = None, as_json: JsonOption = False) -> None:  # noqa: B006
    """List the datasets: rain model, counts, and whether their files are here."""
    from derainbench.cards import all_cards
    from derainbench.listings import list_datasets

    typer.echo(list_datasets(all_cards(card), _checked_root(data_root), as_json))


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
    tile: Annotated[int, typer.Option(min=0, help="Tile side in pixels for large photographs; 0: never tile.")] = 1024,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    plugin: PluginOption = [],  # noqa: B006
) -> None:
    """Take the rain out of your own photographs; writes PHOTO-METHOD.png."""
    from derainbench.engine import choose_engine
    from derainbench.photos import derain_photo, find_weights
    from derainbench.registry import discover
    from derainbench.restore import prepare
    from derainbench.weights import load_into

    variant = discover(plugin).variant(method)
    fabric = choose_engine(device, precision).fabric
    network = variant.build()
    source = find_weights(variant, weights, trained_on)
    if source is not None:
        load_into(network, variant, source)
    prepared = prepare(fabric, network)
    targets = [(out or photo.parent) / f"{photo.stem}-{variant.name}.png" for photo in photos]
    for target in targets:
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists; give --overwrite or another --out")
        if targets.count(target) > 1:
            raise UserError(f"two photographs would be written to {target}; give them one at a time, or no --out")
    for photo, target in zip(photos, targets, strict=True):
        derain_photo(photo, target, prepared, fabric.device, tile, network.size_multiple)
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
    if any(problem for result in results.values() for problem in result.values()):
        raise typer.Exit(2)


def main() -> NoReturn:
    """Run a command; a mistake that the user can mend is one line on standard error and exit status 2."""
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
        _fail("interrupted; the same command goes on from the last checkpoint", INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(status)


def _debugging() -> bool:
    return "--debug" in sys.argv[1:2] or bool(os.environ.get("DERAINBENCH_DEBUG"))


def _variants(registry: Registry, names: str, baseline: Baseline) -> list[Variant]:
    from derainbench.names import split_list

    asked = [] if baseline is Baseline.NONE else [baseline.value]
    for name in split_list(names):
        asked += registry.working() if name == "all" else [name]
    variants = [registry.variant(name) for name in asked]
    if not split_list(names):
        raise UserError("no method is chosen; give --methods names separated by commas, or all")
    return list({variant.name: variant for variant in variants}.values())


def _datasets(words: str, cards: list[Path], data_root: Path | None) -> list[Dataset]:
    from derainbench.cards import all_cards
    from derainbench.locate import select

    return select(words, all_cards(cards), _checked_root(data_root))


def _checked_root(data_root: Path | None) -> Path | None:
    if data_root is not None and not data_root.is_dir():
        raise UserError(f"data root {data_root} is no folder; give the folder that holds the datasets' folders")
    return data_root


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise UserError(f"--seeds {text!r}: give whole numbers from 0, separated by commas")
    seeds = list(dict.fromkeys(int(part) for part in parts))
    if max(seeds) >= 2**63:
        raise UserError(f"--seeds {max(seeds)}: a seed is below 2**63; give a smaller one")
    return seeds
