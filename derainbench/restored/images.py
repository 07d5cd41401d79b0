"""The restored images of a test split as files: paired, hashed, of the right size, known again when they are read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from derainbench.catalogue.locate import Dataset
from derainbench.catalogue.subset import Subset
from derainbench.errors import UserError, printable
from derainbench.images.decode import Array, opened_image, read_rgb, size_as_turned
from derainbench.restored.pairing import Paired, pair_files
from derainbench.restored.row import Row
from derainbench.support.atomic import file_hash
from derainbench.support.words import counted

_THREADS = 8  # reading waits for the disk


@dataclass(frozen=True)
class RestoredFile:
    """A restored image, below its row's folder; ``format`` is told by its content."""

    path: str
    sha256: str
    format: str
    height: int
    width: int


@dataclass(frozen=True)
class RestoredImages:
    """One file for each test pair of ``dataset``, in the pairs' order."""

    row: Row
    dataset: Dataset
    paired: Paired
    files: tuple[RestoredFile, ...]

    @cached_property
    def digest(self) -> str:
        """Hash of what is scored: the content of each pair's file, whatever the files are called."""
        images = self.dataset.pairs("test").column("image").to_pylist()
        content = [[image, file.sha256] for image, file in zip(images, self.files, strict=True)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def formats(self) -> dict[str, int]:
        """How many files are of each format, the most frequent first."""
        return dict(Counter(file.format for file in self.files).most_common())

    @property
    def how(self) -> str:
        """How they were paired, in a sentence."""
        kinds = " and ".join(f"{number:,} {kind}" for kind, number in self.formats.items())
        by = "as their names suggest, by" if self.paired.guessed else "by the given"
        said = (
            f"{self.row.label} on {self.dataset.name}: {kinds} in {self.row.folder}, paired {by} {self.paired.pattern}"
        )
        if self.paired.left_out:
            first, *more = self.paired.left_out
            said += f"; left out: {first}" + (f" and {counted(len(more), 'file')} more" if more else "")
        return printable(said)

    def read(self, number: int) -> Array:
        """A pair's restored image, (H, W, 3) uint8. :class:`UserError` where it is not the file that was hashed."""
        path = self.row.folder / self.files[number].path
        if file_hash(path) != self.files[number].sha256:
            raise UserError(f"{path} changed after this run had read it; leave it alone and run the same command again")
        return read_rgb(path)


def find_images(row: Row, dataset: Dataset) -> RestoredImages:
    """The restored images of a dataset's test pairs in a row's folder; every file is read once, to be hashed.

    :class:`UserError` where files do not pair, cannot be read, or are not as large as their pair's images.
    """
    wanted = list(map(int, dataset.pairs("test").rows)) if isinstance(dataset, Subset) else None
    whole = dataset.whole if isinstance(dataset, Subset) else dataset
    paired = pair_files(row.folder, row.pattern, whole, wanted)
    with ThreadPoolExecutor(_THREADS) as pool:
        files = tuple(pool.map(lambda path: _look(row.folder, path), paired.files))
    _check_sizes(row, dataset, files)
    return RestoredImages(row, dataset, paired, files)


def _look(folder: Path, name: str) -> RestoredFile:
    path = folder / name
    with opened_image(path) as image:
        kind, (height, width) = image.format or "", size_as_turned(image, path)
    return RestoredFile(name, file_hash(path), kind, height, width)


def _check_sizes(row: Row, dataset: Dataset, files: tuple[RestoredFile, ...]) -> None:
    pairs = dataset.pairs("test")
    names, sizes = pairs.column("image").to_pylist(), pairs.sizes().tolist()
    wrong = [
        (file, name, height, width)
        for file, name, (height, width) in zip(files, names, sizes, strict=True)
        if height and (file.height, file.width) != (height, width)
    ]
    if not wrong:
        return
    file, name, height, width = wrong[0]
    more = f" ({len(wrong)} of {len(files)} files have other sizes than their pairs)" if len(wrong) > 1 else ""
    if Counter((each.height, each.width) for each in files) == Counter(map(tuple, sizes)):
        meaning = "the sizes are right, in another order: the names are shifted, or mixed up"
    elif (file.height, file.width) == (width, height):
        meaning = "it is turned"
    elif file.height <= height and file.width <= width:
        meaning = "it is cropped or scaled down"
    else:
        meaning = "it is padded or scaled up, or another set's"
    raise UserError(
        f"{row.folder / file.path} is {file.width}x{file.height}, and pair {name} of {dataset.name} is {width}x{height}"
        f"{more}: {meaning}; scores are of whole images, so restore images of the pairs' own sizes"
    )
