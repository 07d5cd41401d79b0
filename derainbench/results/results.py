"""What a run produced, as plain data: all that a report needs to know, and nothing of how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.images.decode import Source
from derainbench.plugins.names import IMAGES
from derainbench.results.run_info import MacsInfo, PaperInfo, RunInfo, WeightsInfo
from derainbench.support.run_folder import evaluation_folder, image_file


@dataclass(frozen=True)
class TestPair:
    """One test image of a dataset, where its files lay when the run was made; ``rainy`` is None without an input."""

    __test__ = False  # not a pytest class

    image: str
    scene: str
    rainy: Source | None
    clean: Source


@dataclass(frozen=True)
class DatasetInRun:
    """A dataset as this run used it. ``rain_model`` is streak, drop or mist; ``kind`` is real or synthetic.

    ``whole`` is False where fewer or more test images are here than the card counts; ``bibtex`` is the entry of its
    paper, and ``other_sizes`` says how the sizes of the test images are not the card's, such as a cropped copy's: both
    empty in older runs. ``mean_of``: a score is the mean over ``images``, or over ``scenes`` of the means over each's.
    ``manifest`` is the run's own list of the test files; None in older runs.
    """

    name: str
    title: str
    rain_model: str
    kind: str
    test: tuple[TestPair, ...]
    whole: bool = True
    bibtex: str = ""
    other_sizes: str = ""
    mean_of: str = "images"
    manifest: Path | None = field(default=None, compare=False)

    def scene_of(self) -> dict[str, str]:
        """The scene of each test image."""
        return {pair.image: pair.scene for pair in self.test}


@dataclass(frozen=True)
class MethodInRun:
    """A method as this run used it. ``name`` is canonical, such as ``nasnet[attention=se]``.

    ``weights`` describes the file that a tag stands for; None where the run trained the network itself. ``reach`` is
    how far an output pixel can see, None for the whole image. ``base`` is the name without options and tag.
    ``split_from`` is the name before merged runs that made it in different ways got a row each, empty where none was
    split. ``parameters`` is None where nobody says how many there are. ``macs`` says how many multiply-accumulates an
    image costs; None where nobody counted. ``proposal`` says what of it is not its authors', empty where all is.
    """

    name: str
    title: str
    parameters: int | None
    paper: PaperInfo | None
    weights: WeightsInfo | None = None
    reach: int | None = None
    base: str = ""
    macs: MacsInfo | None = None
    split_from: str = ""
    proposal: str = ""

    @property
    def asked(self) -> str:
        """The name by which a run was asked for it."""
        return self.split_from or self.name

    @property
    def from_files(self) -> bool:
        """Whether its images were somebody's files: nothing was restored in the run."""
        return self.base == IMAGES

    @property
    def truncated(self) -> bool:
        """Whether its outputs are cut to 8 bit instead of rounded, as the authors of its weights did."""
        return self.weights is not None and self.weights.quantisation == "truncate"

    @property
    def unverified(self) -> bool:
        """Whether its scores come from weights that nobody vouches for."""
        return self.weights is not None and not self.weights.verified


@dataclass(frozen=True)
class TrainingInRun:
    """A finished training: its ``folder`` holds ``log.jsonl``; ``seconds`` is how long its last session took."""

    method: str
    trained_on: str
    seed: int
    folder: Path
    seconds: float | None
    recipe: Mapping[str, Any]


#: What an evaluation is known by: method, training set, seed, dataset.
EvaluationKey = tuple[str, str, int, str]


@dataclass(frozen=True)
class Failure:
    """A cell that did not finish: where it belongs in the run folder, and the error's one line."""

    cell: str
    error: str


@dataclass(frozen=True)
class Results:
    """A run: ``info`` is what ``run.json`` says, ``scores`` has the columns of
    :data:`.score_table.SCORE_COLUMNS`.

    ``evaluations`` are the folders of the finished ones: not all below ``folder`` where several runs were merged.
    """

    folder: Path
    info: RunInfo
    methods: tuple[MethodInRun, ...]
    datasets: tuple[DatasetInRun, ...]
    scores: pd.DataFrame
    failures: tuple[Failure, ...]
    trainings: tuple[TrainingInRun, ...] = ()
    evaluations: Mapping[EvaluationKey, Path] = field(default_factory=dict)

    def restored(self, method: str, trained_on: str, seed: int, dataset: str, image: str) -> Path:
        """Where the restored image lies; it may be gone, if somebody made room."""
        known = self.evaluations.get((method, trained_on, seed, dataset))
        folder = known or evaluation_folder(self.folder, method, trained_on, seed, dataset)
        return image_file(folder, image)


#: Goes up when the harness itself changes what a training or a score is; then every cell is done again.
HARNESS_REVISION = 3
