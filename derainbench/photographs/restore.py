"""Photographs restored by several networks: what is done under the same weights and settings is not done again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from derainbench.engine.device import Engine
from derainbench.engine.photo import Photo, read_photo, restored_png
from derainbench.engine.restore import restorer
from derainbench.errors import FOREIGN, StorageError, UserError, one_line
from derainbench.images.decode import LARGEST_FILE, opened_image
from derainbench.photographs.find import Photograph
from derainbench.photographs.restored import Method, result_file
from derainbench.plugins.method import Derainer
from derainbench.plugins.variant import Variant
from derainbench.results.results import HARNESS_REVISION
from derainbench.support.atomic import file_hash, write_atomic
from derainbench.support.data_hash import data_hash

#: Under which word a result's PNG holds the key of all that it depends on.
MARK = "derainbench"


@dataclass(frozen=True)
class Restoring:
    """A network with its weights, as it restores; ``told`` is what readers are told of it.

    ``tile`` is what was asked for: a side in pixels, 0 for never, None to decide by image (:mod:`.engine.restore`).
    """

    variant: Variant
    network: Derainer
    told: Method
    engine: Engine
    tile: int | None = None

    @property
    def name(self) -> str:
        """The variant's name, which is that of the folder of its results."""
        return self.variant.name

    @cached_property
    def restored(self) -> Callable[[Tensor], Tensor]:
        """(1, 3, H, W) RGB in [0, 1] to the same in float64: as :func:`.split_scores.score_split` makes its images."""
        restore = restorer(self.engine.fabric, self.network, self.tile)
        return lambda rainy: restore(rainy).cpu().double()

    def key(self, photograph: str) -> str:
        """Hash of all that the result depends on, of a photograph whose file has the hash ``photograph``."""
        inputs: dict[str, Any] = {
            "harness": HARNESS_REVISION,
            "photograph": photograph,
            "method": self.name,
            "source": self.variant.source_digest(),
            "weights": self.told.sha256,
            "precision": self.engine.precision,
            "quantisation": self.variant.quantisation,
        }
        if self.tile and self.network.reach is None:  # elsewhere tiles give what the whole image would
            inputs["tile"] = self.tile
        return data_hash(inputs)


@dataclass
class Outcome:
    """How it ended: results made, and kept as they were; what went wrong, as :class:`.restored.Restored` has it.

    ``crashed``: a method's code failed, which is no mistake of the user's.
    """

    done: int = 0
    kept: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    crashed: bool = False


def check_place(folder: Path, sources: Sequence[Path], methods: Sequence[str]) -> None:
    """:class:`UserError` where results in ``folder`` would lie among the photographs that ``sources`` hold."""
    # Not Path.resolve, which some Pythons end at a link that leads to itself.
    out, places = Path(os.path.realpath(folder)), [Path(os.path.realpath(folder / method)) for method in methods]
    for source in (Path(os.path.realpath(source)) for source in sources if source.is_dir()):
        # What is in --out is left out where photographs are looked for; elsewhere results would be found among them.
        apart = out != source and out.is_relative_to(source)
        for place in places:
            inside = place.is_relative_to(source) and not (apart and place.is_relative_to(out))
            if out == source or inside or source.is_relative_to(place):
                raise UserError(f"--out {folder}: results would lie among the photographs in {source}; give another")


def check_results(folder: Path, photographs: Sequence[Photograph], methods: Sequence[str]) -> None:
    """:class:`UserError` where results would replace what is not ours: what is no PNG that holds a key."""
    for method in methods:
        for photograph in photographs:
            target = result_file(folder, method, photograph)
            if os.path.lexists(target) and not key_in(target):
                raise UserError(
                    f"{target} was not made by this command, or has changed since, and would be lost; move it away, "
                    "give another --out, or --overwrite"
                )


def key_in(result: Path) -> str:
    """The key that a result's file holds; empty where it is none, or cannot be read."""
    try:
        with opened_image(result) as image:
            return str(image.info.get(MARK, ""))
    except UserError:
        return ""


def restore_all(
    photographs: Sequence[Photograph],
    methods: Sequence[Restoring],
    folder: Path,
    on_photograph: Callable[[], None],
    on_problem: Callable[[str], None],
) -> Outcome:
    """Restore each photograph by each method, into ``folder/METHOD/PATH.png``, as far as that is not done.

    A result is done where it holds the key that it would have now; each is whole or not there. A photograph that cannot
    be read, or a network that fails on one, is told in a line to ``on_problem``, and the rest goes on: only
    :class:`StorageError` ends it. A network that draws random numbers draws the same for a photograph at any time.
    """
    outcome = Outcome()
    for photograph in photographs:
        try:
            _restore(photograph, methods, folder, outcome, on_problem)
        except _BrokenError as error:
            outcome.broken[photograph.name] = one_line(error)
            on_problem(f"left out: {one_line(error)}")
        on_photograph()
    return outcome


_Content = TypeVar("_Content")


class _BrokenError(Exception):
    """A photograph cannot be read."""


def _restore(
    photograph: Photograph,
    methods: Sequence[Restoring],
    folder: Path,
    outcome: Outcome,
    on_problem: Callable[[str], None],
) -> None:
    digest = _read(_digest, photograph.path)
    keys: Mapping[str, str] = {method.name: method.key(digest) for method in methods}
    to_do = [m for m in methods if key_in(result_file(folder, m.name, photograph)) != keys[m.name]]
    outcome.kept += len(methods) - len(to_do)
    photo: Photo | None = None
    for method in to_do:
        photo = photo or _read(read_photo, photograph.path)
        texts = PngInfo()
        texts.add_text(MARK, keys[method.name])
        torch.manual_seed(int(digest[:15], 16))
        try:
            png = restored_png(photo, method.restored, method.variant.quantisation, texts)
            write_atomic(result_file(folder, method.name, photograph), png)
            outcome.done += 1
        except StorageError:
            raise
        except FOREIGN as error:  # whatever the author's code raises
            mistake = isinstance(error, UserError)
            reason = one_line(error) if mistake else f"{type(error).__name__}: {one_line(error)}"
            outcome.failed[method.name, photograph.name] = reason
            outcome.crashed |= not mistake
            on_problem(f"{method.name} failed on {photograph.name}: {reason}")


def _digest(photograph: Path) -> str:
    """Hash of the file, once it is known to be an image's by its header: others may have no end."""
    with opened_image(photograph):
        if (size := photograph.stat().st_size) > LARGEST_FILE:
            raise UserError(f"{photograph} has {size:,} bytes, and no image over {LARGEST_FILE:,}; remove it")
    return file_hash(photograph)


def _read(read: Callable[[Path], _Content], photograph: Path) -> _Content:
    """What ``read`` makes of the file; a disk that refuses to read it is no reason to end: others may be read."""
    try:
        return read(photograph)
    except UserError as error:
        raise _BrokenError(one_line(error)) from error
