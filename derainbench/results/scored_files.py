"""Whether the files of a test image are still those whose scores a run has."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from derainbench.catalogue.manifest import manifest_rows
from derainbench.images.decode import Source, file_of
from derainbench.results.results import DatasetInRun, TestPair


class ScoredFiles:
    """The contents that a dataset's test files had when they were scored, as the run's kept list of them says."""

    def __init__(self, dataset: DatasetInRun) -> None:
        self._manifest = dataset.manifest

    @cached_property
    def _sums(self) -> dict[str, dict[str, str]]:
        """sha256 by image and role; empty where the run has no such list."""
        rows = None if self._manifest is None else manifest_rows(self._manifest)
        sums = {}
        for image, _, *words in rows or ():
            files = words[len(words) % 3 :]  # perhaps how two images lie side by side; then role, name and sum of each
            sums[image] = dict(zip(files[::3], files[2::3], strict=True))
        return sums

    def changed(self, pair: TestPair) -> tuple[Path, ...]:
        """The files of a pair whose content is another one now.

        A file that cannot be read is none of them: whoever decodes it tells of it.
        """
        sums = self._sums.get(pair.image, {})
        sources: dict[str, Source | None] = {"rainy": pair.rainy, "clean": pair.clean}
        scored = {file_of(source): sums[role] for role, source in sources.items() if source and role in sums}
        return tuple(path for path, was in scored.items() if _sum(path) not in (was, ""))


def _sum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
