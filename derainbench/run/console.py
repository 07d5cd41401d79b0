"""What a person sees of a run: the plan, a progress bar a cell, and a line for each that ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from derainbench.catalogue.cards import SplitName
from derainbench.catalogue.locate import Dataset
from derainbench.errors import printable
from derainbench.results.run_info import SeenInfo
from derainbench.run.cells import Cell, TrainCell
from derainbench.run.leaks import scenes_seen_in_training
from derainbench.run.store import Status
from derainbench.support.progress import progress_bar
from derainbench.support.threads import threads_note

#: How often a log says how far a cell is: a few hundred lines for a training of hours.
SECONDS_BETWEEN_LINES = 60.0


class ConsoleWatcher:
    """Shows a run on standard error: a live bar on a terminal, in a log plain lines, a few from a long cell."""

    def __init__(self, debug: bool = False, every: float = SECONDS_BETWEEN_LINES) -> None:
        self._console, self._debug = Console(stderr=True, highlight=False), debug
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._shown: dict[str, _Shown] = {}
        self._count, self._to_do, self._every = 0, 0, every

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def planned(self, cells: int, to_do: int) -> None:
        self._to_do = to_do
        if to_do and (note := threads_note(torch.get_num_threads())):
            self._say(note)
        nothing = f"nothing to do: {cells} of {cells} cells are up to date"
        self._say(f"{cells} cells, {to_do} to do" if to_do else nothing)

    def started(self, cell: Cell, why: Status) -> None:
        self._count += 1
        if why.state == "changed":
            self._say(f"{cell.name}: done again, because {why.reason}; the old result is in superseded/")
        task = self._bar.add_task(escape(cell.name), total=None, loss="")
        self._shown[cell.name] = _Shown(self._count, task, time.monotonic())

    def progress(self, cell: Cell, done: int, total: int, loss: float | None) -> None:
        shown = self._shown[cell.name]
        self._bar.update(shown.task, completed=done, total=total, loss="" if loss is None else f"loss {loss:.4f}")
        if not self._console.is_terminal and time.monotonic() - shown.said >= self._every:
            shown.said = time.monotonic()
            more = "" if loss is None else f", loss {loss:.4f}"
            self._say(f"{self._place(cell)} {done:,} of {total:,} {_unit(cell)}{more}")

    def finished(self, cell: Cell, seconds: float) -> None:
        self._say(f"{self._place(cell)} ({seconds:.1f} s)")
        self._end(cell)

    def resumed(self, cell: Cell, done: int, total: int) -> None:
        self._say(f"{self._place(cell)} goes on after {done:,} of {total:,} {_unit(cell)}")

    def note(self, cell: Cell, text: str) -> None:
        self._say(f"{self._place(cell)} note: {text}")

    def failed(self, cell: Cell, error: str, crash: str) -> None:
        self._say(f"{self._place(cell)} FAILED: {error}")
        if crash and self._debug:
            self._say(crash)
        self._end(cell)

    def _place(self, cell: Cell) -> str:
        """A cell under way, and its number among those to do."""
        return f"[{self._shown[cell.name].number}/{self._to_do}] {cell.name}"

    def _end(self, cell: Cell) -> None:
        self._bar.remove_task(self._shown.pop(cell.name).task)

    def _say(self, text: str) -> None:
        # No wrapping: an error that names a file must stay one line that can be copied.
        for line in text.split("\n"):
            self._console.print(printable(line), markup=False, soft_wrap=True)


@dataclass
class _Shown:
    """A cell under way: its number, its bar, and when a log last said how far it is."""

    number: int
    task: TaskID
    said: float


def _unit(cell: Cell) -> str:
    return "steps" if isinstance(cell, TrainCell) else "images"


def print_plan(
    plan: Sequence[Cell], statuses: Mapping[str, Status], costs: Mapping[str, str], places: Mapping[str, str]
) -> None:
    """A line a cell: what would be done, what it costs and why; below what they are for, where ``places`` says it."""
    states = max((len(status.state) for status in statuses.values()), default=0)
    costly = max(map(len, costs.values()), default=0)
    before = None
    for cell in plan:
        status, place = statuses[cell.name], places.get(cell.name, "for no table")
        if places and place != before:
            print(place)
        before = place
        reason = f"({status.reason})" if status.reason else ""
        line = f"{status.state:{states}}  {costs.get(cell.name, ''):{costly}}  {cell.name}  {reason}"
        print(f"{'  ' * bool(places)}{line}".rstrip())


def read_manifests(splits: Iterable[tuple[Dataset, SplitName]]) -> None:
    """Open each split; where its files must be read for that, show how far it is."""
    console = Console(stderr=True, highlight=False)
    for dataset, split in splits:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f"reading {escape(dataset.name)} {split}", total=None, visible=False)
            dataset.manifest(split, partial(_show, bar, task))


def look_at_training_sets(
    cells: Sequence[Cell], find: Callable[[str], Dataset | None], options: Sequence[str]
) -> list[SeenInfo]:
    """As :func:`.leaks.scenes_seen_in_training`, showing how far it is where images must be read for it."""
    with progress_bar() as progress:
        return scenes_seen_in_training(cells, find, options, progress)


def _show(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total, visible=True)
