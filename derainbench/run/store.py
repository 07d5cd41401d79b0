"""The run folder: what is done, what is not, and why; see docs/run-folder.md for the layout."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from derainbench.engine.kept_images import Kept, kept_images
from derainbench.errors import UserError, printable
from derainbench.results import run_info
from derainbench.results.run_info import BegunCell, CellInputs, DoneCell, FailedCell, RunInfo, as_data
from derainbench.run.cells import Cell, TrainCell, key_of
from derainbench.support.atomic import PART, file_hash, remove, storage_error, write_json
from derainbench.support.leftovers import remove_leftovers
from derainbench.support.lock import locked
from derainbench.support.run_folder import image_file


@dataclass(frozen=True)
class Status:
    """Whether a cell's result is there: ``done``, ``missing``, or ``changed`` with the reason.

    ``no data`` and ``no weights``: what it needs is not on this machine, so that it can be planned and no more.
    """

    state: Literal["done", "missing", "changed", "no data", "no weights"]
    reason: str = ""


class Store:
    """A run folder opened for writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run folder: two processes that write into it at once would undo each other's work."""
        with locked(self.folder):
            yield

    def status(self, cell: Cell) -> Status:
        """Compare what the cell's result would depend on now with what it did depend on.

        A result that was begun under another key counts as changed, so that a long training's checkpoint is not
        overwritten; one that is not the file which was finished counts as missing.
        """
        folder = self.folder / cell.name
        finished, begun = folder / "done.json", folder / "config.json"
        if not finished.exists() and not begun.exists():
            return Status("missing")
        done = run_info.read_done(finished) if finished.exists() else None
        stored = done or run_info.read_begun(begun)
        if stored.key != key_of(cell):
            return Status("changed", _difference(stored.inputs.as_data(), cell.inputs))
        result = folder / _result_file(cell)
        intact = done is not None and result.exists() and file_hash(result) == done.sha256
        return Status("done" if intact else "missing")

    def has_images(self, cell: Cell, images: Kept) -> bool:
        """Whether the restored images that are to be kept of a cell are all there; a training has none."""
        if isinstance(cell, TrainCell):
            return True
        pairs = cell.dataset.pairs("test")
        places = kept_images(images, len(pairs))
        return all(image_file(self.folder / cell.name, pairs[place].image).is_file() for place in places)

    def refuse_links(self, places: Iterable[str]) -> None:
        """:class:`UserError` where a folder between the run's and one of the ``places`` in it is a link.

        It would lead elsewhere. The run's own folder may be one: its user gave it.
        """
        seen: set[str] = set()
        for place in places:
            parts = place.split("/")
            seen |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        for folder in sorted(seen):
            if (self.folder / folder).is_symlink():
                raise UserError(
                    f"{self.folder / folder} is a link: a run writes into its own folder alone; put a folder in its "
                    "place"
                )

    def begin(self, cell: Cell) -> Path:
        """The cell's folder, ready for a new result: what said the old one was done, or had failed, is taken away."""
        folder = self.folder / cell.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("done.json", "failed.json"):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        begun = BegunCell(key=key_of(cell), inputs=CellInputs(**cell.inputs))
        write_json(folder / "config.json", as_data(begun))
        return folder

    def finish(self, cell: Cell, seconds: float, made_on: dict[str, Any]) -> None:
        """Mark a cell as done, with what it was computed on; its checkpoint has served."""
        folder = self.folder / cell.name
        done = DoneCell(
            key=key_of(cell),
            inputs=CellInputs(**cell.inputs),
            sha256=file_hash(folder / _result_file(cell)),
            finished=_now(),
            seconds=round(seconds, 3),
            made_on=made_on,
        )
        write_json(folder / "done.json", as_data(done))
        self.tidy(cell)

    def tidy(self, cell: Cell) -> None:
        """Take away what a finished cell had for going on; a kill may have come before."""
        for name in ("checkpoint.pt", "scores.partial.jsonl"):
            remove(self.folder / cell.name / name)

    def fail(self, cell: Cell, error: str) -> None:
        """Record why a cell did not finish. What it has, such as a checkpoint, stays."""
        write_json(self.folder / cell.name / "failed.json", as_data(FailedCell(error=printable(error), failed=_now())))

    def supersede(self, cell: Cell) -> Path:
        """Move a result that no longer counts into ``superseded/``: days of training are not deleted."""
        source = self.folder / cell.name
        target = next(
            place for n in itertools.count(1) if not (place := self.folder / "superseded" / str(n) / cell.name).exists()
        )
        for folder in (source, source / "images"):
            remove_leftovers(folder, PART)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
        except OSError as error:
            raise storage_error(target, error) from error
        return target

    def read_info(self) -> RunInfo | None:
        """``run.json``, or None in a new folder. :class:`UserError` where another version wrote it."""
        path = self.folder / "run.json"
        return run_info.read_info(path, oldest=run_info.SCHEMA) if path.exists() else None

    def write_info(self, info: RunInfo) -> None:
        """Replace ``run.json``, where that says something else."""
        run_info.write_info(self.folder / "run.json", info)


def _result_file(cell: Cell) -> str:
    return "weights.safetensors" if isinstance(cell, TrainCell) else "scores.parquet"


def _difference(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> str:
    parts = []
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            parts.append(_difference(old, new, f"{prefix}{name}."))
        elif old != new:
            hashed = name in ("source", "data", "training", "weights", "images")
            parts.append(f"{prefix}{name} changed" if hashed else f"{prefix}{name} {old} -> {new}")
    return ", ".join(filter(None, parts))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
