"""The program: its commands, and how it ends. Only the commands know methods, datasets and reports at once.

Everything heavy is imported inside the commands, so that ``derainbench --help`` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Annotated, NoReturn

import typer

from derainbench import __version__
from derainbench.cli.datasets import datasets_app
from derainbench.cli.derain import derain
from derainbench.cli.exit_status import status_of
from derainbench.cli.figure import figure
from derainbench.cli.leaderboard import leaderboard_app, submit
from derainbench.cli.methods import check, efficiency, methods
from derainbench.cli.metrics import metrics
from derainbench.cli.options import check_words
from derainbench.cli.protocols import protocols, spread
from derainbench.cli.report import compare, report
from derainbench.cli.run import run
from derainbench.cli.score import score
from derainbench.cli.table import table
from derainbench.cli.watch import status, stop
from derainbench.cli.weights import weights_app
from derainbench.support.stopping import obeyed
from derainbench.support.threads import wait_briefly_where_busy

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # its boxes take longer to import than all the rest of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare single-image deraining methods under named metric protocols.",
)
app.add_typer(datasets_app, name="datasets", short_help="List, fetch, check, compare and make datasets.")
app.add_typer(weights_app, name="weights", short_help="List, fetch, add and export trained weights.")


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


app.command(short_help="Train and evaluate methods on datasets.")(run)
app.command(short_help="Score folders of restored images.")(score)
app.command(short_help="Say how far a run is, from any terminal.")(status)
app.command(short_help="Ask a run to end, its state saved.")(stop)
app.command(short_help="Write the comparison: page, LaTeX, CSV, ...")(report)
app.command(short_help="Print one table, as a file asks for it.")(table)
app.command(short_help="Make figures for papers: crops, charts.")(figure)
app.command(short_help="Say what changed between two runs.")(compare)
app.add_typer(leaderboard_app, name="leaderboard", short_help="Make a site of many runs; check submissions.")
app.command(short_help="Pack a run for a leaderboard.")(submit)
app.command(short_help="Say how far protocols move a score.")(spread)
app.command(short_help="List the methods.")(methods)
app.command(short_help="List the metric protocols.")(protocols)
app.command(short_help="List the metrics beside PSNR and SSIM.")(metrics)
app.command(short_help="Measure what methods cost.")(efficiency)
app.command(short_help="Take the rain out of photographs.")(derain)
app.command(short_help="Check a method that you write.")(check)


def main() -> NoReturn:
    """Run a command; a mistake that the user can mend is one line on standard error and exit status 2."""
    # At its end Python looks for garbage among all that torch has made, which takes half a second and frees nothing.
    atexit.register(gc.freeze)
    wait_briefly_where_busy()
    with obeyed():
        status = status_of(lambda: app(standalone_mode=False))
    sys.exit(status)
