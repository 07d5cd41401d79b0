"""Images to be compared with others, a split's clean ones or a folder's, with fingerprints kept for the next time."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from derainbench.catalogue.cards import RESERVED, SPLITS, Card, SplitName
from derainbench.catalogue.locate import Dataset, select
from derainbench.catalogue.unpaired import photographs_of, unpaired_cards, without_ground_truth
from derainbench.errors import UserError, did_you_mean
from derainbench.images.decode import Half, Source, file_of, read_rgb, shown_name
from derainbench.images.find import IMAGE_SUFFIXES, image_files
from derainbench.overlap.fingerprint import REVISION, Fingerprint, Fingerprints, fingerprint
from derainbench.support.atomic import write_atomic
from derainbench.support.cache import cache_folder
from derainbench.support.workers import default_workers, in_chunks

#: Told (what, how many more images are done, of how many).
Progress = Callable[[str, int, int], None]

_FEW = 100  # images that are read before other processes have started


@dataclass(frozen=True)
class ImageSet:
    """Images with their fingerprints, in one order. ``name`` is ``CARD SPLIT``, or the folder as it was given.

    ``images`` are paths below the set's folder, with `` (left half)`` or `` (right half)`` where they are halves.
    ``broken`` says of each image that cannot be read, and is not among them, what is wrong with it.
    """

    name: str
    images: tuple[str, ...]
    prints: Fingerprints
    broken: tuple[str, ...] = ()


class Files(NamedTuple):
    """The images of a set before they are read, by name; ``key`` changes with their names or contents.

    ``parts`` are the members' where it is a union's: they are read and kept, and ``sources`` is empty.
    """

    name: str
    sources: dict[str, Source]
    key: str
    parts: tuple[Files, ...] = ()

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(part.images for part in self.parts) if self.parts else len(self.sources)


def choose_sets(word: str, cards: Mapping[str, Card], data_root: Path | None) -> list[Files]:
    """What an argument means: ``CARD`` with all its splits here, ``CARD:train``, ``CARD:test``, or a folder's images.

    The card of a set without ground truth means its photographs. A card's name comes before a folder of that name,
    which ``./NAME`` is. :class:`UserError` where it is neither, or where there are no files.
    """
    name, colon, split = word.partition(":")
    if name in cards or name in RESERVED:
        if colon and split not in SPLITS:
            raise UserError(f"{word!r}: a split is train or test, as in {name}:test")
        datasets = select(name, dict(cards), data_root)
        return [
            split_files(dataset, each)
            for dataset in datasets
            for each in SPLITS
            if (each == split if colon else dataset.has(each))
        ]
    if (unpaired := unpaired_cards().get(name)) is not None:
        if colon:
            raise UserError(f"{word!r}: it has no splits; {without_ground_truth(name)}")
        return [folder_files(photographs_of(unpaired, data_root))]
    folder = Path(word)
    if not folder.is_dir():
        raise UserError(f"{word!r} is neither a folder nor a dataset; {did_you_mean(name, list(cards))}")
    return [folder_files(folder)]


def split_files(dataset: Dataset, split: SplitName) -> Files:
    """The clean images of a split, each once however many rainy ones share it; errors as in ``Dataset.pairs``."""
    if dataset.parts != (dataset,):
        parts = tuple(split_files(part, split) for part in dataset.parts)
        return Files(f"{dataset.name} {split}", {}, dataset.digest(split), parts)
    pairs = dataset.pairs(split)
    if pairs.side_by_side:
        side: Literal["left", "right"] = "right" if pairs.side_by_side == "rainy|clean" else "left"
        sources: dict[str, Source] = {
            f"{path} ({side} half)": Half(pairs.root / path, side) for path in pairs.column("rainy").to_pylist()
        }
    else:
        # Of the dictionary that the column has, one value for each file.
        sources = {path: pairs.root / path for path in pairs.column("clean").unique().to_pylist()}
    return Files(f"{dataset.name} {split}", sources, dataset.digest(split))


def folder_files(folder: Path) -> Files:
    """The image files below a folder (:func:`.image_files`), hidden ones apart."""
    found: dict[str, Source] = {}
    stamps = []
    for path in sorted(image_files(folder)):
        name = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in path.relative_to(folder).as_posix())
        found[name] = path
        stamp = f"{name}\nnowhere"  # a link to what is not there is heard of when it is read
        with suppress(OSError):
            facts = path.stat()
            stamp = f"{name}\n{facts.st_size}\n{facts.st_mtime_ns}"
        stamps.append(stamp)
    if not found:
        raise UserError(f"{folder} has no image files ({', '.join(IMAGE_SUFFIXES)}); check the path")
    text = "\n".join([ascii(str(folder.resolve())), *stamps])
    return Files(str(folder), found, hashlib.sha256(text.encode()).hexdigest())


def read_set(files: Files, progress: Progress = lambda what, more, total: None) -> ImageSet:
    """The set with its fingerprints: from the cache where the key is known, otherwise from its images, and kept.

    Images are read in parallel. What is wrong with broken ones is kept too, since the key changes when they are mended;
    not so where one may not be read: its permissions are not in the key.
    """
    if files.parts:
        return _joined(files.name, [read_set(part, progress) for part in files.parts])
    path = cache_path(files)
    kept = _load(path, files)
    if kept is not None:
        return kept
    items = list(enumerate(files.sources.values()))
    results: dict[int, Fingerprint | _Broken] = {}
    for count, part in in_chunks(_measure, items, default_workers() if len(items) > _FEW else 1):
        results.update(part)
        progress(f"fingerprints of {files.name}", count, len(items))
    names = list(files.sources)
    good = [(names[at], each) for at in range(len(names)) if isinstance(each := results[at], Fingerprint)]
    bad = {names[at]: each for at in range(len(names)) if isinstance(each := results[at], _Broken)}
    told = tuple(each.reason for each in bad.values())
    made = ImageSet(files.name, tuple(name for name, _ in good), Fingerprints.of([each for _, each in good]), told)
    if all(each.lasts for each in bad.values()):
        with suppress(UserError):  # a cache that cannot be written costs time, nothing else
            write_atomic(path, _packed(made, list(bad)))
    return made


def _joined(name: str, parts: Sequence[ImageSet]) -> ImageSet:
    """Sets below each other, the images of each under its name."""
    images = tuple(f"{part.name.partition(' ')[0]}/{image}" for part in parts for image in part.images)
    columns = zip(*(vars(part.prints).values() for part in parts), strict=True)
    prints = Fingerprints(*(np.concatenate(column) for column in columns))
    return ImageSet(name, images, prints, tuple(each for part in parts for each in part.broken))


def is_kept(files: Files) -> bool:
    """Whether the set's fingerprints are kept, so that nothing need be read."""
    return all(map(is_kept, files.parts)) if files.parts else cache_path(files).exists()


