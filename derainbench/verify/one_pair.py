"""What the files of one pair tell about it, once decoded: what the worker processes of ``datasets verify`` do."""

from __future__ import annotations

import math
import multiprocessing
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from derainbench.catalogue.pairing import FileRow, Pair, make_pair
from derainbench.errors import UserError
from derainbench.images.decode import Array, Half, Source, file_of, read_layer, read_rgb
from derainbench.overlap.fingerprint import Fingerprint, fingerprint
from derainbench.overlap.frame import inside_frame
from derainbench.verify.image_kinds import Kinds, kinds_of
from derainbench.verify.verdict import Finding, below, shortened

#: A value of the rainy image that is lower than the clean one's by more than this has become darker.
DARKER = 2  # levels: what rounding and the mildest compression do

#: Least similarity (:mod:`.fingerprint`) of a rainy image and its clean one that leaves no doubt that they belong
#: together: unrelated ones reach 0.40 at most.
SURE = 0.45

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Inspection:
    """What all pairs of a split have in common. ``protocol``: the input is scored under it; empty: it is not."""

    root: Path
    side_by_side: str
    roles: tuple[str, ...]
    protocol: str


class PairFacts(NamedTuple):
    """What one pair's pixels say, or the findings that keep them from it.

    ``darker`` and ``brighter`` are the shares of the rainy image's values that are so by more than :data:`DARKER`
    levels, ``similarity`` its fingerprint's with the clean image's; NaN where an image could not be read.
    """

    number: int
    findings: list[Finding]
    rainy_pixels: str = ""
    """The hash of the rainy image; empty for one of a single colour."""
    rainy_sides: tuple[int, int] = (0, 0)
    """Height and width of the rainy image; 0 where it could not be read."""
    darker: float = math.nan
    brighter: float = math.nan
    similarity: float = math.nan
    psnr: float = math.nan
    ssim: float = math.nan
    rainy: Fingerprint | None = None
    """Where it is in doubt whether this shows the clean image."""
    clean: Fingerprint | None = None
    """Where this pair is the first of its chunk with that clean image."""
    files: tuple[tuple[str, Kinds], ...] = ()
    """Images that hold something else than 8-bit RGB, or than they are called; each once a chunk. Layers are grey."""


def inspect(task: Inspection, rows: Sequence[tuple[int, FileRow]]) -> list[PairFacts]:
    """The facts of numbered pairs. Files that neighbours share are read once."""
    if task.protocol:
        _one_thread()
    inspector = _Inspector(task)
    return [inspector(number, row) for number, row in rows]


