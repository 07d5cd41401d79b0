"""What ``derainbench run`` does with its plan: show it, or carry it out."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from derainbench.catalogue.locate import same_files
from derainbench.catalogue.manifest import keep_manifests
from derainbench.engine.curves import check_logger
from derainbench.engine.device import describe_machine
from derainbench.engine.kept_images import check_kept
from derainbench.errors import printable
from derainbench.plugins.names import UNPROCESSED
from derainbench.restored.fit import check_fit
from derainbench.results.load import load_run
from derainbench.results.results import Results
from derainbench.run.cells import Cell, ImagesCell
from derainbench.run.choices import dataset_finder
from derainbench.run.console import ConsoleWatcher, look_at_training_sets, print_plan
from derainbench.run.cost import costs_of, macs_of
from derainbench.run.description import describe_run, merge, restated, splits_of
from derainbench.run.driver_file import driving
from derainbench.run.execute import RunOutcome, execute
from derainbench.run.executors.executor import Executor
from derainbench.run.executors.inline import Inline
from derainbench.run.executors.processes import Processes
from derainbench.run.executors.ray import OnRay
from derainbench.run.executors.slurm import Slurm
from derainbench.run.input_checks import with_input_checks
from derainbench.run.job import Aside, Words
from derainbench.run.plan import Planned
from derainbench.run.suite import Measurement
from derainbench.run.suite_grid import SuiteGrid


@dataclass(frozen=True)
class Done:
    """What came of a plan; ``notices`` are what has to be known about the numbers."""

    folder: Path
    outcome: RunOutcome
    results: Results
    notices: Sequence[str] = field(default_factory=list)


def show(planned: Planned) -> None:
    """Print the plan: a line a cell, what it is for and what it would cost."""
    grid = planned.grid
    rows = {cell.name: grid.rows(cell) for cell in planned.cells} if isinstance(grid, SuiteGrid) else {}
    places = {name: _places(of) for name, of in rows.items() if of}
    to_do = planned.to_do()
    costs = costs_of(to_do, planned.engine)
    print_plan(planned.cells, planned.statuses, costs.words, places)
    if to_do:
        print(costs.summary)
    for problem in planned.lacking():
        print(f"note: {problem}")
    print(f"{len(planned.cells)} cells, {len(to_do)} to do")


def carry_out(planned: Planned, debug: bool) -> Done:
    """Do what is missing or changed. :class:`UserError` where its data or weights are not on this machine."""
    if not planned.store.folder.exists():
        planned.check()  # otherwise below; here, so that a mistake leaves no folder behind
    order, store = planned.order, planned.store
    executor = _executor(planned)  # likewise
    options = same_files(order.card, order.data_root)
    seen = look_at_training_sets(planned.cells, dataset_finder(order.card, order.data_root), options)
    doubts = _doubts(planned)
    with store.locked():
        # What is there is worked out again: a cell that was finished meanwhile would be begun anew.
        planned = planned.looked_at_again()
        planned.check()
        store.refuse_links(["manifests", *(f"{cell.name}/images" for cell in planned.cells)])
        grid, cells = planned.grid, planned.cells
        command = printable(shlex.join(["derainbench", *sys.argv[1:]]))
        suite = grid.description() if isinstance(grid, SuiteGrid) else None
        info = describe_run(grid, cells, describe_machine(planned.engine), command, seen, suite, doubts)
        before = store.read_info()
        merged = merge(before if before is None else restated(before, grid), info)
        keep_manifests(store.folder, [(d.name, split, d.manifest(split)) for d, split in splits_of(cells)])
        store.write_info(merged)
        where, costs = planned.where, {cell.name: macs_of(cell) for cell in planned.to_do()}
        with driving(store.folder, where.kind, where.devices, costs), ConsoleWatcher(debug=debug) as watcher:
            outcome = execute(_in_order(planned, costs), planned.statuses, store, executor, watcher)
        results = load_run(store.folder)
        merged = with_input_checks(merged, results, [dataset.card for dataset in grid.tested_on], UNPROCESSED)
        store.write_info(merged)
    # what was seen in training is said under the table; what nobody looked at is not
    unread = [entry.notice for entry in seen if entry.shared is None]
    checks = filter(None, [*unread, *(check.notice for check in merged.input_checks)])
    return Done(store.folder, outcome, results, [*info.notices, *checks])


def _doubts(planned: Planned) -> list[str]:
    """What is odd about restored images that are yet to be scored. :class:`UserError` where they are not the pairs'."""
    said = [check_fit(cell.images) for cell in planned.to_do() if isinstance(cell, ImagesCell)]
    return [text for text in said if text]


def _executor(planned: Planned) -> Executor:
    order, store, where = planned.order, planned.store, planned.where
    aside = Aside(order.workers, check_logger(order.log), check_kept(order.images or "all"))
    if where.kind == "inline":
        return Inline(store, planned.engine, aside)
    words = Words(store.folder, order.data_root, tuple(order.plugin), tuple(order.card), aside)
    if where.kind == "slurm":
        return Slurm(words, where.settings, where.devices[0], order.threads)
    if where.kind == "ray":
        return OnRay(words, where.devices[0], order.threads, where.settings.get("address", ""))
    return Processes(words, where.devices, order.threads)


def _in_order(planned: Planned, costs: Mapping[str, float | None]) -> Sequence[Cell]:
    """The cells as they are to be begun: on several devices those that cost most first, so that none is left alone."""
    if planned.where.kind == "inline":
        return planned.cells
    return sorted(planned.cells, key=lambda cell: -(costs.get(cell.name) or math.inf))


def _places(rows: Sequence[Measurement]) -> str:
    """What a cell is for: ``nasnet/7 NASNet, nasnet/9 NASNet``."""
    return ", ".join(dict.fromkeys(row.wanted.place for row in rows if row.wanted is not None))
