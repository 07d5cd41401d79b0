"""What the measured numbers in a published table are not, in sentences that belong under it."""

from __future__ import annotations

from collections.abc import Mapping

from .fillings import Filling, RunIndex, answers
from .paper_table import PaperTable


def notes(index: RunIndex, table: PaperTable, found: Mapping[tuple[int, int], Filling]) -> list[str]:
    """Where other datasets, options or images than the table's were measured; ``found`` is by row and column."""
    datasets = {dataset.name: dataset for dataset in index.results.datasets}
    stand_in: dict[tuple[str, str], None] = {}
    other_images: dict[str, int] = {}
    other_options: dict[str, None] = {}
    trained: dict[str, dict[str, None]] = {}
    for (down, across), each in found.items():
        row, column = table.rows[down], table.columns[across]
        if each.dataset != column.dataset:
            stand_in[datasets[each.dataset].title if each.dataset in datasets else each.dataset, column.title] = None
        elif each.dataset in datasets and not datasets[each.dataset].whole:
            other_images[column.title] = len(datasets[each.dataset].test)
        if row.measure is not None and not answers(each.place[0], row.measure.method):
            other_options[row.title] = None
        if each.differs:
            trained.setdefault(each.differs, {})[row.title] = None
    told = [
        f"Measured on {here} instead of {there}: not comparable with the published numbers." for here, there in stand_in
    ]
    told += [
        f"Measured on {count} test images, which is not all that {title} has." for title, count in other_images.items()
    ]
    if other_options:
        told.append(f"With other options than the row's network, named here: {', '.join(other_options)}.")
    told += [f"{', '.join(titles)}: {differs}." for differs, titles in trained.items()]
    return told
