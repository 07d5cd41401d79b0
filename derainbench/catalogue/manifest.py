"""What a split's files are - names, sizes, hashes, which belong together - kept so that opening it needs no scan.

A manifest is one parquet file below ``cache_folder()/manifests``, a row a pair; docs/verify.md describes it. It is
taken for current as long as no folder changed in which the split's files lie, nor the size or time of any file; of
splits with more than :data:`EVERY_FILE` files, of :data:`SOME_FILES` evenly spaced ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from derainbench.catalogue.cards import Card, SplitName, SplitPatterns
from derainbench.catalogue.list_file import list_hash
from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Matched, match_files
from derainbench.errors import UserError
from derainbench.images.decode import LARGEST_FILE, Half, image_size
from derainbench.support.atomic import file_hash, storage_error, write_atomic
from derainbench.support.cache import cache_folder

#: Called with (files read, files in all) while a split is scanned.
OnFile = Callable[[int, int], None]

#: Splits with at most this many files are checked file by file each time they are opened.
EVERY_FILE = 20_000

#: How many files of larger splits are looked at.
SOME_FILES = 2_000

_SCHEMA = 2
_ABOUT, _ABOUT_HASH = b"derainbench", b"derainbench_sha256"  # the keys of the parquet file's own metadata
_THREADS = 8  # reading waits for the disk
_CHUNK = 64  # files a task: a future each would take more memory than what they find
_CLOCK = 2_000_000_000  # ns: a file changed this shortly before it was hashed may have changed since, unseen


class FileFacts(NamedTuple):
    """One file: size in bytes, time of its last change in ns, sha256, and (of rainy files) the image's size."""

    bytes: int
    modified: int
    sha256: str
    height: int = 0
    width: int = 0


@dataclass(frozen=True)
class Manifest:
    """A split as it lies on the disk. ``digest`` tells it from every other content, naming or pairing.

    ``path`` is where it is kept, None where the cache cannot be written; then ``content`` is what would be there.
    """

    pairs: Pairs
    digest: str
    path: Path | None
    content: bytes = b""


