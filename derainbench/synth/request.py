"""What is to be made of a synthetic dataset: what was asked for, held against what is there."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from derainbench import __version__
from derainbench.catalogue.cards import RESERVED, SplitName, all_cards
from derainbench.errors import UserError
from derainbench.rain import PRESETS, preset
from derainbench.synth.one_rain import Job, Making, files_of, has_content, rain_files
from derainbench.synth.record import SplitRecord, SynthRecord, read_record, refuse_others
from derainbench.synth.sources import Scene, changed_or_gone, find_scenes


@dataclass(frozen=True)
class Request:
    """What is asked for: rain by ``preset`` on the images below ``clean``, as a split of the dataset in ``out``.

    ``per_image`` rains a clean image. ``depth``: the folder of depth maps for mist; None for a modelled plane.
    ``name``: the dataset's; None for the one it has, or the name of the folder ``out``. ``only``: the scenes that are
    meant, by name; None for all. ``test_share``: the part that went to test, where the folder was divided.
    """

    preset: str
    clean: Path
    out: Path
    split: SplitName = "test"
    per_image: int = 1
    seed: int = 0
    depth: Path | None = None
    name: str | None = None
    only: frozenset[str] | None = None
    test_share: float | None = None

    def scenes(self) -> dict[str, Scene]:
        """Those that are meant, by name, sorted; errors as in :func:`.find_scenes`."""
        found = find_scenes(self.clean, self.depth)
        return found if self.only is None else {name: each for name, each in found.items() if name in self.only}

    def making(self) -> Making:
        """What decides the bytes; :class:`UserError` where the request contradicts itself."""
        making = Making(self.preset, self.seed, self.split, self.out / self.split)
        if self.depth is not None and not making.model.has_depth:
            raise UserError(f"--depth is for mist; preset {self.preset} is {making.model.name}, leave it out")
        if self.per_image < 1 or self.seed < 0:
            raise UserError(f"--per-image {self.per_image}, --seed {self.seed}: at least 1, and at least 0")
        out = _real(self.out)
        for option, folder in (("--clean", self.clean), ("--depth", self.depth)):
            other = _real(folder) if folder is not None else None
            if other is not None and (out.is_relative_to(other) or other.is_relative_to(out)):
                raise UserError(f"--out {self.out} and {option} {folder} lie in each other; give another --out")
        return making


@dataclass(frozen=True)
class SynthPlan:
    """The record as it will be, and what is to be done for it."""

    record: SynthRecord
    jobs: list[Job]
    kept: int
    """Rainy images that are there and stay."""
    gone: list[str]
    """Scenes whose finished pairs stay though their clean image is no longer there."""
    dropped: list[str]
    """Rains of scenes whose clean image is no longer there, of which only some files are, so that they go."""
    stale: list[Path]
    """Files that go first: of no finished pair, and that nothing will finish."""


def choose_preset(model: str | None, name: str | None) -> str:
    """The preset that ``--model`` and ``--preset`` name; either may be left out where the other tells it."""
    known = sorted(each for each, value in PRESETS.items() if model in (None, value.model))
    if not known:
        models = ", ".join(dict.fromkeys(each.model for each in PRESETS.values()))
        raise UserError(f"--model {model} does not exist; give one of {models}")
    if name is None:
        if len(known) > 1:
            raise UserError(f"--preset says which rain; give one of {', '.join(known)}")
        return known[0]
    chosen = preset(name)
    if name not in known:
        raise UserError(f"--preset {name} is rain model {chosen.model}, not {model}; take {' or '.join(known)}")
    return name


def changed_scenes(request: Request, scenes: dict[str, Scene]) -> list[Scene]:
    """The scenes whose files have other names, sizes or times than when pairs were made of them."""
    found = read_record(request.out)
    before = found.splits.get(request.split) if found is not None else None
    return [scenes[name] for name in changed_or_gone(before.scenes, scenes)[0]] if before is not None else []


def make_plan(request: Request, making: Making, scenes: dict[str, Scene], exchanged: Collection[str] = ()) -> SynthPlan:
    """Compare the request with the folder; ``exchanged``: the scenes whose clean image is another one than there.

    :class:`UserError` where what is there was made in another way, or of other images.
    """
    found = read_record(request.out)
    name = request.name or (found.name if found is not None else _real(request.out).name)
    if found is None:
        _check_name(name, request.out)
    asked = SplitRecord(
        version=__version__,
        preset=request.preset,
        seed=request.seed,
        per_image=request.per_image,
        depth="none" if not making.model.has_depth else "modelled" if request.depth is None else "given",
        test_share=request.test_share,
    )
    record = SynthRecord(schema=1, name=name, model=making.model.name, splits={request.split: asked})
    if found is not None:
        refuse_others(request.out, found, record)
    before = found.splits.get(request.split) if found is not None else None
    present = present_files(making)
    if present and before is None:
        raise UserError(f"{making.folder} has files that datasets synth did not make; give another --out")

    recorded = before.scenes if before is not None else {}
    _, gone = changed_or_gone(recorded, scenes)
    lacking = {name: _lacking(making, name, request.per_image, present) for name in {**scenes, **dict.fromkeys(gone)}}
    _refuse_exchanged(making, [scenes[name] for name in exchanged if len(lacking[name]) < request.per_image])
    jobs = [Job(scene, n) for name, scene in scenes.items() for n in lacking[name]]
    stays = [name for name in gone if len(lacking[name]) < request.per_image]
    forgotten = [name for name in gone if len(lacking[name]) == request.per_image]
    unfinished = {(name, n): rain_files(making, name, n) for name in gone for n in lacking[name]}
    kept = sum(request.per_image - len(lacking[name]) for name in [*scenes, *stays])
    if before is not None and before.version != __version__ and jobs and (kept or before.pairs):
        raise UserError(
            f"{making.folder} was begun by derainbench {before.version}, this is {__version__}, whose rain may differ;"
            " finish it with that one, or give another --out"
        )
    stamps = {name: recorded[name] for name in stays} | {name: scene.stamp for name, scene in scenes.items()}
    split = asked
    if before is not None and not jobs:  # nothing is made: the version that made it, and what it measured, stand
        lost = before.pairs != kept
        split = before.model_copy(update={"pairs": 0, "measured": None}) if lost else before
    split = split.model_copy(update={"scenes": dict(sorted(stamps.items()))})
    splits = {**(found.splits if found is not None else {}), request.split: split}
    return SynthPlan(
        record=record.model_copy(update={"splits": splits}),
        jobs=jobs,
        kept=kept,
        gone=stays,
        dropped=[f"{name}-{n}" for (name, n), files in unfinished.items() if not present.isdisjoint(map(str, files))],
        stale=[
            # The rainy image first: what has none is in no pair.
            *(file for files in unfinished.values() for file in reversed(files)),
            *(
                file
                for name in [*exchanged, *forgotten]
                for n in range(request.per_image)
                for file in reversed(files_of(making, name, n))
            ),
            # Left by a kill.
            *(Path(path) for path in present if re.search(r"[/\\]\.[^/\\]*\.part$", path)),
            *request.out.glob(".*.part"),
        ],
    )


def present_files(making: Making) -> set[str]:
    """The path of every file in the split's folders; empty ones are none, but for what a kill left."""
    files = (f"{folder}{os.sep}{name}" for folder, _, names in os.walk(making.folder) for name in names)
    return {path for path in files if path.endswith(".part") or has_content(path)}


