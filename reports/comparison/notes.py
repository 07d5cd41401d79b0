"""The sentences under a comparison: what its marks mean, what is not there, and what to beware of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from derainbench.images.decode import LOSSY
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.plugins.names import UNKNOWN
from derainbench.results.results import DatasetInRun, MethodInRun, Results
from derainbench.support.words import counted, listed

from .entries import Entry, failed_seeds
from .labels import short_names
from .same_images import same_images
from .seen import seen_notes

if TYPE_CHECKING:
    from .cells import Cell, Column, Row

#: Of tables that leave a row's cell blank where another row has it.
AT_HOME = "A training tested on its own dataset stands in its method's first row only."
#: How the sentence ends on cells that are empty though the run was asked for them.
NOT_EVALUATED = ": not evaluated in this run; run the command again."


def table_notes(results: Results, protocol: str, rows: Sequence[Row], columns: Sequence[Column]) -> tuple[str, ...]:
    """What belongs under the table of ``rows`` and ``columns``."""
    notes = []
    if any(cell.deviation is not None for row in rows for cell in row.cells):
        notes.append("± is the sample standard deviation over seeds.")
    tested_at_home = {column.dataset.name for column in columns}
    if any(row.entry.trained_on in tested_at_home for row in rows):
        notes.append(AT_HOME)
    # By the name that is typed: it is what the terminal's rows show, and the other formats' titles carry the tag too.
    unverified = {row.entry.method.name: _licence(row.entry.method) for row in rows if row.entry.method.unverified}
    notes += [f"{n}: unverified weights, from a file that nobody vouches for{said}." for n, said in unverified.items()]
    proposals = dict.fromkeys((row.entry.method.name, row.entry.method.proposal) for row in rows)
    notes += [f"{name}: {proposal}." for name, proposal in proposals if proposal]
    scored = [row for row in rows if any(cell.state == "finished" for cell in row.cells)]
    labels = list(dict.fromkeys(row.entry.label for row in rows))
    short = dict(zip(labels, short_names(labels), strict=True))
    truncated = dict.fromkeys(short[row.entry.label] for row in scored if row.entry.method.truncated)
    if truncated and protocol in PROTOCOLS and PROTOCOLS[protocol].eight_bit:
        notes.append(f"Outputs of {listed([*truncated])} are truncated to 8 bit, not rounded, as their authors did.")
    notes += _beside(results)
    notes += _from_files(results, rows)
    notes += same_images(results, rows)
    notes += [
        f"{each.title}: the mean over scenes of each scene's mean, as its authors average."
        for each in results.datasets
        if each.mean_of == "scenes"
    ]
    notes += [f"{each.title}: {each.other_sizes}." for each in results.datasets if each.other_sizes]
    notes += _tiled(results, rows)
    notes += seen_notes(results)
    notes += _not_evaluated(results, rows, columns)
    for row in rows:
        for column, cell in zip(columns, row.cells, strict=True):
            if cell.state == "finished":
                notes += _of_cell(results, row.entry, column, cell)
    return tuple(notes)


def _licence(method: MethodInRun) -> str:
    """What of the licences of unverified weights and of their network's code is known, as a clause."""
    licence = "" if method.weights is None else method.weights.licence
    return "" if licence in ("", "unknown") else f"; licence: {licence}"


def _beside(results: Results) -> list[str]:
    """Who measured what no protocol says, and what of it proves nothing."""
    notes = [
        f"{each.title}: by {each.implementation}, {each.version}; of the 8-bit image, whatever the protocol."
        for each in results.info.metrics
    ]
    blind = [each.title for each in results.info.metrics if not each.needs_reference]
    if blind:
        know = "knows" if len(blind) == 1 else "know"
        notes.append(
            f"{listed(blind)} {know} no ground truth: a better score is no proof that rain was removed, nor that "
            "nothing else was."
        )
    return notes


def _from_files(results: Results, rows: Sequence[Row]) -> list[str]:
    """Whose images were somebody's files, what they lost as such, and by what they were paired."""
    labels = {row.entry.method.name: row.entry.label for row in rows}
    titles = {dataset.name: dataset.title for dataset in results.datasets}
    notes = []
    for cell in results.info.cells:
        if cell.images is None or cell.method not in labels or cell.dataset not in titles:
            continue
        images, where = cell.images, f"{labels[cell.method]} on {titles[cell.dataset]}"
        kinds = listed([f"{number:,} {kind}" for kind, number in images.formats.items()])
        lossy = sum(number for kind, number in images.formats.items() if kind in LOSSY)
        lost = f" ({lossy:,} of them compressed with losses, which scores count)" if lossy else ""
        trained = "; what it was trained on is unknown" if cell.trained_on == UNKNOWN else ""
        notes.append(f"{where}: scored from files, {kinds}{lost}, paired by {images.pattern}{trained}.")
    return notes


def _of_cell(results: Results, entry: Entry, column: Column, cell: Cell) -> list[str]:
    """What a mean leaves out."""
    notes = []
    where = f"{entry.full_label} on {column.dataset.title}"
    metric = column.title
    if cell.infinite:
        has = "has" if cell.infinite == 1 else "have"
        found = f"{counted(cell.infinite, 'image')} {has} infinite {metric}"
        if cell.seeds > 1:
            found = f"infinite {metric} {cell.infinite:,} times in {cell.seeds} seeds"
        notes.append(f"{where}: {found}{'' if math.isinf(cell.value) else ', left out of the mean'}.")
    if math.isnan(cell.value):
        notes.append(f"{where}: no mean {metric}, because it is undefined for an image.")
    if column.leads:
        failed = len(failed_seeds(results, entry, column.dataset.name))
        planned = len(_planned_seeds(results, entry, column.dataset))
        if failed:
            notes.append(f"{where}: {cell.seeds} of {cell.seeds + failed} seeds finished.")
        elif cell.seeds < planned:
            notes.append(f"{where}: {cell.seeds} of {planned} seeds were evaluated; run the command again.")
    return notes


def _not_evaluated(results: Results, rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """What the run was asked for and has neither a score nor an error of."""
    missing: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for column, cell in zip(columns, row.cells, strict=True):
            here = row.entry.trained_on != column.dataset.name and column.leads
            if here and cell.state == "missing" and _planned_seeds(results, row.entry, column.dataset):
                missing[row.entry.full_label].append(column.dataset.title)
    said = "; ".join(f"{label} on {listed(titles)}" for label, titles in missing.items())
    return [f"{said}{NOT_EVALUATED}"] if said else []


def _planned_seeds(results: Results, entry: Entry, dataset: DatasetInRun) -> set[int]:
    """The seeds for which the run was asked for an evaluation; none where ``run.json`` does not tell."""
    sources = entry.sources(dataset.name)
    return {
        cell.seed
        for cell in results.info.cells
        if (cell.method, cell.dataset) == (entry.method.name, dataset.name) and cell.trained_on in sources
    }


def _tiled(results: Results, rows: Sequence[Row]) -> list[str]:
    """What was restored in tiles by a network that sees the whole image, so that tiles change the result."""
    seen_whole = {row.entry.method.name for row in rows if row.entry.method.reach is None}
    scores = results.scores[(results.scores["tile"] > 0) & results.scores["method"].isin(seen_whole)]
    notes = []
    for (method, dataset, tile), group in scores.groupby(["method", "dataset", "tile"]):
        images = counted(group["image"].nunique(), "image")
        notes.append(
            f"{method} on {dataset}: restored in tiles of {tile} pixels ({images}); restored whole, it would score "
            "differently."
        )
    return notes
