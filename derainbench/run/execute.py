"""How a plan of cells is executed: what is missing is done, a failure is a row, everything else goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from derainbench.engine.device import Engine, describe_machine
from derainbench.engine.evaluate import evaluate
from derainbench.engine.partial_scores import PartialScores
from derainbench.engine.training import train
from derainbench.errors import FOREIGN, StorageError, UserError, one_line
from derainbench.plugins.weights import load_into
from derainbench.plugins.weights_store import weights_file
from derainbench.run.cells import Cell, TrainCell, key_of
from derainbench.run.store import Status, Store


class Watcher(Protocol):
    """Told what a run is doing; shows it to whoever waits."""

    def planned(self, cells: int, to_do: int) -> None:
        """The plan is known."""

    def started(self, cell: Cell, why: Status) -> None:
        """A cell begins, because it is missing or because what it depends on changed."""

    def progress(self, done: int, total: int, loss: float | None) -> None:
        """So many steps or images of the current cell are done."""

    def finished(self, cell: Cell, seconds: float) -> None:
        """The current cell is done."""

    def resumed(self, done: int, total: int) -> None:
        """The current cell goes on where an earlier process left it."""

    def note(self, text: str) -> None:
        """Something about the current cell that its user should know."""

    def failed(self, cell: Cell, error: str, crash: BaseException | None) -> None:
        """The current cell cannot be done; ``crash`` is the exception where it was no mistake of the user's."""


@dataclass
class RunOutcome:
    """How a run ended. ``failed`` maps cells to their error; ``crashed`` that one was no user's mistake."""

    done: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    crashed: bool = False


def execute(
    plan: Sequence[Cell],
    statuses: Mapping[str, Status],
    store: Store,
    engine: Engine,
    watcher: Watcher,
    workers: int = 0,
) -> RunOutcome:
    """Do every cell whose result is missing or out of date, in order; ``statuses`` says so by the cell's name.

    A cell that fails is recorded and the rest goes on; evaluations that need a failed training fail with it. Only a
    disk that refuses (:class:`StorageError`) ends the run.
    """
    outcome = RunOutcome()
    made_on = describe_machine(engine)
    watcher.planned(len(plan), sum(status.state != "done" for status in statuses.values()))
    for cell in plan:
        if statuses[cell.name].state == "changed":
            # All of them at once: an interrupted run must not show old scores beside new weights.
            store.supersede(cell)
    for cell in plan:
        status = statuses[cell.name]
        if status.state == "done":
            store.tidy(cell)
            outcome.skipped += 1
            continue
        watcher.started(cell, status)
        begun = time.monotonic()
        crash: BaseException | None = None
        try:
            _do(cell, store, engine, watcher, workers, outcome.failed)
        except StorageError:
            raise
        except UserError as mistake:
            error = str(mistake)
        except FOREIGN as exception:  # a method's own code may raise anything; the other cells still run
            crash, error = exception, f"{type(exception).__name__}: {one_line(exception)}"
        else:
            outcome.done += 1
            store.finish(cell, time.monotonic() - begun, made_on)
            watcher.finished(cell, time.monotonic() - begun)
            continue
        outcome.failed[cell.name] = error
        outcome.crashed |= crash is not None
        store.fail(cell, error)
        watcher.failed(cell, error, crash)
    return outcome


def _do(cell: Cell, store: Store, engine: Engine, watcher: Watcher, workers: int, failed: Mapping[str, str]) -> None:
    folder = store.begin(cell)
    if isinstance(cell, TrainCell):
        train(
            cell.variant,
            cell.recipe,
            cell.dataset.pairs("train"),
            cell.seed,
            folder,
            key_of(cell),
            engine.fabric,
            watcher.progress,
            workers,
            watcher.resumed,
            watcher.note,
        )
        return
    network = cell.variant.build()
    if cell.training is not None and cell.training.name in failed:
        raise UserError(f"not evaluated, because its training failed: {failed[cell.training.name]}")
    if cell.training is not None:
        load_into(network, cell.variant, store.folder / cell.training.name / "weights.safetensors")
    elif cell.variant.weights is not None:
        load_into(network, cell.variant, weights_file(cell.variant))
    evaluate(
        network,
        cell.dataset.pairs("test"),
        cell.protocols,
        PartialScores(folder, key_of(cell)),
        engine.fabric,
        lambda done, total: watcher.progress(done, total, None),
        cell.variant.quantisation,
        cell.tile,
        cell.seed,
        watcher.resumed,
    )
