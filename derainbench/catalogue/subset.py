"""Some of a dataset's test pairs as a dataset of their own, under a name that says so."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from derainbench.catalogue.cards import SplitName, without_zeros
from derainbench.catalogue.list_file import read_lines
from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.manifest import Manifest, OnFile
from derainbench.catalogue.pair_table import Pairs
from derainbench.errors import UserError


class Subset(Dataset):
    """The test pairs at ``places`` of ``whole``; it has no training pairs."""

    def __init__(self, whole: Dataset, places: Sequence[int], name: str, title: str) -> None:
        card = whole.card.model_copy(update={"name": f"{whole.name}-{name}", "title": f"{whole.card.title} ({title})"})
        super().__init__(card, whole.root, whole.layout)
        self.whole, self._places = whole, list(places)

    @property
    def has_input(self) -> bool:
        """As the whole."""
        return self.whole.has_input

    def has(self, split: SplitName) -> bool:
        """Only the test split."""
        return split == "test" and self.whole.has(split)

    def manifest(self, split: SplitName, on_file: OnFile = lambda done, total: None) -> Manifest:
        """The chosen rows of the whole's."""
        if split != "test":
            raise UserError(f"{self.name} has no {split} images: it is a part of a test set")
        if split not in self._manifests:
            whole = self.whole.manifest(split, on_file)
            digest = hashlib.sha256(json.dumps([whole.digest, self._places]).encode()).hexdigest()
            table = whole.pairs.table
            buffer = io.BytesIO()
            pq.write_table(table.take(self._places), buffer, compression="zstd", write_page_checksum=True)
            pairs = whole.pairs.take(self._places)
            pairs = Pairs(table, whole.pairs.root, digest, whole.pairs.side_by_side, pairs.rows)
            self._manifests[split] = Manifest(pairs, digest, None, buffer.getvalue())
        return self._manifests[split]


def first_pairs(whole: Dataset, limit: int) -> Dataset:
    """The first ``limit`` test pairs in the dataset's order; the dataset itself where it has no more."""
    count = len(whole.pairs("test"))
    if limit >= count:
        return whole
    return Subset(whole, range(limit), f"first-{limit}", f"first {limit} of {count}")


def listed_pairs(whole: Dataset, file: Path) -> Dataset:
    """The test pairs that a text file lists, a line each: an image's name here, or the name of one of its files.

    Empty lines, and those that begin with #, count for nothing. :class:`UserError` for a line that names no pair.
    """
    lines = read_lines(file)
    pairs = whole.pairs("test")
    known: dict[str, set[int]] = {}
    for place, image in enumerate(pairs.column("image").to_pylist()):
        known.setdefault(_plain(image), set()).add(place)
    for role in pairs.roles[:2]:
        for place, path in enumerate(pairs.column(role).to_pylist()):
            for name in (path, Path(path).name, Path(path).stem):
                known.setdefault(_plain(name), set()).add(place)
    places: dict[int, None] = {}
    for number, line in lines:
        found = known.get(_plain(line), set())
        if len(found) != 1:
            what = "several test pairs" if found else "no test pair"
            raise UserError(
                f"list {file}, line {number}: {line[:80]!a} names {what} of {whole.name}; write names such as "
                f"{pairs[0].image}"
            )
        places.update(dict.fromkeys(found))
    if not places:
        raise UserError(f"list {file} names no image; write a name a line, such as {pairs[0].image}")
    chosen = sorted(places)
    tag = hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:6]
    return Subset(whole, chosen, f"list-{tag}", f"{len(chosen)} of {len(pairs)}, listed in {file.stem[:40]}")


def _plain(name: str) -> str:
    return without_zeros(name.removeprefix("./")).casefold()
