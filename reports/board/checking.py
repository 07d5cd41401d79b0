"""Whether a run or a submission adds up: every number that can be made again is made again, and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from derainbench.catalogue.cards import Card
from derainbench.catalogue.manifest import rows_digest
from derainbench.efficiency.record import FILE as EFFICIENCY
from derainbench.efficiency.record import read_efficiency
from derainbench.errors import UserError, printable
from derainbench.plugins.names import UNTRAINED
from derainbench.results.load import load_run
from derainbench.results.results import Results
from derainbench.results.run_info import DatasetInfo, ManifestInfo, MethodInfo, WeightsInfo, read_done
from derainbench.support.atomic import file_hash
from derainbench.support.data_hash import data_hash
from derainbench.support.words import counted, listed

from ..comparison.means import score_means
from .submission import RECORD, Submission, kept_rows, means_of, read_submission, unpacked

#: The most rows of one evaluation: of 100,000 images under fifty protocols.
MOST_SCORES = 5_000_000

#: By how much a mean may differ that was added up in another order.
_ROUNDING = 1e-9

#: How far the unprocessed input's mean may be from what a card states, by metric.
_INPUT = {"psnr": 0.005, "ssim": 0.0002}


@dataclass(frozen=True)
class Known:
    """What is known here: the cards, the published weights by the methods' names, and the parameters of those."""

    cards: Mapping[str, Card] = field(default_factory=dict)
    weights: Mapping[str, WeightsInfo] = field(default_factory=dict)
    parameters: Callable[[str], int | None] = lambda name: None


@dataclass(frozen=True)
class Checked:
    """``wrong`` has a line for each thing that does not add up, ``told`` what was made again, ``open`` what was not."""

    wrong: tuple[str, ...]
    told: str = ""
    open: tuple[str, ...] = ()


class Examined(NamedTuple):
    """A run that was read, None where it cannot be or where files are wrong; its record, if it was sent in."""

    checked: Checked
    results: Results | None = None
    record: Submission | None = None


def check_file(path: Path, known: Known) -> Checked:
    """A submission or a run folder, checked. Nothing that it holds makes this fail: it is a line in ``wrong``."""
    if path.is_dir():
        return examined(path, known, (path / RECORD).is_file()).checked
    try:
        with unpacked(path) as folder:
            return examined(folder, known, True).checked
    except UserError as error:
        return Checked((str(error),))


def examined(folder: Path, known: Known, submitted: bool) -> Examined:
    """A run folder, or an unpacked submission with its record: read, and checked as by :func:`check_file`."""
    try:
        record = read_submission(folder) if submitted else None
        if record is not None and (wrong := tuple(wrong_files(folder, record))):
            return Examined(Checked(wrong))
        results = load_run(folder)
    except UserError as error:  # without the temporary folder's name
        return Examined(Checked((str(error).replace(f"{folder}/", ""),)))
    return Examined(check_results(results, known, record), results, record)


def check_results(results: Results, known: Known, record: Submission | None = None) -> Checked:
    """A run that was read, checked; beside the ``record`` of a submission, all that this states of it too."""
    open_points: list[str] = []
    wrong = [
        f"{each.cell}: {each.error}" for each in results.failures if record is not None or "out of date" in each.error
    ]
    wrong += _wrong_keys(results)
    wrong += _wrong_images(results, known, open_points)
    wrong += _wrong_values(results)
    wrong += _wrong_methods(results, known, open_points)
    wrong += _wrong_input(results, known)
    if record is not None:
        wrong += _wrong_means(results, record)
    evaluations = counted(len(results.evaluations), "evaluation")
    told = f"{evaluations}, {counted(len(results.scores), 'score')}, {counted(len(results.info.manifests), 'manifest')}"
    if not results.evaluations:
        wrong.append("no finished evaluation is in it")
    return Checked(tuple(map(printable, wrong)), told, tuple(open_points))