def open_manifest(
    card: Card,
    root: Path,
    patterns: SplitPatterns,
    split: SplitName,
    on_file: OnFile = lambda done, total: None,
    trust: bool = True,
) -> Manifest:
    """The manifest of a split, from the cache where its files are unchanged; otherwise made, and kept.

    Without ``trust`` every file is read again. :class:`UserError` where files do not pair, or one cannot be read.
    """
    identity = _identity(card, root, split, patterns)
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    path = cache_folder() / "manifests" / f"{card.name}-{split}-{key}.parquet"
    # A training split may have 600,000 files, whose hashes are of use to a new scan only.
    hashes = split == "test"
    stored = _read(path, hashes) if trust else None
    if stored is not None and _is_current(stored, root):
        return _manifest(stored, root, patterns, path)
    begun = time.time_ns()
    matched = match_files(root, patterns, getattr(card.same_scene, split))
    if matched.problems:
        several = f" ({len(matched.problems)} such problems; derainbench datasets verify {card.name} names all)"
        raise UserError(matched.problems[0].message + (several if len(matched.problems) > 1 else ""))
    known = _known_files(path) if stored is not None else {}
    table = _scan(matched, known, on_file, identity, begun)
    if not table.num_rows:  # nothing to keep, and nothing by which to notice that files have come
        return _manifest(table, root, patterns, None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    with suppress(UserError):  # a cache that cannot be written costs time, nothing else
        write_atomic(path, buffer.getvalue())
        return _manifest(table, root, patterns, path)
    return _manifest(table, root, patterns, None, buffer.getvalue())


def kept_manifest(dataset: str, split: SplitName, digest: str) -> Path:
    """Where a run keeps the manifest of a split that it used, below its folder."""
    return Path("manifests", f"{dataset}-{split}-{digest[:12]}.parquet")


def keep_manifests(folder: Path, used: Iterable[tuple[str, SplitName, Manifest]]) -> None:
    """Copy manifests, by dataset and split, to where a run in ``folder`` keeps them.

    :class:`UserError` where another process, or somebody, has meanwhile replaced or removed one.
    """
    for dataset, split, manifest in used:
        target = folder / kept_manifest(dataset, split, manifest.digest)
        if target.exists():
            continue
        if manifest.path is not None:
            stored = _read(manifest.path)
            if stored is None or _about(stored)["digest"] != manifest.digest:
                raise UserError(
                    f"the {split} files of {dataset}, or derainbench's cache, changed while this run was reading them; "
                    "run the same command again"
                )
        write_atomic(target, manifest.path.read_bytes() if manifest.path is not None else manifest.content)


def _identity(card: Card, root: Path, split: SplitName, patterns: SplitPatterns) -> dict[str, Any]:
    """What tells the manifests of different splits, places and readings of a card apart."""
    # What came later is left out where a card does not have it, so that the manifests that there were are found.
    without = set() if patterns.listed_in else {"listed_in"}
    of_list = {"list": list_hash(root / patterns.listed_in)} if patterns.listed_in else {}
    return {
        "schema": _SCHEMA,
        "dataset": card.name,
        "revision": card.revision,
        "split": split,
        "root": str(root.resolve()),
        "patterns": patterns.model_dump(mode="json", exclude=without),
        **of_list,
        "same_scene": [list(group) for group in getattr(card.same_scene, split)],
    }


def _manifest(
    table: pa.Table, root: Path, patterns: SplitPatterns, path: Path | None, content: bytes = b""
) -> Manifest:
    digest = _about(table)["digest"]
    facts = ("", "_bytes", "_modified", *(("_sha256",) if _about(table)["split"] == "test" else ()))
    columns = [f"{role}{what}" for role in ("rainy", *patterns.partners) for what in facts]
    columns += ["image", "scene", "height", "width"]
    return Manifest(Pairs(table.select(columns), root, digest, patterns.side_by_side), digest, path, content)


def _about(table: pa.Table) -> dict[str, Any]:
    return dict(json.loads(table.schema.metadata[_ABOUT]))


def _read(path: Path, hashes: bool = False) -> pa.Table | None:
    """A stored manifest, or None where there is none that is whole; with its files' hashes where they are asked for."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            about = _checked(file.schema_arrow.metadata)
            what = ("", "_bytes", "_modified", *(("_sha256",) if hashes else ()))
            names = [f"{role}{each}" for role in about["roles"] for each in what]
            table = file.read(columns=["image", "scene", "height", "width", *names])
        whole = set(names) <= set(table.column_names)
        return table.replace_schema_metadata(file.schema_arrow.metadata) if whole else None
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):  # damaged, in one of many ways
        return None


def _checked(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """What a manifest says of itself; parquet's checksums are of the columns only."""
    if hashlib.sha256(metadata[_ABOUT]).hexdigest() != metadata[_ABOUT_HASH].decode():
        raise ValueError("damaged")
    return dict(json.loads(metadata[_ABOUT]))


def _is_current(table: pa.Table, root: Path) -> bool:
    """Whether the files are, by all that can be told without reading them, those that were hashed."""
    about = _about(table)
    roles = about["roles"]
    step = 1 if table.num_rows * len(roles) <= EVERY_FILE else -(-table.num_rows * len(roles) // SOME_FILES)
    try:
        for folder, modified in about["folders"].items():
            if (root / folder).stat().st_mtime_ns != modified or _just_changed(modified, about):
                return False
        for role in roles:
            # One by one: pyarrow makes an array of row numbers only with pandas imported, 40 MiB.
            columns = [table.column(f"{role}{what}") for what in ("", "_bytes", "_modified")]
            sampled = {tuple(column[row].as_py() for column in columns) for row in range(0, table.num_rows, step)}
            for name, size, modified in sampled:
                now = (root / name).stat()
                if (now.st_size, now.st_mtime_ns) != (size, modified) or _just_changed(modified, about):
                    return False
    except OSError:
        return False
    return True


def _just_changed(modified: int, about: dict[str, Any]) -> bool:
    """Whether a file or folder changed so near to when it was looked at that its time may not tell of a change since.

    Later than that are only clocks of other machines: a change here would give a time of here.
    """
    return bool(about["begun"] - _CLOCK < modified <= about["done"] + _CLOCK)


def _known_files(path: Path) -> dict[str, FileFacts]:
    """What a manifest that is out of date says of each file: it holds where the file itself did not change."""
    table = _read(path, hashes=True)
    if table is None:
        return {}
    about, known = _about(table), {}
    nothing = [0] * table.num_rows
    for role in about["roles"]:
        of_image = [table.column(side).to_pylist() if role == "rainy" else nothing for side in ("height", "width")]
        columns = [table.column(f"{role}{what}").to_pylist() for what in ("", "_bytes", "_modified", "_sha256")]
        for name, size, modified, *rest in zip(*columns, *of_image, strict=True):
            if not _just_changed(modified, about):
                known[name] = FileFacts(size, modified, *rest)
    return known


def _scan(
    matched: Matched, known: dict[str, FileFacts], on_file: OnFile, identity: dict[str, Any], begun: int
) -> pa.Table:
    """Look at every file, and put together what a manifest has; ``begun`` is when the folders were listed, in ns."""
    folders = {folder: (matched.root / folder).stat().st_mtime_ns for folder in matched.folders}
    names = list(dict.fromkeys(name for row in matched.rows for name in row.files))
    rainy = {row.files[0] for row in matched.rows}

    def facts(name: str) -> FileFacts:
        path = matched.root / name
        try:
            now = path.stat()
        except OSError as error:
            raise storage_error(path, error) from error
        if not stat.S_ISREG(now.st_mode):  # reading from a pipe would wait for ever
            raise UserError(f"{path} is no regular file; remove it")
        if now.st_size > LARGEST_FILE:
            raise UserError(f"{path} has {now.st_size:,} bytes, and no image over {LARGEST_FILE:,}; remove it")
        before = known.get(name)
        if before is not None and (before.bytes, before.modified) == (now.st_size, now.st_mtime_ns):
            return before
        size = _size(path, matched.patterns.side_by_side) if name in rainy else (0, 0)
        return FileFacts(now.st_size, now.st_mtime_ns, file_hash(path), *size)

    found: dict[str, FileFacts] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
        for chunk, each in zip(chunks, pool.map(lambda some: [facts(name) for name in some], chunks), strict=True):
            for name, one in zip(chunk, each, strict=True):
                found[name] = one
                on_file(len(found), len(names))
    columns: dict[str, pa.Array] = {
        "image": pa.array([row.image for row in matched.rows], pa.string()),
        "scene": pa.array([row.scene for row in matched.rows], pa.string()).dictionary_encode(),
        "height": pa.array([found[row.files[0]].height for row in matched.rows], pa.int32()),
        "width": pa.array([found[row.files[0]].width for row in matched.rows], pa.int32()),
    }
    for place, role in enumerate(matched.roles):
        paths = [row.files[place] for row in matched.rows]
        text = [pa.array(paths, pa.string()), pa.array([found[path].sha256 for path in paths], pa.string())]
        if role != "rainy":  # many rainy images may share one
            text = [column.dictionary_encode() for column in text]
        columns[role], columns[f"{role}_sha256"] = text
        for what in ("bytes", "modified"):
            columns[f"{role}_{what}"] = pa.array([getattr(found[path], what) for path in paths], pa.int64())
    digest = _digest(matched, {name: each.sha256 for name, each in found.items()})
    times = {"begun": begun, "done": time.time_ns()}
    about = {**identity, "roles": matched.roles, "digest": digest, **times, "folders": folders}
    described = json.dumps(about).encode()
    metadata = {_ABOUT: described, _ABOUT_HASH: hashlib.sha256(described).hexdigest()}
    return pa.table(columns).replace_schema_metadata(metadata)


def manifest_rows(path: Path) -> list[list[str]] | None:
    """What the digest of a kept manifest is the hash of, a list a pair: image, scene, then role, name and sha256 of
    each file. None where the file is no manifest, or damaged."""
    table = _read(path, hashes=True)
    if table is None or not {f"{role}_sha256" for role in _about(table)["roles"]} <= set(table.column_names):
        return None
    about = _about(table)
    side_by_side, roles = about["patterns"]["side_by_side"], list(about["roles"])
    separate = 1 + bool(about["patterns"]["clean"])
    columns = [table.column(name).to_pylist() for name in ("image", "scene")]
    columns += [[side_by_side] * table.num_rows] if side_by_side else []
    for role in [*roles[:separate], *sorted(roles[separate:])]:
        columns += [[role] * table.num_rows, *(table.column(name).to_pylist() for name in (role, f"{role}_sha256"))]
    return [list(row) for row in zip(*columns, strict=True)]


def rows_digest(rows: list[list[str]]) -> str:
    """The digest of a manifest of these :func:`manifest_rows`."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _size(path: Path, side_by_side: str) -> tuple[int, int]:
    try:
        return image_size(Half(path, "left") if side_by_side else path)
    except UserError:
        return 0, 0  # whoever reads the image says what is wrong with it


def _digest(matched: Matched, hashes: dict[str, str]) -> str:
    """Hash of a split's names, its files' contents, and which belong together.

    Two results on one dataset's name can be told apart by it, also where only the card's patterns were corrected.
    """
    digest = hashlib.sha256(b"[")
    side_by_side = [matched.patterns.side_by_side] if matched.patterns.side_by_side else []
    layers = range(1 + bool(matched.patterns.clean), len(matched.roles))
    order = [0, *range(1, 1 + bool(matched.patterns.clean)), *sorted(layers, key=lambda place: matched.roles[place])]
    for number, row in enumerate(matched.rows):
        cells = [row.image, row.scene, *side_by_side]
        for place in order:
            name = row.files[place]
            cells += [matched.roles[place], name, hashes[name]]
        digest.update((", " if number else "").encode() + json.dumps(cells).encode())
    digest.update(b"]")
    return digest.hexdigest()
