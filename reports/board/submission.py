"""A submission: a run as one zip file of scores, keys, hashes and recipes, without images, weights, or local paths.

Unpacked it is a run folder that :func:`derainbench.results.load.load_run` reads, with ``submission.json`` beside.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from derainbench import __version__
from derainbench.catalogue.manifest import manifest_rows
from derainbench.download.archive import unpack
from derainbench.efficiency.record import FILE as EFFICIENCY
from derainbench.errors import UserError, printable
from derainbench.results.load import load_run
from derainbench.results.results import Results
from derainbench.results.run_info import as_data, read_done
from derainbench.support.atomic import read_json, read_regular, write_atomic
from derainbench.support.run_folder import training_place

from ..comparison.means import score_means
from .plain import of_the_device, scrubbed

#: The file that says what is in a submission, and the version of it.
RECORD = "submission.json"
SCHEMA = "derainbench-submission/1"

#: The most bytes of a submission's file: scores of a million images have a tenth of it.
LARGEST = 2**30
#: The most characters of the name of who sends it in.
LONGEST_NAME = 200


class Mean(BaseModel):
    """A mean as it was submitted: ``value`` is text, for some are infinite; of ``images`` images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    trained_on: str
    seed: int
    dataset: str
    protocol: str
    metric: str
    value: Annotated[str, Field(pattern=r"^(nan|-?inf|-?[0-9][0-9.e+-]*)$")]
    images: int

    @property
    def place(self) -> tuple[str, str, int, str, str, str]:
        """What it is the mean of."""
        return self.method, self.trained_on, self.seed, self.dataset, self.protocol, self.metric


class Submission(BaseModel):
    """``submission.json``: by whom, the sha256 of every other file, and the means that the scores make."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["derainbench-submission/1"] = Field(alias="schema")
    derainbench: str
    by: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    means: tuple[Mean, ...]


def check_name(by: str) -> None:
    """:class:`UserError` for what cannot stand beside a row."""
    if len(by) > LONGEST_NAME or not by.isprintable():
        raise UserError(f"--by has a name of at most {LONGEST_NAME} characters, on one line")


def pack(run: Path, out: Path, by: str = "") -> Submission:
    """Write the finished evaluations of ``run`` as a submission. The same run gives the same bytes.

    :class:`UserError` where the folder is no run, or nothing of it is finished.
    """
    results = load_run(run)
    if not results.evaluations:
        raise UserError(f"{run} has no finished evaluation; run the command that made it to its end first")
    files = dict(_files(run, results))
    said = Submission(
        schema_=SCHEMA,
        derainbench=__version__,
        by=by,
        name=printable(run.resolve().name),
        files={name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
        means=tuple(means_of(results).values()),
    )
    files[RECORD] = _json(said.model_dump(mode="json", by_alias=True))
    write_atomic(out, _zipped(files))
    return said


def means_of(results: Results) -> dict[tuple[str, str, int, str, str, str], Mean]:
    """Every mean that a run's scores make, by its place."""
    keys = ["method", "trained_on", "seed", "dataset", "protocol", "metric"]
    images: Mapping[Any, Any] = results.scores.groupby(keys).size().to_dict()
    found = {}
    for *place, value, _ in score_means(results.scores, results.datasets).table.itertuples(index=False, name=None):
        method, trained_on, dataset, protocol, metric, seed = place
        where = (str(method), str(trained_on), int(seed), str(dataset), str(protocol), str(metric))
        told = dict(zip(keys, where, strict=True))
        found[where] = Mean.model_validate({**told, "value": repr(float(value)), "images": int(images[where])})
    return found


def kept_rows(path: Path) -> list[list[str]] | None:
    """What a manifest's digest is of, as a run keeps it or a submission; None where the file is neither."""
    if path.suffix != ".json":
        return manifest_rows(path)
    try:
        rows = read_json(path)
    except UserError:
        return None
    sound = isinstance(rows, list) and all(
        isinstance(row, list) and len(row) >= 2 and all(isinstance(each, str) for each in row) for row in rows
    )
    return rows if sound else None


def read_submission(folder: Path) -> Submission:
    """The record in an unpacked submission; :class:`UserError` where it is none."""
    path = folder / RECORD
    if not path.is_file():
        raise UserError(f"holds no {RECORD}, so it is no submission; make one with derainbench submit RUN --out FILE")
    try:
        return Submission.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            printable(f"{RECORD} is damaged ({place}: {first['msg']}); make the submission again")
        ) from error


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """A submission's folder, for as long as it is looked at. :class:`UserError` for what no submission can be."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise UserError(f"{file}: no such file or folder; check the path") from error
    if size > LARGEST or not zipfile.is_zipfile(file):
        why = f"has {size:,} bytes, and no submission over {LARGEST:,}" if size > LARGEST else "is no zip file"
        raise UserError(f"{file.name} {why}; give a file that derainbench submit wrote")
    with TemporaryDirectory(prefix="derainbench-submission-") as temporary:
        folder = Path(temporary, "run")
        unpack(file, folder)
        yield folder


def _files(run: Path, results: Results) -> Iterator[tuple[str, bytes]]:
    """All files of a submission but its record, by their names in it."""
    info = as_data(results.info)
    kept = {path.relative_to(results.folder).as_posix() for path in results.evaluations.values()}
    trained = {training_place(method, source, seed) for method, source, seed, _ in results.evaluations}
    trained &= {cell["folder"] for cell in info["cells"] if (run / cell["folder"] / "done.json").is_file()}
    info["cells"] = [cell for cell in info["cells"] if cell["folder"] in kept | trained]
    used = {(cell["method"], cell["dataset"]) for cell in info["cells"]}
    info["methods"] = [each for each in info["methods"] if each["name"] in {method for method, _ in used}]
    info["datasets"] = [each for each in info["datasets"] if each["name"] in {dataset for _, dataset in used}]
    info["manifests"] = {}
    for name, manifest in results.info.manifests.items():
        rows = kept_rows(run / manifest.file) if name.endswith(" test") else None
        if rows is not None:
            place = Path(manifest.file).with_suffix(".json").as_posix()
            info["manifests"][name] = {**as_data(manifest), "file": place}
            yield place, (json.dumps(rows, separators=(",", ":")) + "\n").encode()
    yield "run.json", _json(scrubbed(info))
    for place in sorted(kept | trained):
        done = as_data(read_done(run / place / "done.json"))
        yield f"{place}/done.json", _json({**done, "made_on": of_the_device(done.get("made_on"))})
        if place in kept:
            yield f"{place}/scores.parquet", read_regular(run / place / "scores.parquet")
    if (run / EFFICIENCY).is_file():
        measured = read_json(run / EFFICIENCY)
        for session in measured.get("sessions", ()):
            session["setting"]["system"] = ""
        yield EFFICIENCY, _json(measured)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # of 1980: the same run, the same bytes
    return buffer.getvalue()
