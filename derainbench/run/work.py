"""One cell, carried out: trained or evaluated, and marked as done if it is."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import Protocol

from derainbench.engine.device import Engine, describe_machine
from derainbench.engine.evaluate import evaluate
from derainbench.engine.partial_scores import PartialScores
from derainbench.engine.training import train
from derainbench.errors import FOREIGN, StorageError, UserError, one_line
from derainbench.plugins.weights import load_into
from derainbench.plugins.weights_store import weights_file
from derainbench.run.cells import Cell, TrainCell, key_of
from derainbench.run.store import Store


class Teller(Protocol):
    """Told how far a cell is."""

    def progress(self, done: int, total: int, loss: float | None) -> None:
        """So many steps or images are done."""

    def resumed(self, done: int, total: int) -> None:
        """The cell goes on where an earlier process left it."""

    def note(self, text: str) -> None:
        """Something that the cell's user should know."""


@dataclass(frozen=True)
class Ending:
    """How a cell ended: after so many seconds, or with an error.

    ``crash`` is the traceback of an error that was no mistake of the user's.
    """

    seconds: float
    error: str = ""
    crash: str = ""


def carry_out(cell: Cell, store: Store, engine: Engine, workers: int, teller: Teller) -> Ending:
    """Do a cell whose training, if it has one, is done. :class:`StorageError` where the disk refuses."""
    begun = time.monotonic()
    try:
        _compute(cell, store, engine, workers, teller)
    except StorageError:
        raise
    except UserError as mistake:
        ending = Ending(time.monotonic() - begun, str(mistake))
    except FOREIGN as exception:  # a method's own code may raise anything; the other cells still run
        error = f"{type(exception).__name__}: {one_line(exception)}"
        ending = Ending(time.monotonic() - begun, error, "".join(traceback.format_exception(exception)))
    else:
        ending = Ending(time.monotonic() - begun)
        store.finish(cell, ending.seconds, describe_machine(engine))
        return ending
    return ending


def _compute(cell: Cell, store: Store, engine: Engine, workers: int, teller: Teller) -> None:
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
            teller.progress,
            workers,
            teller.resumed,
            teller.note,
        )
        return
    network = cell.variant.build()
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
        lambda done, total: teller.progress(done, total, None),
        cell.variant.quantisation,
        cell.tile,
        cell.seed,
        teller.resumed,
    )
