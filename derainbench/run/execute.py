"""How a plan of cells is executed: what is missing is done, a failure is a row, everything else goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Protocol

from derainbench.errors import UserError
from derainbench.run.cells import Cell, EvalCell, key_of
from derainbench.run.driver_file import obey_if_asked
from derainbench.run.executors.executor import Executor
from derainbench.run.store import Status, Store
from derainbench.run.work import Ending

#: Seconds between two looks at what cells under way say.
POLL = 0.5


class Watcher(Protocol):
    """Told what a run is doing; shows it to whoever waits."""

    def planned(self, cells: int, to_do: int) -> None:
        """The plan is known."""

    def started(self, cell: Cell, why: Status) -> None:
        """A cell begins, because it is missing or because what it depends on changed."""

    def progress(self, cell: Cell, done: int, total: int, loss: float | None) -> None:
        """So many steps or images of a cell are done."""

    def finished(self, cell: Cell, seconds: float) -> None:
        """A cell is done."""

    def resumed(self, cell: Cell, done: int, total: int) -> None:
        """A cell goes on where an earlier process left it."""

    def note(self, cell: Cell, text: str) -> None:
        """Something about a cell that its user should know."""

    def failed(self, cell: Cell, error: str, crash: str) -> None:
        """A cell cannot be done; ``crash`` is the traceback where it was no mistake of the user's."""


@dataclass(frozen=True)
class _OfCell:
    """What is told of one cell."""

    watcher: Watcher
    cell: Cell

    def progress(self, done: int, total: int, loss: float | None) -> None:
        self.watcher.progress(self.cell, done, total, loss)

    def resumed(self, done: int, total: int) -> None:
        self.watcher.resumed(self.cell, done, total)

    def note(self, text: str) -> None:
        self.watcher.note(self.cell, text)


@dataclass
class RunOutcome:
    """How a run ended. ``failed`` maps cells to their error; ``crashed`` that one was no user's mistake."""

    done: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    crashed: bool = False


def execute(
    plan: Sequence[Cell], statuses: Mapping[str, Status], store: Store, executor: Executor, watcher: Watcher
) -> RunOutcome:
    """Do every cell whose result is missing or out of date; ``statuses`` says so by the cell's name.

    In the order of the plan, as far as an evaluation's training is done. A cell that fails is recorded and the rest
    goes on; evaluations that need a failed training fail with it. Only a disk that refuses (:class:`StorageError`)
    ends the run.
    """
    outcome = RunOutcome()
    watcher.planned(len(plan), sum(status.state != "done" for status in statuses.values()))
    for cell in plan:
        if statuses[cell.name].state == "changed":
            # All of them at once: an interrupted run must not show old scores beside new weights.
            store.supersede(cell)
        elif statuses[cell.name].state == "done":
            store.tidy(cell)
            outcome.skipped += 1
    waiting = {cell.name: cell for cell in plan if statuses[cell.name].state != "done"}
    unfinished, under_way = {*waiting}, dict[Future[Ending], Cell]()

    def record(cell: Cell, ending: Ending) -> None:
        unfinished.remove(cell.name)
        if not ending.error:
            outcome.done += 1
            watcher.finished(cell, ending.seconds)
            return
        outcome.failed[cell.name] = ending.error
        outcome.crashed |= bool(ending.crash)
        store.fail(cell, ending.error)
        watcher.failed(cell, ending.error, ending.crash)

    with executor:
        while waiting or under_way:
            while len(under_way) < executor.slots and (ready := _ready(waiting, unfinished)) is not None:
                cell = waiting.pop(ready)
                watcher.started(cell, statuses[cell.name])
                needs = cell.training.name if isinstance(cell, EvalCell) and cell.training is not None else ""
                why_not = _cannot_be(cell)
                if needs in outcome.failed:
                    if not why_not:
                        store.begin(cell)
                    record(cell, Ending(0.0, f"not evaluated, because its training failed: {outcome.failed[needs]}"))
                elif why_not:
                    record(cell, Ending(0.0, why_not))
                else:
                    under_way[executor.submit(cell, _OfCell(watcher, cell))] = cell
            finished, _ = wait(under_way, POLL, return_when=FIRST_COMPLETED)
            executor.poll()
            obey_if_asked(store.folder)
            for future in finished:
                record(under_way.pop(future), future.result())
    return outcome


def _cannot_be(cell: Cell) -> str:
    """Why the cell cannot be done with these data, such as for want of a layer that its network needs; empty else."""
    try:
        key_of(cell)
    except UserError as mistake:
        return str(mistake)
    return ""


def _ready(waiting: Mapping[str, Cell], unfinished: Set[str]) -> str | None:
    """The first cell that waits for no other."""
    for name, cell in waiting.items():
        if not isinstance(cell, EvalCell) or cell.training is None or cell.training.name not in unfinished:
            return name
    return None