def cache_path(files: Files) -> Path:
    """Where the fingerprints of a set are kept."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", files.name)[-60:].strip("-.") or "folder"
    return cache_folder() / "fingerprints" / f"{name}-{files.key[:16]}-r{REVISION}.npz"


def kept_before(card: str, split: SplitName) -> bool:
    """Whether fingerprints of a card's split are kept, be it of other files than there are now."""
    return any((cache_folder() / "fingerprints").glob(f"{card}-{split}-*-r{REVISION}.npz"))


class _Broken(NamedTuple):
    """Why an image cannot be read; ``lasts`` as long as its contents do."""

    reason: str
    lasts: bool


def _measure(chunk: Sequence[tuple[int, Source]]) -> list[tuple[int, Fingerprint | _Broken]]:
    results: list[tuple[int, Fingerprint | _Broken]] = []
    for place, source in chunk:
        try:
            results.append((place, fingerprint(read_rgb(source))))
        except UserError as error:
            results.append((place, _Broken(str(error), _lasts(error.__cause__))))
    return results


def _lasts(cause: BaseException | None) -> bool:
    """Whether it is the file's contents: not the system's refusal, other than that there is no such file."""
    return not isinstance(cause, OSError) or cause.errno in (None, errno.ENOENT, errno.ELOOP)


def _packed(images: ImageSet, broken: Sequence[str]) -> bytes:
    """As a file; ``broken`` are the names of the images that are left out."""
    buffer = io.BytesIO()
    texts = (np.frombuffer(json.dumps(each).encode(), np.uint8) for each in (images.images, broken, images.broken))
    named, left_out, reasons = texts
    np.savez(buffer, names=named, broken=left_out, reasons=reasons, **vars(images.prints))
    return buffer.getvalue()


def _load(path: Path, files: Files) -> ImageSet | None:
    """What is kept, unless the reasons speak of other paths: contents may have been moved since."""
    try:
        with path.open("rb") as stream, np.load(stream) as columns:
            names, broken, reasons = (json.loads(columns[each].tobytes()) for each in ("names", "broken", "reasons"))
            prints = Fingerprints(*(columns[each] for each in ("pixels", "sides", "detail", "coefficients")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    places = [file_of(files.sources[name]) for name in broken]
    if not all(shown_name(place) in reason for place, reason in zip(places, reasons, strict=True)):
        return None
    return ImageSet(files.name, tuple(names), prints, tuple(reasons))
