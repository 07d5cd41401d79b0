"""A progress bar on standard error, for commands that go through many files, or through the bytes of a few."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Gives ``advance(what, more, total)``: so many more are done of the step called ``what``; nothing in a log."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        steps: dict[str, TaskID] = {}

        def advance(what: str, more: int, total: int) -> None:
            if what not in steps:
                steps[what] = bar.add_task(what, total=total)
            bar.advance(steps[what], more)

        yield advance


@contextlib.contextmanager
def bytes_bar() -> Iterator[Callable[[str], Callable[[int, int | None], None]]]:
    """Gives ``begin(name)``, which gives ``advance(more, total)``: so many more bytes of ``total`` are here; nothing in
    a log. A name that is begun again begins at none.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        steps: dict[str, TaskID] = {}

        def begin(name: str) -> Callable[[int, int | None], None]:
            if name in steps:
                bar.remove_task(steps[name])
            task = steps[name] = bar.add_task(name, total=None)

            def advance(more: int, total: int | None) -> None:
                bar.update(task, advance=more, total=total)  # None leaves it as it is

            return advance

        yield begin
