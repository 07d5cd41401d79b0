"""Photographs that are in both splits of a set: found where they are, and kept out where one folder is divided."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from derainbench.catalogue.cards import SplitName
from derainbench.errors import UserError
from derainbench.overlap.compare import LEAST_SIDE, compare
from derainbench.overlap.fingerprint import iter_matches
from derainbench.overlap.image_sets import Files, ImageSet, Progress, read_set
from derainbench.support.atomic import file_hash
from derainbench.synth.one_rain import Making, clean_file, has_content
from derainbench.synth.record import SynthRecord, read_record
from derainbench.synth.request import Request
from derainbench.synth.sources import Scene


def divide(request: Request, scenes: Mapping[str, Scene], share: float, progress: Progress) -> dict[SplitName, Request]:
    """The request as two, for train and for test, which gets about ``share`` of the photographs.

    It is photographs that are divided, not rainy images, and those that show one scene (copies, also resized, cropped
    or compressed) stay together. Which go where depends on their names and the seed. A photograph stays in the split
    that it was in before, whatever was added since. :class:`UserError` where one split would have none.
    """
    if not 0 < share < 1:
        raise UserError(f"--test-share {share:g} is no part of the photographs; give a number between 0 and 1")
    found = read_record(request.out)
    recorded = {} if found is None else {split: each for split, each in found.splits.items() if each.test_share}
    before = {name: split for split, each in recorded.items() for name in each.scenes}
    wanted = min(max(round(share * len(scenes)), 1), len(scenes) - 1)
    test, rest = set[str](), list[Sequence[str]]()
    for group in _one_scene_each(request, scenes, progress):
        there = {before[name] for name in group if name in before}
        if there == {"test"}:
            test |= {*group}
        elif there == {"train", "test"}:  # a photograph that came later shows what joins them; what is made stays
            test |= {name for name in group if before.get(name) == "test"}
        elif not there:
            rest.append(group)
    rest.sort(key=lambda group: hashlib.sha256(f"{request.seed} {min(group)}".encode()).digest())
    for one in rest:
        if len(test) + len(one) <= wanted:
            test |= {*one}
    if not test and rest:
        test |= {*min(rest, key=len)}
    parts: dict[SplitName, frozenset[str]] = {"train": frozenset(scenes) - test, "test": frozenset(test)}
    for split, part in parts.items():
        if not part:
            raise UserError(
                f"--test-share leaves no photograph for {split}: {request.clean} has {len(scenes)}, and those that show"
                " one scene stay together; add photographs, or make each split of a folder of its own with --split"
            )
    return {split: replace(request, split=split, only=part, test_share=share) for split, part in parts.items()}


def _one_scene_each(request: Request, scenes: Mapping[str, Scene], progress: Progress) -> list[list[str]]:
    """The names of the scenes in groups that show one photograph each, most of them alone."""
    files = {name: scene.clean for name, scene in scenes.items()}
    stamps = {name: scene.stamp for name, scene in scenes.items()}
    images = read_set(_as_set(request.clean, files, stamps), progress)
    grouped = [[images.images[place] for place in group.images] for group in compare(images, images).grouped]
    together = {name for group in grouped for name in group}
    return [*grouped, *([name] for name in scenes if name not in together)]


def in_both_splits(
    out: Path, record: SynthRecord, split: SplitName, progress: Progress
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scenes of a split of the set in ``out`` whose photograph the other split has too, under whatever name.

    First those with the same pixels; then those whose photograph is there in others: resized, cropped or compressed.
    Of images with a side below :data:`~derainbench.overlap.compare.LEAST_SIDE` pixels that is not looked for.
    """
    other: SplitName = "test" if split == "train" else "train"
    if not all(each in record.splits and record.splits[each].pairs for each in (split, other)):
        return (), ()
    files = {each: _clean_files(out, each, record) for each in (split, other)}
    hashes = {each: {name: file_hash(path) for name, path in files[each].items()} for each in files}
    there = set(hashes[other].values())
    exact = tuple(name for name, content in hashes[split].items() if content in there)
    near = _alike(*(read_set(_as_set(out / each / "clean", files[each], hashes[each]), progress) for each in files))
    return exact, tuple(name for name in files[split] if name in near and name not in exact)


def _alike(images: ImageSet, others: ImageSet) -> set[str]:
    """The names of ``images`` that show a scene of the others, as far as that is reliable."""
    large = [each.prints.sides.min(axis=1, initial=2**31 - 1) >= LEAST_SIDE for each in (images, others)]
    found = set[str]()
    for part in iter_matches(images.prints, others.prints):
        found |= {images.images[place] for place in part.first[large[0][part.first] & large[1][part.second]]}
    return found


def _as_set(folder: Path, files: Mapping[str, Path], contents: Mapping[str, str]) -> Files:
    """Images by name, whose fingerprints are kept for as long as ``contents`` say the same."""
    text = "\n".join([ascii(str(folder.resolve())), *(f"{name}\n{contents[name]}" for name in files)])
    return Files(str(folder), {**files}, hashlib.sha256(text.encode()).hexdigest())


def _clean_files(out: Path, split: SplitName, record: SynthRecord) -> dict[str, Path]:
    scenes, of_split = record.splits[split].scenes, Making(record.splits[split].preset, 0, split, out / split)
    files = {name: clean_file(of_split, name) for name in scenes}
    return {name: path for name, path in files.items() if has_content(path)}
