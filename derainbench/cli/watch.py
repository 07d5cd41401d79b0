"""Commands about a run that another process drives: how far it is, and that it should end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)]


def status(run: RunArgument) -> None:
    """Say what runs where, how far it is, when it ends, and what failed and why."""
    from derainbench.run.status import run_status
    from derainbench.run.status_text import status_text

    typer.echo(status_text(run_status(run)))


def stop(run: RunArgument) -> None:
    """Ask a run to end, from any machine that sees its folder: what is under way saves its state first.

    Waits until it has ended. The same run command goes on from there.
    """
    from derainbench.errors import UserError
    from derainbench.run.driver_file import ask_to_stop
    from derainbench.support.lock import is_held

    if not (run / "run.json").is_file() or not is_held(run):
        raise UserError(f"{run}: no run is under way there; 'derainbench status {run}' says what there is")
    ask_to_stop(run)
    typer.echo("asked; waiting until what is under way is saved", err=True)
    while is_held(run):
        time.sleep(0.5)
    typer.echo(f"{run}: stopped; the same command goes on from there")