def wrong_files(folder: Path, record: Submission) -> Iterator[str]:
    """Files that are missing, changed, or none of a submission's."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {RECORD}
    for name in sorted(there - set(record.files)):
        yield f"{name}: a file that {RECORD} does not name"
    for name in sorted(set(record.files) - there):
        yield f"{name}: {RECORD} names it, and it is not there"
    for name in sorted(there & set(record.files)):
        if not _may_hold(name):
            yield f"{name}: no file of a submission, which has scores, keys and recipes alone"
        elif name.endswith(".parquet") and not _is_small(folder / name):
            yield f"{name}: is no table of scores, or has more than {MOST_SCORES:,} rows"
        elif file_hash(folder / name) != record.files[name]:
            yield f"{name}: was changed since it was packed: its sha256 is another than {RECORD} states"


def _is_small(path: Path) -> bool:
    """Whether a table can be read: a file of a few bytes may say a billion times the same."""
    try:
        with pq.ParquetFile(path) as file:
            return bool(file.metadata.num_rows <= MOST_SCORES)
    except (pa.ArrowException, ValueError, OSError):
        return False


def _may_hold(name: str) -> bool:
    parts = name.split("/")
    in_cell = (parts[0], parts[-1]) in {("eval", "scores.parquet"), ("eval", "done.json"), ("train", "done.json")}
    of_manifest = len(parts) == 2 and parts[0] == "manifests" and name.endswith(".json")
    return name in {"run.json", EFFICIENCY} or in_cell or of_manifest


def _wrong_keys(results: Results) -> Iterator[str]:
    """Cells whose key is not the hash of what they say that they depend on."""
    for (method, _, _, _), place in results.evaluations.items():
        done = read_done(place / "done.json")
        where = place.relative_to(results.folder).as_posix()
        if data_hash(done.inputs.as_data()) != done.key:
            yield f"{where}: its key is not the hash of its inputs"
        if done.sha256 is None:
            yield f"{where}: nothing says which scores were finished"
        if done.inputs.method not in (None, method):
            yield f"{where}: holds the scores of {done.inputs.method}"


def _wrong_images(results: Results, known: Known, open_points: list[str]) -> Iterator[str]:
    """Test sets that are not what their digest says, and evaluations that are not of all of their images."""
    manifests = {info.digest: info for name, info in results.info.manifests.items() if name.endswith(" test")}
    for info in results.info.datasets:
        listed_images = {pair.image: pair.scene for pair in info.test}
        card = known.cards.get(info.name)
        if card is not None and info.whole and info.revision == card.revision:
            expected = card.pairs("test")
            if expected not in (None, len(listed_images)):
                yield f"{info.name}: says to be whole with {len(listed_images)} of {expected} test images"
        if card is not None and card.mean_of != info.mean_of:
            yield f"{info.name}: its score is a mean over {card.mean_of}, not over {info.mean_of}"
        if info.test_digest in manifests:
            yield from _wrong_manifest(results.folder, info, manifests[info.test_digest], listed_images)
        else:
            open_points.append(f"no manifest of {info.name}: its digest {info.test_digest[:8]} is not made again")
        yield from _wrong_rows(results, info.name, listed_images)


def _wrong_manifest(
    folder: Path, info: DatasetInfo, manifest: ManifestInfo, images: Mapping[str, str]
) -> Iterator[str]:
    rows = kept_rows(folder / manifest.file)
    if rows is None:
        yield f"{manifest.file}: is no manifest, or damaged"
    elif rows_digest(rows) != info.test_digest:
        yield f"{manifest.file}: is of other files: its digest is {rows_digest(rows)[:8]}, not {info.test_digest[:8]}"
    elif {row[0]: row[1] for row in rows} != images:
        yield f"{info.name}: its test images are not those of its manifest {info.test_digest[:8]}"


def _wrong_rows(results: Results, dataset: str, images: Mapping[str, str]) -> Iterator[str]:
    """Evaluations with a score too few or too many."""
    scores = results.scores[results.scores["dataset"] == dataset]
    keys = ["method", "trained_on", "seed", "protocol", "metric"]
    for place, rows in scores.groupby(keys, sort=True):
        there = set(rows["image"])
        missing, more = sorted(set(images) - there), sorted(there - set(images))
        where = f"{place[0]} on {dataset} under {place[3]}"
        if missing:
            yield f"{where}: {counted(len(missing), 'test image')} left out ({listed(missing[:3])})"
        if more:
            yield f"{where}: {counted(len(more), 'image')} that the set does not have ({listed(more[:3])})"
    wrong = scores[scores["scene"] != scores["image"].map(dict(images))]
    if len(wrong) and not set(scores["image"]) - set(images):
        yield f"{dataset}: image {wrong['image'].iloc[0]} is of another scene than the set says"


def _wrong_values(results: Results) -> Iterator[str]:
    """Scores that no image can have."""
    for metric, low, high in (("psnr", 0.0, math.inf), ("ssim", -1.0, 1.0 + 1e-6)):
        rows = results.scores[results.scores["metric"] == metric]
        bad = rows[(rows["value"] < low) | (rows["value"] > high)]
        if len(bad):
            method, dataset, image, value = bad[["method", "dataset", "image", "value"]].iloc[0]
            yield f"{method} on {dataset}: no image has {metric} {value:g}, as {image} is said to"


def _wrong_methods(results: Results, known: Known, open_points: list[str]) -> Iterator[str]:
    """Published weights that are others than those known here, and numbers of parameters that networks do not have."""
    unknown = []
    for method in results.info.methods:
        weights, published = method.weights, known.weights.get(method.name)
        if weights is not None and weights.verified:
            if published is None:
                unknown.append(method.name)
            else:
                yield from _wrong_weights(method, weights, published)
        parameters = known.parameters(method.name)
        if parameters is not None and method.parameters != parameters:
            yield f"{method.name}: has {parameters:,} parameters, not {method.parameters}"
    if unknown:
        open_points.append(f"no published weights are known here under the names {listed(unknown)}")
    for key, place in results.evaluations.items():
        of_method = next(each for each in results.info.methods if each.name == key[0])
        used = read_done(place / "done.json").inputs.weights
        if of_method.weights is not None and key[1] != of_method.weights.trained_on:
            yield f"{key[0]}: was trained on {of_method.weights.trained_on}, and stands as trained on {key[1]}"
        if used != (None if of_method.weights is None else of_method.weights.sha256):
            yield f"{key[0]}: its scores are of another weights file"
    if any(row.macs is not None for session in read_efficiency(results.folder).sessions for row in session.rows):
        open_points.append("multiply-accumulates and times are as stated: they are measured, not worked out")


def _wrong_weights(method: MethodInfo, weights: WeightsInfo, published: WeightsInfo) -> Iterator[str]:
    if weights.sha256 != published.sha256:
        yield f"{method.name}: its file {weights.sha256[:8]} is not the published one, {published.sha256[:8]}"
    for name in ("trained_on", "quantisation"):
        if getattr(weights, name) != getattr(published, name):
            yield f"{method.name}: {name} is not what is known of these weights"
    # another version may know of more printed scores, or of fewer, and yet not of others
    printed = {(each.dataset, each.protocol): each.scores for each in published.published}
    for each in weights.published:
        if printed.get((each.dataset, each.protocol), each.scores) != each.scores:
            yield f"{method.name}: its authors do not print what is said of {each.dataset} under {each.protocol}"


def _wrong_input(results: Results, known: Known) -> Iterator[str]:
    """Whole sets whose unprocessed input scores otherwise than their card states."""
    means = score_means(results.scores, results.datasets)
    for info in results.info.datasets:
        card = known.cards.get(info.name)
        stated = None if card is None else card.input_score
        if stated is None or stated.unconfirmed or not info.whole or info.other_sizes:
            continue
        for metric, reach in _INPUT.items():
            for mean in means.of_seeds("identity", UNTRAINED, info.name, stated.protocol, metric):
                if not abs(mean.mean - getattr(stated, metric)) <= reach + 1e-9:
                    yield (
                        f"{info.name}: its input has {metric} {mean.mean:.4f} under {stated.protocol}, its card states "
                        f"{getattr(stated, metric):g}: these are other files"
                    )


def _wrong_means(results: Results, record: Submission) -> Iterator[str]:
    """Means that the scores do not make."""
    made, said = means_of(results), {mean.place: mean for mean in record.means}
    if len(said) != len(record.means):
        yield f"{RECORD}: states a mean twice"
    for place in sorted(set(made) | set(said)):
        where = f"{place[0]} on {place[3]} under {place[4]}, {place[5]}"
        if place not in said or place not in made:
            yield f"{where}: {'no mean is stated' if place not in said else 'a mean without scores'}"
            continue
        here, there = float(made[place].value), float(said[place].value)
        same = here == there or abs(here - there) <= _ROUNDING or (math.isnan(here) and math.isnan(there))
        if not same or made[place].images != said[place].images:
            yield f"{where}: stated {there:g} of {said[place].images}, the scores make {here:g} of {made[place].images}"
