"""What the measured numbers in a published table are not, in sentences that belong under it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from derainbench.protocols import PROTOCOLS

from .fillings import Filling, RunIndex, answers, in_bf16
from .paper_table import PaperTable


def notes(index: RunIndex, table: PaperTable, found: Mapping[tuple[int, int], Filling]) -> list[str]:
    """Where other datasets, options or images than the table's were measured, or how; ``found``: by row and column."""
    datasets = {dataset.name: dataset for dataset in index.results.datasets}
    stand_in: dict[tuple[str, str], None] = {}
    other_images: dict[str, int] = {}
    other_options: dict[str, None] = {}
    of_rows: dict[str, dict[str, None]] = {}
    for (down, across), each in found.items():
        row, column = table.rows[down], table.columns[across]
        if each.dataset != column.dataset:
            stand_in[datasets[each.dataset].title if each.dataset in datasets else each.dataset, column.title] = None
        elif each.dataset in datasets and not datasets[each.dataset].whole:
            other_images[column.title] = len(datasets[each.dataset].test)
        method = index.methods.get(each.place[0])
        if row.measure is not None and method is not None and not answers(method, row.measure.method):
            other_options[row.title] = None
        for said in filter(None, [each.differs, *(() if each.failed else _how(index, each))]):
            of_rows.setdefault(said, {})[row.title] = None
    told = [
        f"Measured on {here} instead of {there}: not comparable with the published numbers." for here, there in stand_in
    ]
    told += [
        f"Measured on {count} test images, which is not all that {title} has." for title, count in other_images.items()
    ]
    if other_options:
        told.append(f"With other options than the row's network, named here: {'; '.join(other_options)}.")
    told += [f"{'; '.join(titles)}: {said}." for said, titles in of_rows.items()]
    return told


def _how(index: RunIndex, each: Filling) -> Iterator[str]:
    """What else must be known before scores are set beside published ones."""
    name, source, tested = each.place
    method, info = index.methods.get(name), index.results.info
    if in_bf16(index, each.place):
        yield "measured in bf16; a number to compare with the published one is one in fp32"
    if method is not None and method.truncated and _eight_bit(info.get("protocols", ())):
        yield "outputs truncated to 8 bit, as their authors did, under the protocols of 8-bit images"
    for seen in info.get("seen_in_training", ()):
        if (seen["train"], seen["test"]) == (source, tested) and seen.get("shared"):
            yield f"copies of {seen['shared']} of the {seen['total']} clean test images are in {source} train here"


def _eight_bit(protocols: Iterable[str]) -> bool:
    """Whether one of them measures 8-bit images."""
    return any(name in PROTOCOLS and PROTOCOLS[name].eight_bit for name in protocols)
