"""One cell, carried out: trained or evaluated, and marked as done if it is."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from derainbench.engine.device import Engine, describe_machine
from derainbench.engine.evaluate import evaluate
from derainbench.engine.partial_scores import PartialScores
from derainbench.engine.split_scores import OnImage
from derainbench.engine.training import train
from derainbench.errors import FOREIGN, StorageError, UserError, one_line
from derainbench.plugins.weights import load_into
from derainbench.plugins.weights_store import weights_file
from derainbench.run.cells import Cell, EvalCell, ImagesCell, TrainCell, key_of
from derainbench.run.job import Aside
from derainbench.run.score_images import score_images
from derainbench.run.store import Store

#: Processes that load training data for a GPU, unless somebody says otherwise: a few, as each takes memory.
LOADING_FOR_A_GPU = 4


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


def why_silent(who: str, status: int | None) -> str:
    """What is said of a cell whose process, or one of them, ended with that status and without an answer."""
    if status == -9:  # SIGKILL, which Windows' Python has no name for
        return f"{who} was killed, most likely for want of memory; what it had saved is kept: run it again"
    return f"{who} ended with status {status} and without a word; what it had saved is kept: run it again"


def carry_out(cell: Cell, store: Store, engine: Engine, aside: Aside, teller: Teller) -> Ending:
    """Do a cell whose training, if it has one, is done. :class:`StorageError` where the disk refuses."""
    begun = time.monotonic()
    try:
        _compute(cell, store, engine, aside, teller)
    except StorageError:
        raise
    except UserError as mistake:
        ending = Ending(time.monotonic() - begun, str(mistake))
    except torch.OutOfMemoryError:
        ending = Ending(time.monotonic() - begun, _too_large(cell, engine))
    except FOREIGN as exception:  # a method's own code may raise anything; the other cells still run
        error = f"{type(exception).__name__}: {one_line(exception)}"
        ending = Ending(time.monotonic() - begun, error, "".join(traceback.format_exception(exception)))
    else:
        ending = Ending(time.monotonic() - begun)
        store.finish(cell, ending.seconds, describe_machine(engine))
    if engine.device.type == "cuda":  # what a cell had is free for the next, or for another program
        torch.cuda.empty_cache()
    return ending


def train_cell(cell: TrainCell, folder: Path, engine: Engine, aside: Aside, teller: Teller) -> None:
    """Train, and no more: what a process does that trains together with others."""
    train(
        cell.variant,
        cell.recipe,
        cell.dataset.pairs("train"),
        cell.seed,
        folder,
        key_of(cell),
        engine.fabric,
        teller.progress,
        _loading(engine) if aside.workers is None else aside.workers,
        teller.resumed,
        teller.note,
        cell.compiled,
        aside.logger,
        {name: found.source for name, found in cell.layers.items()},
    )


def _loading(engine: Engine) -> int:
    """So many processes load training data where nobody says how many."""
    return LOADING_FOR_A_GPU if engine.device.type == "cuda" else 0


def _too_large(cell: Cell, engine: Engine) -> str:
    """What to do about a device whose memory is full."""
    if isinstance(cell, TrainCell):
        remedy = (
            f"give a recipe with a batch below {cell.recipe.batch} or a patch below {cell.recipe.patch}, which is "
            "another training, or --precision bf16"
        )
    elif isinstance(cell, ImagesCell):
        remedy = "give --device cpu: scoring images needs no other"
    elif cell.tile:
        remedy = f"give a --tile below {cell.tile}"
    else:
        reach = cell.variant.build().reach
        means = "the result is that of the whole image" if reach is not None else "a network that sees whole images "
        means += "" if reach is not None else "then gives something else, and the table says so"
        remedy = f"give --tile 512, or less: {means}"
    return f"out of memory on {engine.device}; {remedy}; or run it on a larger device"


def _compute(cell: Cell, store: Store, engine: Engine, aside: Aside, teller: Teller) -> None:
    folder = store.begin(cell)
    if isinstance(cell, TrainCell):
        train_cell(cell, folder, engine, aside, teller)
        return
    partial = PartialScores(folder, key_of(cell))

    def on_image(done: int, total: int) -> None:
        teller.progress(done, total, None)

    if isinstance(cell, ImagesCell):
        device = engine.fabric.device
        score_images(cell.images, cell.protocols, cell.metrics, partial, device, on_image, teller.resumed, aside.images)
    else:
        _evaluate(cell, store, engine, aside, teller, partial, on_image)


def _evaluate(
    cell: EvalCell,
    store: Store,
    engine: Engine,
    aside: Aside,
    teller: Teller,
    partial: PartialScores,
    on_image: OnImage,
) -> None:
    network = cell.variant.build()
    if cell.training is not None:
        load_into(network, cell.variant, store.folder / cell.training.name / "weights.safetensors")
    elif cell.variant.tag:
        load_into(network, cell.variant, weights_file(cell.variant))
    evaluate(
        network,
        cell.dataset.pairs("test"),
        cell.protocols,
        partial,
        engine.fabric,
        on_image,
        cell.variant.quantisation,
        cell.tile,
        cell.seed,
        teller.resumed,
        aside.images,
        cell.metrics,
    )