def complete(making: Making, split: SplitRecord, present: set[str]) -> list[tuple[str, int]]:
    """The rains of a split, scene and number, whose files are all there."""
    return [
        (name, n)
        for name in split.scenes
        for n in sorted(set(range(split.per_image)) - set(_lacking(making, name, split.per_image, present)))
    ]


def _lacking(making: Making, scene: str, per_image: int, present: set[str]) -> list[int]:
    return [n for n in range(per_image) if not present.issuperset(map(str, files_of(making, scene, n)))]


def _refuse_exchanged(making: Making, scenes: list[Scene]) -> None:
    """A second folder of clean images that are called like the first ones must not cost the first pairs."""
    if scenes:
        are = "1 clean image is" if len(scenes) == 1 else f"{len(scenes)} clean images are"
        raise UserError(
            f"{are} not what the pairs of that name in {making.folder} were made from, the first {scenes[0].clean};"
            " give another --out, or delete those pairs"
        )


def _real(path: Path) -> Path:
    """Without links; unlike :meth:`Path.resolve` also where one leads to itself, which is heard of when it is used."""
    return Path(os.path.realpath(path))


def _check_name(name: str, out: Path) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"{name!r} cannot be a dataset's name: letters, digits, dots and dashes only; give --name")
    if name in RESERVED:
        raise UserError(f"a dataset cannot be called {name!r}: --datasets gives that word a meaning; give --name")
    card = all_cards().get(name)
    if card is not None and (card.root is None or _real(card.root) != _real(out)):
        raise UserError(f"there is a dataset called {name!r} already; give another --name")