class _Inspector:
    """Looks at some pairs, one after another."""

    def __init__(self, task: Inspection) -> None:
        self._task = task
        self._looked_at: set[str] = set()
        # What was read of clean images and layers, by how it was read too: one file may be both.
        self._shared: dict[tuple[Callable[..., object], str], object] = {}

    def __call__(self, number: int, row: FileRow) -> PairFacts:
        task = self._task
        pair = make_pair(task.root, task.side_by_side, row.image, row.scene, task.roles, row.files)
        named = zip(task.roles, row.files, strict=True)
        new = [name for role, name in named if role in ("rainy", "clean") and name not in self._looked_at]
        self._looked_at.update(new)
        files = tuple((name, kinds) for name in new if (kinds := kinds_of(task.root / name)) != Kinds())
        clean_is_new = (_with_fingerprint, self._name(pair.clean)) not in self._shared

        findings: list[Finding] = []
        rainy = self._read(pair.rainy, _with_fingerprint, findings)
        clean = self._read_once(pair.clean, _with_fingerprint, findings)
        layers = {path: self._read_once(path, _layer_sides, findings) for path in pair.layers.values()}
        if rainy is not None:
            findings += [
                self._sizes_differ("layer size", pair.rainy, rainy[0].shape, path, sides)
                for path, sides in layers.items()
                if sides is not None and sides != rainy[0].shape[:2]
            ]
        facts = PairFacts(
            number,
            findings,
            rainy[1].pixels if rainy is not None else "",
            _sides(rainy[0]) if rainy is not None else (0, 0),
            clean=clean[1] if clean is not None and clean_is_new else None,
            files=files,
        )
        if rainy is None or clean is None:
            return facts
        if rainy[0].shape != clean[0].shape:
            findings.append(self._sizes_differ("size", pair.rainy, rainy[0].shape, pair.clean, clean[0].shape))
            return facts
        return self._compared(facts, pair, rainy, clean)

    def _compared(
        self, facts: PairFacts, pair: Pair, rainy: tuple[Array, Fingerprint], clean: tuple[Array, Fingerprint]
    ) -> PairFacts:
        """The same, with what two images of one size say together."""
        if rainy[1].pixels and rainy[1].pixels == clean[1].pixels:
            names = self._name(pair.rainy), self._name(pair.clean)
            text = f"{names[0]} is the same image as its partner {names[1]}: no rain; restore the right file"
            facts.findings.append(Finding("no rain", names, text))
        difference = rainy[0].astype(np.int16) - clean[0]
        shown = rainy[1]
        if (shown.height, shown.width) != (clean[1].height, clean[1].width):  # rain fell on one's frame
            shown = fingerprint(rainy[0], inside_frame(clean[0]))
        similarity = float(shown.coefficients.astype(np.float32) @ clean[1].coefficients.astype(np.float32))
        protocol = self._task.protocol
        psnr, ssim = _scores(rainy[0], clean[0], protocol) if protocol else (math.nan, math.nan)
        return facts._replace(
            darker=np.count_nonzero(difference < -DARKER) / difference.size,
            brighter=np.count_nonzero(difference > DARKER) / difference.size,
            similarity=similarity,
            psnr=psnr,
            ssim=ssim,
            rainy=rainy[1] if similarity < SURE else None,
        )

    def _name(self, source: Source) -> str:
        return below(source, self._task.root)

    def _read_once(self, source: Source, read: Callable[[Source], _Read], findings: list[Finding]) -> _Read | None:
        """The same as :meth:`_read`, of a file that several pairs may share; it is a finding of the first."""
        key = read, self._name(source)
        if key not in self._shared:
            self._shared[key] = self._read(source, read, findings)
        known: _Read | None = self._shared[key]  # type: ignore[assignment]  # the key has the reader in it
        return known

    def _read(self, source: Source, read: Callable[[Source], _Read], findings: list[Finding]) -> _Read | None:
        """What is read of a file; None where it cannot be, which is a finding."""
        try:
            return read(source)
        except UserError as error:
            path = file_of(source)
            text = shortened(str(error), [path], self._task.root)
            if all(each.message != text for each in findings):  # as of the other half of a file
                findings.append(Finding("unreadable", (self._name(source),), text))
            return None

    def _sizes_differ(
        self, kind: str, rainy: Source, sides: tuple[int, ...], partner: Source, others: tuple[int, ...]
    ) -> Finding:
        names = self._name(rainy), self._name(partner)
        turned = "; turned by 90 degrees?" if sides[:2] == others[:2][::-1] else ""
        what = "partner" if kind == "size" else "layer"
        text = f"{names[0]} is {sides[1]}x{sides[0]} but its {what} {names[1]} is {others[1]}x{others[0]}{turned}"
        return Finding(kind, names, f"{text}; restore the right one")


def _with_fingerprint(source: Source) -> tuple[Array, Fingerprint]:
    image = read_rgb(source)
    return image, fingerprint(image)


def _sides(image: Array) -> tuple[int, int]:
    """Those of the file: a fingerprint's are without a border."""
    return image.shape[0], image.shape[1]


def _layer_sides(source: Source) -> tuple[int, ...]:
    assert not isinstance(source, Half)
    return read_layer(source).shape


def _scores(rainy: Array, clean: Array, protocol: str) -> tuple[float, float]:
    """PSNR and SSIM of the unprocessed image, to the last bit those of a run with ``identity`` on a CPU."""
    from derainbench.images.tensors import to_tensor
    from derainbench.metrics.scores import score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an image may be too small for SSIM, which is NaN then
        found = score(to_tensor(rainy)[None].double(), to_tensor(clean)[None].double(), protocol)
    return float(found.psnr), float(found.ssim)


def _one_thread() -> None:
    """In a worker process: there is one for each core already."""
    import torch

    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)
