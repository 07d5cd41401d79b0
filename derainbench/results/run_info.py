"""What a run folder's JSON files say, as validated models: ``run.json``, and what lies beside a cell's result."""

from __future__ import annotations

import functools
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from derainbench.errors import UserError, printable
from derainbench.images.quantisation import Quantisation
from derainbench.metrics.image_metric import may_be_called
from derainbench.metrics.kinds import Metric
from derainbench.metrics.protocol import Protocol
from derainbench.support.atomic import read_regular, write_json
from derainbench.support.run_folder import evaluation_place, training_place
from derainbench.support.toml import complaints

#: The version of everything in a run folder. Goes up when an older reader could misread a newer folder. All
#: versions from 1 are read, only this one is added to.
SCHEMA = 1

Kind = Literal["train", "eval"]
Scalar = str | int | float | bool | None
#: A recipe as plain data, without what does not change a result.
RecipeFields = dict[str, JsonValue]


_PLAIN = re.compile(r"[^/\\:\0][^\\:\0]*")


def _inside(place: str) -> str:
    """A place below a folder, as written on any system: it does not lead out of it, nor is it a folder's name alone."""
    if _PLAIN.fullmatch(place) and ".." not in place:
        return place  # as nearly all are, of tens of thousands
    ways = (PurePosixPath(place), PureWindowsPath(place))
    if not place or "\0" in place or any(way.is_absolute() or way.drive or ".." in way.parts for way in ways):
        raise ValueError("leads out of the folder that it should lie in")
    return place


Inside = Annotated[str, AfterValidator(_inside)]


class Info(BaseModel):
    """A part of a file. What another version wrote beside is kept as it is; types are never guessed."""

    model_config = ConfigDict(
        frozen=True, extra="allow", strict=True, populate_by_name=True, ser_json_inf_nan="constants"
    )


class Change(Info):
    """A setting that differs from the publication; ``suite`` names the suite that was changed to be tried out."""

    method: str
    field: str
    paper: JsonValue = None
    here: JsonValue = None
    suite: str | None = None


class RecipeInfo(Info):
    """The recipe's name, and whether its numbers compare with published ones."""

    name: str = "unknown"
    comparable: bool = False
    changes: tuple[Change, ...] = ()


class PublishedInfo(Info):
    """A score that somebody printed for weights: dB, SSIM, under which protocol, and where."""

    dataset: str
    protocol: str
    psnr: float
    ssim: float
    source: str

    @property
    def scores(self) -> dict[str, float]:
        """What is printed, by metric."""
        return {"psnr": self.psnr, "ssim": self.ssim}


class WeightsInfo(Info):
    """The file that a tag stands for; ``verified`` is False where nobody vouches for it."""

    tag: str
    trained_on: str
    sha256: str
    source: str = ""
    licence: str = ""
    verified: bool = True
    quantisation: Quantisation = "round"
    published: tuple[PublishedInfo, ...] = ()


class PaperInfo(Info):
    """Where a method was published; ``bibtex`` is a whole entry."""

    title: str = ""
    authors: str = ""
    venue: str = ""
    year: int = 0
    url: str = ""
    bibtex: str = ""


class MacsInfo(Info):
    """How many multiply-accumulates an image of ``height`` x ``width`` pixels costs, and what counted them."""

    macs: int
    height: int
    width: int
    tool: str = ""


class MethodInfo(Info):
    """A method as the run used it. ``reach`` is how far an output pixel can see, None for the whole image.

    ``parameters`` is None where nobody says how many there are, as of somebody's restored images. ``proposal`` says
    what is not its authors', and is empty for weights that somebody published.
    """

    name: str
    title: str
    parameters: int | None = None
    paper: PaperInfo | None = None
    weights: WeightsInfo | None = None
    base: str = ""
    macs: MacsInfo | None = None
    reach: int | None = None
    proposal: str = ""


class PairInfo(Info):
    """A test image and its files, below the dataset's ``root``; ``clean`` is None where one file holds both halves.

    ``rainy`` is None where only the ground truth was there.
    """

    image: str
    scene: str
    rainy: Inside | None = None
    clean: Inside | None = None


class DatasetInfo(Info):
    """A dataset as the run used it."""

    name: str
    title: str
    rain_model: str
    kind: str
    root: str
    test_digest: str = ""
    test: tuple[PairInfo, ...] = ()
    bibtex: str = ""
    revision: int = 1
    layout: str = ""
    whole: bool = True
    other_sizes: str = ""
    side_by_side: str = ""
    mean_of: str = "images"

    @model_validator(mode="after")
    def _has_both_images(self) -> DatasetInfo:
        if any(pair.clean is None and not (self.side_by_side and pair.rainy) for pair in self.test):
            raise ValueError("test has a pair without a clean image")
        return self


class UnionInfo(Info):
    """A set that was trained on as one and is made of others; ``shares`` are theirs, 1 together, or empty where every
    pair was as frequent as any other."""

    name: str
    title: str
    members: tuple[str, ...]
    shares: tuple[float, ...] = ()


