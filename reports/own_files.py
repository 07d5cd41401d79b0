"""Which files of a folder a report may write over: those that a report wrote, as it wrote them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from derainbench.errors import UserError
from derainbench.results.score_table import PLACE_COLUMNS
from derainbench.support.atomic import remove, storage_error, write_atomic

#: Lies in a report's folder and says what was written there.
RECORD = ".derainbench-report.json"
#: The name stays while what is in the record keeps its meaning.
SCHEMA = "derainbench-report-files/1"

#: What is in a file that a version without the record wrote. A PDF was made of the report.tex beside it, and notes
#: belong to the scores beside them.
_MARKS = {
    "index.html": b"derainbench</title>",
    "report.tex": b"made by derainbench",
    "tables.tex": b"% Written by derainbench",
    "weights.tex": b"% Written by derainbench",
    "published.tex": b"% Written by derainbench",
    "references.bib": b"% Written by derainbench",
    "scores.csv": ",".join(PLACE_COLUMNS).encode(),
    "results.json": b'"schema": "derainbench-results/',
}
_BESIDE = {"report.pdf": "report.tex", "scores-notes.txt": "scores.csv"}


class OwnFiles:
    """The files that reports wrote into ``folder``, known by their hashes.

    A file that somebody else wrote, or changed since, is theirs. Each is recorded before it is written, so that a
    report that was killed knows its files too. In a folder without a record, files that an earlier version wrote are
    known by their content; so are all that the record does not name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hashes = _read_record(folder / RECORD)

    def check(self, names: Iterable[str]) -> None:
        """UserError unless each of these files is missing, empty, or as a report wrote it."""
        for name in dict.fromkeys(names):
            if not self.may_write(name):
                why = "has changed since derainbench wrote it" if name in self._hashes else "is not derainbench's"
                raise UserError(
                    f"{self.folder / name} {why} and would be lost; nothing was written: move it away, or give another "
                    "folder with --out"
                )

    def may_write(self, name: str) -> bool:
        """Whether nobody loses anything if a report writes that file. StorageError where it cannot be read."""
        path = self.folder / name
        if not os.path.lexists(path):
            return True
        if path.is_symlink() or not path.is_file():
            return False
        try:
            data = path.read_bytes()
        except OSError as error:
            raise storage_error(path, error) from error
        if name in self._hashes:
            return not data or _hash(data) in self._hashes[name]
        return not data or self._marked(name, data)

    def write(self, name: str, data: bytes) -> Path:
        """Write a file that is then ours, atomically. StorageError if the disk refuses."""
        digest = _hash(data)
        self._hashes[name] = list(dict.fromkeys([*self._hashes.get(name, ()), digest]))
        self._keep()
        write_atomic(self.folder / name, data)
        self._hashes[name] = [digest]
        return self.folder / name

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """:meth:`write` and :meth:`finish` for many files: those that are as they shall be are left alone."""
        digests = {name: _hash(data) for name, data in files.items()}
        same = {name for name, digest in digests.items() if _is_file_of(self.folder / name, digest)}
        for name, digest in digests.items():
            self._hashes[name] = list(dict.fromkeys([*self._hashes.get(name, ()), digest]))
        self._keep()
        for name, data in files.items():
            if name not in same:
                write_atomic(self.folder / name, data)
        self._hashes |= {name: [digest] for name, digest in digests.items()}
        self.finish()

    def remove_others(self, start: str, kept: Iterable[str]) -> None:
        """Remove the files that an earlier one wrote below ``start`` and this one did not, as far as they are ours."""
        for name in sorted({name for name in self._hashes if name.startswith(start)} - {*kept}):
            if self.may_write(name):
                remove(self.folder / name)
            del self._hashes[name]
        self._keep()

    def finish(self) -> None:
        """Forget what was there before: call it once all files are written."""
        self._keep()

    def _keep(self) -> None:
        record = {"schema": SCHEMA, "files": dict(sorted(self._hashes.items()))}
        write_atomic(self.folder / RECORD, (json.dumps(record, indent=2) + "\n").encode())

    def _marked(self, name: str, data: bytes) -> bool:
        if name in _BESIDE:
            beside = _BESIDE[name]
            return beside not in self._hashes and (self.folder / beside).is_file() and self.may_write(beside)
        if name == "report.md":
            return b"\n\n## Provenance\n\n" in data and b"derainbench" in data
        return name in _MARKS and _MARKS[name] in data


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_file_of(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and _hash(path.read_bytes()) == digest


def _read_record(path: Path) -> dict[str, list[str]]:
    """The hashes of each file; none where the record is missing or is no record."""
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        files = record["files"] if record["schema"] == SCHEMA else {}
        return {str(name): [str(each) for each in hashes] for name, hashes in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
