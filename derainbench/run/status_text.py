"""A run's status as lines for a terminal."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime

from tabulate import tabulate

from derainbench.errors import printable
from derainbench.run.cell_file import UnderWay
from derainbench.run.cost import duration
from derainbench.run.status import RunStatus, cell_ends_in

#: Seconds without news after which it is said how old they are: longer than most steps, and images, take.
QUIET = 60.0


def status_text(status: RunStatus) -> str:
    """Who drives it, a line for each cell under way, counts, and the failures."""
    lines = [_driver(status)]
    if status.under_way:
        lines += ["", _table([_row(cell, status.read_at) for cell in status.under_way])]
    counts = {"done": status.done, "failed": status.failed, "under way": status.under_way, "waiting": status.waiting}
    lines += ["", ", ".join(f"{len(cells)} {name}" for name, cells in counts.items()) + _end(status.ends_in)]
    lines += [f"  FAILED {name}: {error}" for name, error in status.failed.items()]
    return "\n".join(printable(line) for each in lines for line in each.split("\n"))


def _driver(status: RunStatus) -> str:
    driver = status.driver
    if driver is None:
        return f"{status.run}: not running"
    on = ", ".join(f"{driver.devices.count(name)} x {name}" for name in dict.fromkeys(driver.devices))
    since = datetime.fromtimestamp(driver.started).strftime("%Y-%m-%d %H:%M")
    place = f"{driver.host}, process {driver.process}"
    return f"{status.run}: running since {since} on {place}; {driver.executor} on {on}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return tabulate(
        rows, headers=("cell", "where", "done", "loss", "ends in", ""), tablefmt="plain", disable_numparse=True
    )


def _row(cell: UnderWay, now: float) -> Sequence[str]:
    where = cell.device if cell.host == platform.node() else f"{cell.host} {cell.device}"
    done = f"{cell.done:,} of {cell.total:,}" if cell.total else "begins"
    left = cell_ends_in(cell, now)
    notes = [f"resumed at {cell.resumed:,}"] if cell.resumed else []
    if now - cell.updated > QUIET:
        notes.append(f"no news for {duration(now - cell.updated)}")
    loss = "" if cell.loss is None else f"{cell.loss:.4f}"
    return cell.cell, where, done, loss, "" if left is None else f"about {duration(left)}", ", ".join(notes)


def _end(seconds: float | None) -> str:
    return "" if seconds is None else f"; all ends in about {duration(seconds)}"
