"""How far a run is, read from its folder by any process on any machine that sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from derainbench.errors import UserError
from derainbench.results.run_info import read_failed
from derainbench.run.cell_file import UnderWay, all_under_way
from derainbench.run.driver_file import Driver, read_driver
from derainbench.support.lock import is_held


@dataclass(frozen=True)
class RunStatus:
    """``driver`` is None where nobody drives the run now; ``ends_in`` are seconds, None where nothing tells.

    ``failed`` maps cells to their error, ``waiting`` are those that the driver has not begun.
    """

    run: Path
    read_at: float
    driver: Driver | None
    under_way: Sequence[UnderWay]
    done: Sequence[str]
    failed: dict[str, str]
    waiting: Sequence[str]
    ends_in: float | None


def run_status(run: Path, clock: Callable[[], float] = time.time) -> RunStatus:
    """What the folder says now. :class:`UserError` where it is no run's."""
    if not (run / "run.json").is_file():
        raise UserError(f"{run} is no run: there is no run.json in it; give the folder that derainbench run wrote to")
    driver = read_driver(run) if is_held(run) else None
    folders = [path.parent for kind in ("train", "eval") for path in sorted((run / kind).rglob("config.json"))]
    places = {folder.relative_to(run).as_posix(): folder for folder in folders}
    done = [place for place, folder in places.items() if (folder / "done.json").exists()]
    failed = {
        place: read_failed(folder / "failed.json").error
        for place, folder in places.items()
        if (folder / "failed.json").exists()
    }
    under_way = all_under_way(run) if driver is not None else []
    begun = {*done, *failed, *(each.cell for each in under_way)}
    waiting = [name for name in driver.to_do if name not in begun] if driver is not None else []
    now = clock()
    ends_in = None if driver is None else _run_ends_in(driver, done, failed, under_way, now)
    return RunStatus(run, now, driver, under_way, done, failed, waiting, ends_in)


def cell_ends_in(cell: UnderWay, now: float) -> float | None:
    """Seconds until a cell ends, if it goes on as it did; None where it has done nothing yet."""
    begun = cell.resumed or 0
    if cell.done <= begun:
        return None
    pace = (cell.updated - cell.started) / (cell.done - begun)
    return max(0.0, pace * (cell.total - cell.done) - (now - cell.updated))


def _run_ends_in(
    driver: Driver, done: Sequence[str], failed: dict[str, str], under_way: Sequence[UnderWay], now: float
) -> float | None:
    """Seconds until all is done, by the arithmetic of what is done since the driver started and what is left."""
    work = {name: macs for name, macs in driver.to_do.items() if macs is not None and name not in failed}
    finished = sum(work.pop(name, 0.0) for name in done)
    for cell in under_way:
        share = cell.done / cell.total if cell.total else 0.0
        earlier = (cell.resumed or 0) / cell.total if cell.total else 0.0
        finished += work.get(cell.cell, 0.0) * (share - earlier)
        work[cell.cell] = work.get(cell.cell, 0.0) * (1 - share)
    if not finished:
        return None
    return sum(work.values()) * (now - driver.started) / finished
