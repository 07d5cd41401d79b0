"""Making a paired dataset of one's own: rain on a folder of clean images, resumable, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from derainbench.catalogue.cards import SplitName
from derainbench.errors import UserError
from derainbench.rain import RainModel
from derainbench.support.atomic import storage_error, write_atomic
from derainbench.support.lock import locked
from derainbench.support.workers import in_chunks
from derainbench.synth.both_splits import divide, in_both_splits
from derainbench.synth.card import card_text
from derainbench.synth.changed_images import exchanged
from derainbench.synth.measured import Images, Quantities, evenly_spaced, measure
from derainbench.synth.one_rain import Making, clean_file, layer_file, make, rainy_file
from derainbench.synth.record import SynthRecord, write_record
from derainbench.synth.request import Request, SynthPlan, changed_scenes, complete, make_plan, present_files
from derainbench.synth.sources import Scene, problems_of

#: Called with what is being done, how much more of it is done now, and how much there is in all.
OnProgress = Callable[[str, int, int], None]

_MANY = 5000  # headers, of a fraction of a millisecond each, are worth new processes
_SOME = 50  # images to decode are


@dataclass(frozen=True)
class Synthesized:
    """What a run of :func:`synthesize` made and found.

    ``made`` rainy images now, ``kept`` from before; ``failures``, a line for each clean image that could not be used;
    ``gone``, scenes whose finished pairs are kept though their clean image is no longer there; ``dropped``, rains of
    such scenes that were unfinished and went; ``measured``, rows of up to 100 images. ``card`` is None where no image
    could be made; ``splits`` are those of the card; ``twice`` are this split's scenes whose clean image is in the
    other split too, and ``alike`` those whose photograph is, in other pixels: resized, cropped or compressed.
    """

    name: str
    model: RainModel
    card: Path | None
    made: int
    kept: int
    failures: tuple[str, ...]
    gone: tuple[str, ...]
    dropped: tuple[str, ...]
    measured: tuple[Quantities, ...]
    splits: tuple[str, ...]
    twice: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


def synthesize(request: Request, workers: int, progress: OnProgress = lambda what, more, total: None) -> Synthesized:
    """Make what is missing of the dataset, measure it, and write its card, ``out/card.toml``.

    Every file is whole or not there, so that a kill at any moment loses only what was being written; the same request
    goes on from there. The bytes depend on the request and on the clean image alone, not on the number of ``workers``
    nor on other images. Nothing is written, and :class:`UserError` says why, where the folder was made in another way,
    where a clean image is another one than its pairs were made from, or where a file's header shows that it cannot be
    used; a file that turns out to be broken later is among the outcome's ``failures``.
    """
    making = request.making()
    scenes = request.scenes()
    jobs = make_plan(request, making, scenes).jobs
    look_at_headers({job.scene.name: job.scene for job in jobs}.values(), workers, progress)
    with locked(request.out):
        # Another process may have been at it in between.
        plan = make_plan(request, making, scenes, _exchanged(request, making, scenes, workers, progress))
        _remove(plan.stale)
        if plan.jobs:
            write_record(request.out, plan.record)
        failures: list[str] = []
        for count, lines in in_chunks(partial(make, making), plan.jobs, workers):
            failures += lines
            progress("making", count, len(plan.jobs))
        # A card at once: the images are there, and measuring them may take longer than making them.
        record = _counted(making, plan)
        write_record(request.out, record)
        _write_card(request.out, record)
        record = _measured(making, record, workers, progress)
        write_record(request.out, record)
        card = _write_card(request.out, record)
    split = record.splits[request.split]
    twice, alike = in_both_splits(request.out, record, request.split, progress)
    return Synthesized(
        name=record.name,
        model=making.model,
        card=card,
        made=split.pairs - plan.kept,
        kept=plan.kept,
        failures=tuple(dict.fromkeys(failures)),
        gone=tuple(plan.gone),
        dropped=tuple(plan.dropped),
        measured=tuple(split.measured or ()),
        splits=tuple(name for name, each in record.splits.items() if each.pairs),
        twice=twice,
        alike=alike,
    )


def synthesize_both(
    request: Request, test_share: float, workers: int, progress: OnProgress = lambda what, more, total: None
) -> dict[SplitName, Synthesized]:
    """Both splits of one folder of clean images, divided by :func:`.divide`; each as :func:`synthesize` makes it.

    :class:`UserError`, and nothing is written, where one of the two could not be begun.
    """
    scenes = request.scenes()
    look_at_headers(scenes.values(), workers, progress)
    parts = divide(request, scenes, test_share, progress)
    for part in parts.values():
        make_plan(part, part.making(), {name: scenes[name] for name in scenes if part.only and name in part.only})
    return {split: synthesize(part, workers, progress) for split, part in parts.items()}


def look_at_headers(scenes: Iterable[Scene], workers: int, progress: OnProgress) -> None:
    """:class:`UserError` naming every file whose header shows that it cannot be used."""
    looked_at = list(scenes)
    problems: list[str] = []
    for count, lines in in_chunks(problems_of, looked_at, workers if len(looked_at) > _MANY else 1):
        problems += lines
        progress("looking at headers", count, len(looked_at))
    if problems:
        how_many = "1 file" if len(problems) == 1 else f"{len(problems)} files"
        raise UserError(f"{how_many} cannot be used, nothing was written: {' | '.join(problems)}")


def _exchanged(
    request: Request, making: Making, scenes: dict[str, Scene], workers: int, progress: OnProgress
) -> list[str]:
    """Which clean images are others than those in the folder: by their pixels, where their files seem changed."""
    changed, found = changed_scenes(request, scenes), []
    for count, names in in_chunks(partial(exchanged, making), changed, workers if len(changed) > _SOME else 1):
        found += names
        progress("comparing", count, len(changed))
    return found


def _remove(files: list[Path]) -> None:
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(path, error) from error


def _counted(making: Making, plan: SynthPlan) -> SynthRecord:
    """The record with the number of pairs."""
    split = plan.record.splits[making.split]
    if split.measured is not None:  # nothing was made
        return plan.record
    return _with_split(plan.record, making, pairs=len(complete(making, split, present_files(making))))


def _measured(making: Making, record: SynthRecord, workers: int, progress: OnProgress) -> SynthRecord:
    """The record with what some of the pairs measure."""
    split = record.splits[making.split]
    if split.measured is not None:
        return record
    pairs = complete(making, split, present_files(making))
    chosen = [_images(making, *pairs[index]) for index in evenly_spaced(len(pairs))]
    rows = measure(making.model, chosen, workers, lambda more, total: progress("measuring", more, total))
    return _with_split(record, making, measured=rows)


def _with_split(record: SynthRecord, making: Making, **facts: Any) -> SynthRecord:
    split = record.splits[making.split].model_copy(update=facts)
    return record.model_copy(update={"splits": {**record.splits, making.split: split}})


def _images(making: Making, scene: str, n: int) -> Images:
    layers = {layer: layer_file(making, layer, scene, n) for layer in making.model.grey_layers}
    return Images(rainy_file(making, scene, n), clean_file(making, scene), layers)


def _write_card(out: Path, record: SynthRecord) -> Path | None:
    if not any(split.pairs for split in record.splits.values()):
        return None
    path, text = out / "card.toml", card_text(record).encode()
    if not path.exists() or path.read_bytes() != text:
        write_atomic(path, text)
    return path
