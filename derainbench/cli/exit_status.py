"""How a command ends: what it says of the error that ended it, and its exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable

import typer

from derainbench.errors import UserError, one_line, printable
from derainbench.support.stopping import Stopped


def status_of(command: Callable[[], object]) -> int:
    """Run a command; its exit status: 0, or what it gives, 2 for a mistake that the user can mend, 1 for a crash of a
    method, 128 and the signal's number where one ended it. What ended it is one line on standard error.

    Any other exception passes: it is a mistake of derainbench's.
    """
    try:
        status = command()
    except (UserError, SystemExit, GeneratorExit) as error:  # the latter two a method's code raised; ours end above
        if isinstance(error, SystemExit) and _of_completion(error):
            return int(error.code or 0)
        if debugging():
            raise
        mistake = isinstance(error, UserError)
        ended = f"a method's code ended the program ({type(error).__name__}: {one_line(error)}); mend it"
        return _said(f"error: {error if mistake else ended}", 2 if mistake else 1)
    except (Stopped, typer.Abort, KeyboardInterrupt) as stop:
        why, number = "interrupted", 128 + signal.SIGINT
        if isinstance(stop, Stopped) and stop.signal != signal.SIGINT:
            why, number = str(stop), stop.status
        return _said(f"{why}; what is finished is kept: run the same command again", number)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's own usage errors
            message = error.format_message()  # empty without arguments: the help is printed
            return _said(f"error: {message}", 2) if message else 2
        raise
    return status if isinstance(status, int) else 0


def _of_completion(exit_: SystemExit) -> bool:
    """Whether typer itself ended the program: it does where a shell asks what a line may go on with, and only there."""
    place = exit_.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and str(place.tb_frame.f_globals.get("__name__")).split(".")[0] == "typer"


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return "--debug" in sys.argv[1:2] or bool(os.environ.get("DERAINBENCH_DEBUG"))


def _said(message: str, status: int) -> int:
    with contextlib.suppress(OSError):  # a terminal that was closed
        typer.echo(printable(message), err=True)
    return status
