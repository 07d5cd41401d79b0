"""What the images of a split say, gathered pair by pair in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from derainbench.catalogue.cards import without_zeros
from derainbench.catalogue.pairing import Matched
from derainbench.overlap.fingerprint import COEFFICIENTS, Fingerprint, Fingerprints
from derainbench.verify.across_images import CleanImages, Named, in_doubt
from derainbench.verify.image_kinds import TREATMENT
from derainbench.verify.one_pair import PairFacts
from derainbench.verify.verdict import Finding, below, first_few

#: So many clean images of a split keep their fingerprint, 0.8 kB each; of more, the hash of their pixels only.
MOST_PRINTS = 100_000

#: So many rainy images that are in doubt keep theirs.
MOST_IN_DOUBT = 2_000

_HASH = "S32"


class SplitFacts:
    """The facts of all pairs of a split, added in any order."""

    def __init__(self, matched: Matched, additive: bool) -> None:
        self._additive = additive
        self.rainy_names: list[str] = []
        self._clean_of: list[str] = []
        self._scene_of: dict[str, str] = {}
        for row in matched.rows:
            pair = matched.pair(row)
            rainy, clean = (below(source, matched.root) for source in (pair.rainy, pair.clean))
            self.rainy_names.append(rainy)
            self._scene_of.setdefault(clean, row.scene)
            self._clean_of.append(clean)
        self.rainy_pixels: NDArray[np.bytes_] = np.zeros(len(matched.rows), _HASH)
        self.rainy_sides = np.zeros((len(matched.rows), 2), np.int32)
        self.scores = np.full((len(matched.rows), 2), np.nan)
        self._in_doubt: list[tuple[Named, PairFacts]] = []
        self._findings: list[tuple[int, Finding]] = []
        self._kinds: dict[str, set[str]] = {}
        self._contradicting: dict[str, str] = {}
        self._places = {name: place for place, name in enumerate(self._scene_of)}
        self._pixels: NDArray[np.bytes_] = np.zeros(len(self._places), _HASH)
        self._sides = np.zeros((len(self._places), 2), np.int32)
        self._detail = np.zeros(len(self._places), np.float32)
        kept = min(len(self._places), MOST_PRINTS)
        self._coefficients = np.zeros((kept, COEFFICIENTS), np.float16)

    def add(self, facts: PairFacts) -> None:
        """What a worker found out about a pair."""
        number = facts.number
        self._findings += [(number, finding) for finding in facts.findings]
        self.rainy_pixels[number] = facts.rainy_pixels.encode()
        self.rainy_sides[number] = facts.rainy_sides
        self.scores[number] = facts.psnr, facts.ssim
        name = self._clean_of[number]
        if facts.clean is not None:
            self._keep(self._places[name], facts.clean)
        if len(self._in_doubt) >= MOST_IN_DOUBT:
            facts = facts._replace(rainy=None)
        if in_doubt(facts, self._additive):
            named = Named(self.rainy_names[number], name)
            self._in_doubt.append((named, facts._replace(clean=None, findings=[])))
        for file, kinds in facts.files:
            for kind in kinds.treated:
                self._kinds.setdefault(kind, set()).add(file)
            if kinds.contradicts:
                self._contradicting[file] = kinds.contradicts

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with single pairs, in their order; with a file that several share, once."""
        return list(dict.fromkeys(finding for _, finding in sorted(self._findings, key=lambda each: each[0])))

    @property
    def in_doubt(self) -> list[tuple[Named, PairFacts]]:
        """The pairs whose files may not belong together, in their order."""
        return sorted(self._in_doubt, key=lambda each: each[1].number)

    def kinds(self) -> Iterator[Finding]:
        """Notices of files that hold something else than 8-bit RGB, or than their names say."""
        for kind, treatment in TREATMENT.items():
            files = sorted(self._kinds.get(kind, ()))
            if files:
                text = f"{len(files):,} {kind} files ({treatment}): {first_few(files)}"
                yield Finding("pixels", tuple(files), text)
        if self._contradicting:
            files = sorted(self._contradicting)
            named = [f"{file} is {self._contradicting[file]}" for file in files]
            text = f"{len(files):,} files are of another format than their names say: {first_few(named)}"
            yield Finding("suffix", tuple(files), text)

    def clean_images(self) -> CleanImages:
        """The clean images that could be read, in the order of the pairs."""
        kept = len(self._coefficients)
        good = np.flatnonzero(self._sides[:kept, 0])
        names = list(self._scene_of)
        prints = Fingerprints(self._pixels[good], self._sides[good], self._detail[good], self._coefficients[good])
        return CleanImages([names[n] for n in good], [self._scene_of[names[n]] for n in good], prints)

    def scenes(self, same_scene: Sequence[Sequence[str]]) -> int:
        """How many scenes there are, those that the card calls the same counted once."""
        known = {without_zeros(name): group[0] for group in same_scene for name in group}
        return len({known.get(without_zeros(scene), scene) for scene in self._scene_of.values()})

    def _keep(self, place: int, clean: Fingerprint) -> None:
        self._pixels[place] = clean.pixels.encode()
        self._sides[place] = clean.height, clean.width
        self._detail[place] = clean.detail
        if place < len(self._coefficients):
            self._coefficients[place] = clean.coefficients