class ImagesInfo(Info):
    """The restored images of an evaluation without a network: where they lay and how each was paired with its pair.

    ``guessed``: by their names alone. ``formats`` is how many files are of each; ``left_out`` are files of no pair.
    """

    folder: str
    pattern: str
    guessed: bool
    digest: str
    formats: dict[str, int] = {}
    left_out: tuple[str, ...] = ()


class CellInfo(Info):
    """A training, or an evaluation of what was ``trained_on`` a set, in its ``folder`` below the run's.

    ``images`` are what an evaluation scored that had no network.
    ``recipe`` is what a training should have been made with, ``row_recipe`` what of it a table's row asked for.
    """

    kind: Kind
    folder: Inside
    method: str
    seed: Annotated[int, Field(ge=0)]
    dataset: str
    trained_on: str | None = None
    recipe: RecipeFields | None = None
    row_recipe: RecipeFields | None = None
    images: ImagesInfo | None = None

    @model_validator(mode="after")
    def _lies_where_it_says(self) -> CellInfo:
        if self.kind == "eval" and self.trained_on is None:
            raise ValueError("an evaluation that does not say what was trained_on")
        expected = (
            training_place(self.method, self.dataset, self.seed)
            if self.trained_on is None
            else evaluation_place(self.method, self.trained_on, self.seed, self.dataset)
        )
        if self.folder != expected:
            raise ValueError(f"folder {self.folder!r} is not where such a cell lies, {expected!r}")
        return self


class SeenInfo(Info):
    """How many of the ``total`` clean images of a test set a training set has; None where nobody looked."""

    train: str
    test: str
    shared: int | None = None
    exact: int | None = None
    total: int | None = None
    notice: str = ""


class InputCheckInfo(Info):
    """What the unprocessed input scored, of a dataset whose card knows that; ``notice`` says where it differs."""

    dataset: str
    protocol: str = ""
    psnr: float | None = None
    ssim: float | None = None
    notice: str = ""


class ManifestInfo(Info):
    """The files of a split, as kept in the run folder."""

    pairs: int
    digest: str
    file: Inside


class SuiteRowInfo(Info):
    """Which evaluation fills which place of which table."""

    table: str
    row: str
    column: str
    method: str
    trained_on: str
    dataset: str


class SuiteInfo(Info):
    """The tables that a run was made for."""

    name: str
    rows: tuple[SuiteRowInfo, ...] = ()


def _metric_name(name: str) -> str:
    if not may_be_called(name):
        raise ValueError("no metric can be called so")
    return name


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has signs that cannot be shown on one line")
    return text


_Line = Annotated[str, AfterValidator(_one_line)]


class MetricInfo(Info):
    """A metric beside those of protocols: how tables show it, and whose code measured it.

    ``identity`` is all that its scores depend on beside the images, in words, as the cells' inputs have it.
    """

    name: Annotated[str, AfterValidator(_metric_name)]
    title: _Line
    unit: _Line = ""
    digits: Annotated[int, Field(ge=0, le=8)]
    higher_is_better: bool
    needs_reference: bool = True
    implementation: _Line = ""
    version: _Line = ""
    licence: _Line = ""
    paper: _Line = ""
    identity: _Line = ""

    @property
    def kind(self) -> Metric:
        """What tables need to know of it."""
        facts = (self.name, self.title, self.unit, self.digits, self.higher_is_better)
        return Metric(*facts, by_protocol=False, needs_reference=self.needs_reference)


class Circumstances(Info):
    """How a run was made: what is said of each where several are merged."""

    derainbench: str = ""
    created: str = ""
    command: str = ""
    recipe: RecipeInfo = RecipeInfo()
    recipes: dict[str, RecipeFields] | None = None
    precision: str = ""
    protocols: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    machine: dict[str, Scalar] = {}
    versions: dict[str, Scalar] = {}


class MergedRun(Circumstances):
    """One of several merged runs."""

    name: str


class RunInfo(Circumstances):
    """``run.json``: how a run was made, on what, and which cells belong to it; ``runs`` where it is several.

    ``own_protocols`` are the definitions of those ``protocols`` that are a user's own, ``metrics`` what was measured
    beside them, ``unions`` what training sets are made of that are made of others.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    notices: tuple[str, ...] = ()
    seen_in_training: tuple[SeenInfo, ...] = ()
    input_checks: tuple[InputCheckInfo, ...] = ()
    methods: tuple[MethodInfo, ...] = ()
    datasets: tuple[DatasetInfo, ...] = ()
    manifests: dict[str, ManifestInfo] = {}
    cells: tuple[CellInfo, ...] = ()
    suite: SuiteInfo | None = None
    own_protocols: tuple[Protocol, ...] = ()
    metrics: tuple[MetricInfo, ...] = ()
    unions: tuple[UnionInfo, ...] = ()
    runs: tuple[MergedRun, ...] = ()


class CellInputs(Info):
    """All that a cell's result depended on; what an older version did not record is None."""

    harness: int | None = None
    method: str | None = None
    source: str | None = None
    data: str | None = None
    precision: str | None = None
    recipe: RecipeFields | None = None
    training: str | None = None
    weights: str | None = None
    images: str | None = None
    protocols: dict[str, int | Annotated[str, Field(pattern="^[0-9a-f]{16}$")]] = {}
    seed: int | None = None
    tile: int | None = None
    quantisation: str | None = None
    layers: dict[str, str] = {}
    metrics: dict[str, str] = {}

    def as_data(self) -> dict[str, Any]:
        """What was recorded, and no more."""
        return self.model_dump(mode="json", exclude_unset=True)


