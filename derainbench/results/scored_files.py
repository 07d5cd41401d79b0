"""Whether the files of a test image are still those whose scores a run has."""

from __future__ import annotations

import hashlib
from pathlib import Path

from derainbench.catalogue.manifest import manifest_rows
from derainbench.results.results import DatasetInRun, TestPair


def changed_file(dataset: DatasetInRun, pair: TestPair) -> Path | None:
    """The first of a pair's files whose content is another one than the run's kept list of files says.

    None where none is, and where the run has no such list. A file that cannot be read is told by whoever decodes it.
    """
    rows = None if dataset.manifest is None else manifest_rows(dataset.manifest)
    row = next((row for row in rows or () if row[0] == pair.image), None)
    if row is None:
        return None
    words = row[2 + len(row[2:]) % 3 :]  # image, scene, perhaps how two images lie side by side; then three a file
    sums = dict(zip(words[::3], words[2::3], strict=True))
    for role, source in (("rainy", pair.rainy), ("clean", pair.clean)):
        if source is None or role not in sums:
            continue
        path = source if isinstance(source, Path) else source.path
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            continue
        if found != sums[role]:
            return path
    return None
