"""What became of photographs under several methods, as plain data. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from derainbench.metrics.kinds import Metric
from derainbench.photographs.find import Photograph


@dataclass(frozen=True)
class Method:
    """A method and the weights that it restored with: what readers are told of it.

    ``trained_on`` is a dataset's name, ``untrained`` where there is nothing to train, or empty where nobody says;
    ``weights`` are words, ``sha256`` the hash of their file.
    """

    name: str
    title: str
    parameters: int
    trained_on: str = ""
    weights: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class NoReferenceScore:
    """What a metric that needs no ground truth says of every photograph, and of every method's result.

    ``photographs`` and ``methods[name]`` have a number for each photograph, in their order, None where there is none.
    """

    metric: Metric
    photographs: tuple[float | None, ...]
    methods: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class Restored:
    """Photographs, each restored by each of the methods: a file below ``folder``, or a failure.

    ``title`` is what they are called together. ``broken`` says of a photograph, by name, why it cannot be read,
    ``failed`` of a method and a photograph what went wrong. ``skipped`` are the names of files that are no images.
    ``made_with`` are settings and versions, in words, by what they are.
    """

    title: str
    folder: Path
    photographs: tuple[Photograph, ...]
    methods: tuple[Method, ...]
    broken: Mapping[str, str]
    failed: Mapping[tuple[str, str], str]
    skipped: tuple[str, ...]
    made_with: Mapping[str, str]
    scores: tuple[NoReferenceScore, ...] = ()

    def file(self, method: Method, photograph: Photograph) -> Path:
        """Where a method's result lies, if there is one."""
        return result_file(self.folder, method.name, photograph)


def result_file(folder: Path, method: str, photograph: Photograph) -> Path:
    """``FOLDER/METHOD/PATH.png``."""
    return folder / method / photograph.restored