class BegunCell(Info):
    """``config.json``: the hash of what a cell's result depends on, and what that is."""

    key: str
    inputs: CellInputs = CellInputs()


class DoneCell(BegunCell):
    """``done.json``: ``sha256`` is of the result's file, ``seconds`` how long its last session took."""

    sha256: str | None = None
    finished: str = ""
    seconds: float | None = None
    made_on: dict[str, Scalar] = {}


class FailedCell(Info):
    """``failed.json``: the error's one line."""

    error: str
    failed: str = ""


_Model = TypeVar("_Model", bound=BaseModel)


def read_info(path: Path, oldest: int = 1) -> RunInfo:
    """``run.json``. :class:`UserError` where it is damaged, or of a schema below ``oldest`` or above :data:`SCHEMA`."""
    return _parsed(_text(path), path, oldest)


@functools.lru_cache(maxsize=1)  # a command reads it again and again, lest another has changed it: it seldom has
def _parsed(text: bytes, path: Path, oldest: int) -> RunInfo:
    head = _validated(_Head, text, path)
    if type(head.schema_) is not int or not oldest <= head.schema_ <= SCHEMA:
        by = f"derainbench {head.derainbench}" if isinstance(head.derainbench, str) else "something else"
        raise UserError(
            printable(
                f"{path.parent} was written by {by} (schema {head.schema_}, this one reads {SCHEMA}); "
                "use that version for it, or give another --out"
            )
        )
    info = _validated(RunInfo, text, path, required=("recipe", "command", "precision", "methods", "datasets", "cells"))
    wrong = _contradiction(info)
    if wrong:
        raise UserError(printable(f"{path} is damaged ({wrong}); delete it and run the same command again"))
    return info


def _contradiction(info: RunInfo) -> str:
    """What of a description cannot be, though each part of it may; empty where all of it may."""
    methods, datasets = [each.name for each in info.methods], [each.name for each in info.datasets]
    folders = [cell.folder for cell in info.cells]
    for what, names in (("methods", methods), ("datasets", datasets), ("cells", folders)):
        if len(set(names)) < len(names):
            return f"{what}: one of them twice"
    known_methods, known_datasets = set(methods), set(datasets)
    for cell in info.cells:
        if cell.method not in known_methods:
            return f"cells: {cell.folder!r} is of a method that is not among methods"
        if cell.kind == "eval" and cell.dataset not in known_datasets:
            return f"cells: {cell.folder!r} is of a dataset that is not among datasets"
    return ""


def write_info(path: Path, info: RunInfo) -> None:
    """Replace ``run.json``, where that says something else: it may list 100,000 images."""
    if not path.exists() or read_info(path) != info:
        write_json(path, as_data(info))


def read_done(path: Path) -> DoneCell:
    """``done.json``. :class:`UserError` where it is damaged."""
    return _validated(DoneCell, _text(path), path)


def read_begun(path: Path) -> BegunCell:
    """``config.json``. :class:`UserError` where it is damaged."""
    return _validated(BegunCell, _text(path), path)


def read_failed(path: Path) -> FailedCell:
    """``failed.json``. :class:`UserError` where it is damaged."""
    return _validated(FailedCell, _text(path), path)


def as_data(info: Info) -> dict[str, Any]:
    """What was said, as plain data: nothing of what nobody said."""
    return info.model_dump(mode="json", by_alias=True, exclude_unset=True)


class _Head(BaseModel):
    """What tells the version of a file, whatever the rest of it is."""

    schema_: JsonValue = Field(default=None, alias="schema")
    derainbench: JsonValue = None


def _text(path: Path) -> bytes:
    """The file's content, with a sign for each half of a surrogate pair, as names that are no UTF-8 have it."""
    return re.sub(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", rb"\\ufffd", read_regular(path))


def _validated(model: type[_Model], text: bytes, path: Path, required: tuple[str, ...] = ()) -> _Model:
    try:
        found = model.model_validate_json(text)
    except ValidationError as error:
        said = complaints(model, error, "the file")
        raise UserError(printable(f"{path} is damaged ({said}); delete it and run the same command again")) from error
    absent = [name for name in required if name not in found.model_fields_set]
    if absent:
        raise UserError(f"{path} is damaged ({absent[0]}: missing); delete it and run the same command again")
    return found
