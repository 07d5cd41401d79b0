"""What the images of a split tell together: copies, exchanged files, backgrounds that come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray

from derainbench.catalogue.cards import without_zeros
from derainbench.overlap.fingerprint import LEAST_DETAIL, NEAR, Fingerprint, Fingerprints, find_matches
from derainbench.verify.one_pair import DARKER, SURE, PairFacts
from derainbench.verify.verdict import Finding, first_few

#: The share of an image's values up to which additive rain may make it darker, and a swapped pair brighter. Of the real
#: Rain100L's 100 pairs each has 0; with another's clean image, 0.021 at least; and rain brightens 0.125 at least.
ALMOST_NONE = 0.005

#: By how much more a rainy image must resemble another clean image than its own to show that one. Under all four rain
#: presets, on 60 photographs and their crops down to 32x32 pixels, none resembles a wrong one by more than 0.30, while
#: :data:`SURE` is asked for too; of smaller ones nothing is said.
MARGIN = 0.2
LEAST_SIDE = 32

#: Less resemblance than this is strange where an image has :data:`LARGE` pixels a side; under the heaviest preset it is
#: 0.46 at least on 256x256 pixels.
STRANGE = 0.3
LARGE = 200

#: Least similarity of two clean images that are called the same picture: copies compressed again or cropped by a pixel
#: have more.
SAME = 0.9

#: So many clean images are compared with each other; of more, exact copies are found.
MOST_CLEAN = 20_000

_NAMES = 6  # of files on a line


class Named(NamedTuple):
    """The names of a pair's files, relative to the dataset's folder."""

    rainy: str
    clean: str


@dataclass(frozen=True)
class CleanImages:
    """The clean images of a split that could be read, each once: file, scene as named, fingerprint."""

    names: list[str]
    scenes: list[str]
    prints: Fingerprints


def copies(names: Sequence[str], pixels: NDArray[np.bytes_]) -> list[Finding]:
    """Rainy images that are the same, by the hashes of their pixels; empty ones are none's copy."""
    order = np.argsort(pixels, kind="stable")
    order = order[pixels[order] != b""]
    ends = np.flatnonzero(pixels[order][1:] != pixels[order][:-1]) + 1
    groups = [tuple(names[place] for place in group) for group in np.split(order, ends) if len(group) > 1]
    text = "are one image under several names; restore the right files"
    return [Finding("duplicate", group, f"{first_few(group, _NAMES)} {text}") for group in sorted(groups)]


def exchanged(
    pairs: Sequence[tuple[Named, PairFacts]], clean: CleanImages, additive: bool
) -> tuple[list[Finding], list[Finding]]:
    """Problems and notices of pairs that are :func:`in_doubt`.

    A problem where the rainy image shows another clean one of the split, and, of additive sets, where the two are
    swapped or rain is not what makes them differ; a notice where it shows something else than its clean one, it seems.
    """
    shown = _shown_instead(pairs, clean)
    findings, strange = [], []
    for number, (pair, facts) in enumerate(pairs):
        files = (pair.rainy, pair.clean)
        other = shown.get(number)
        darker = additive and facts.darker > ALMOST_NONE
        if darker and facts.brighter <= ALMOST_NONE:
            text = f"{pair.rainy} and {pair.clean} are swapped: the first is the darker, and rain here only adds light"
            findings.append(Finding("swapped", files, f"{text}; exchange them"))
        elif other is not None:
            text = f"{pair.rainy} shows {other}, not {pair.clean}; restore the right file"
            findings.append(Finding("mis-paired", (*files, other), text))
        elif darker:
            findings.append(_darkened(pair, facts))
        elif _is_strange(facts):
            text = f"{pair.rainy} looks unlike {pair.clean}, and like no other clean image here; look at the two"
            strange.append(Finding("unlike", files, text))
    return findings, strange


def in_doubt(facts: PairFacts, additive: bool) -> bool:
    """Whether a pair is worth a look by :func:`exchanged`."""
    return facts.rainy is not None or (additive and facts.darker > ALMOST_NONE)


def repeated(clean: CleanImages, known: Sequence[Sequence[str]]) -> tuple[list[tuple[str, ...]], list[Finding]]:
    """Groups of scenes that show the same picture, and a notice of each that the card does not know."""
    links = _same_pictures(clean)
    if not len(links):
        return [], []
    count = len(clean.names)
    graph = scipy.sparse.coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(count, count))
    labels = scipy.sparse.csgraph.connected_components(graph, directed=False)[1]
    groups: dict[int, list[int]] = {}
    for place in np.unique(links).tolist():
        groups.setdefault(labels[place], []).append(place)
    card = {without_zeros(name): number for number, group in enumerate(known) for name in group}
    found, notices = [], []
    for places in groups.values():
        scenes = list(dict.fromkeys(clean.scenes[place] for place in places))
        if len(scenes) < 2:
            continue
        found.append(tuple(scenes))
        if len({card.get(without_zeros(scene), scene) for scene in scenes}) > 1:
            files = tuple(clean.names[place] for place in places)
            text = f"{first_few(files, _NAMES)} show the same picture, which the card does not say (same_scene)"
            notices.append(Finding("repeated background", files, text))
    return found, notices


def contradicted(clean: CleanImages, known: Sequence[Sequence[str]]) -> list[Finding]:
    """Scenes that the card calls the same and whose images say otherwise; of scenes with one clean image each."""
    places: dict[str, list[int]] = {}
    for place, scene in enumerate(clean.scenes):
        places.setdefault(without_zeros(scene), []).append(place)
    findings = []
    for group in known:
        here = [places[name][0] for each in group if len(places.get(name := without_zeros(each), [])) == 1]
        for place in here[1:]:
            pair = np.array([here[0], place])
            if clean.prints.plain[pair].any() or _similarity(clean.prints, pair) >= NEAR:
                continue
            files = tuple(clean.names[each] for each in pair)
            text = f"{' and '.join(files)} are one scene by the card (same_scene), but show different ones; mend it"
            findings.append(Finding("same scene", files, text))
    return findings


def shared_scenes(train: CleanImages, test: CleanImages) -> list[Finding]:
    """The notice that a training split has scenes of the test split; of training splits that are not too many."""
    if len(train.names) > MOST_CLEAN:
        return []
    different = np.unique(train.prints.pixels, return_index=True)[1]
    matches = find_matches(_some(train.prints, different), test.prints)
    if not len(matches.first):
        return []
    names = [test.names[place] for place in np.unique(matches.second)]
    first = f"{test.names[matches.second[0]]} = {train.names[different[matches.first[0]]]}"
    text = f"{len(names)} of {len(test.names)} clean test images are in the training set too, such as {first}"
    return [Finding("shared scene", tuple(names), f"{text}; derainbench datasets overlap lists them")]


def _darkened(pair: Named, facts: PairFacts) -> Finding:
    files = (pair.rainy, pair.clean)
    share = f"{facts.darker:.1%} of its values are darker by more than {DARKER} levels, and rain here only adds light"
    if facts.similarity >= SURE:
        text = f"{pair.rainy} is no copy of {pair.clean} with rain added: {share}; restore both from one source"
        return Finding("darker", files, text)
    text = f"{pair.rainy} does not show {pair.clean}: {share}; restore the right file"
    return Finding("mis-paired", files, text)


def _shown_instead(pairs: Sequence[tuple[Named, PairFacts]], clean: CleanImages) -> dict[int, str]:
    """Which clean image a rainy one shows that is not its own, by the number of the pair; only where it is certain."""
    doubtful = [number for number, (_, facts) in enumerate(pairs) if _can_be_told(facts.rainy)]
    candidates = np.flatnonzero(~clean.prints.plain)
    if not doubtful or not len(candidates):
        return {}
    prints: list[Fingerprint] = [each for n in doubtful if (each := pairs[n][1].rainy) is not None]
    rainy = np.stack([each.coefficients for each in prints]).astype(np.float32)
    best, most = np.zeros(len(doubtful), np.int64), np.full(len(doubtful), -1, np.float32)
    for start in range(0, len(candidates), 4096):
        block = candidates[start : start + 4096]
        similarity = rainy @ clean.prints.coefficients[block].astype(np.float32).T
        at = similarity.argmax(axis=1)
        value = similarity[np.arange(len(at)), at]
        best[value > most] = block[at[value > most]]
        most = np.maximum(most, value)
    return {
        number: clean.names[place]
        for number, place, value in zip(doubtful, best.tolist(), most.tolist(), strict=True)
        if value >= max(SURE, pairs[number][1].similarity + MARGIN)
    }


def _can_be_told(fingerprint: Fingerprint | None) -> bool:
    if fingerprint is None or fingerprint.detail < LEAST_DETAIL:
        return False
    return min(fingerprint.height, fingerprint.width) >= LEAST_SIDE


def _same_pictures(clean: CleanImages) -> NDArray[np.int64]:
    """(M, 2) places of clean images that are the same picture; where there are very many, only of exact copies."""
    first: dict[bytes, int] = {}
    hashes = enumerate(clean.prints.pixels.tolist())
    pairs = [(first[pixels], place) for place, pixels in hashes if pixels and first.setdefault(pixels, place) != place]
    exact = np.array(pairs, np.int64).reshape(-1, 2)
    alone = np.setdiff1d(np.arange(len(clean.names)), exact[:, 1])
    if len(alone) > MOST_CLEAN:
        return exact
    matches = find_matches(_some(clean.prints, alone))
    sure = matches.similarity >= SAME
    return np.concatenate([exact, np.stack([alone[matches.first[sure]], alone[matches.second[sure]]], axis=1)])


def _some(prints: Fingerprints, places: NDArray[np.int64]) -> Fingerprints:
    return Fingerprints(prints.pixels[places], prints.sides[places], prints.detail[places], prints.coefficients[places])


def _is_strange(facts: PairFacts) -> bool:
    """Whether a rainy image that can be told from others hardly resembles its clean one."""
    rainy = facts.rainy
    large = rainy is not None and _can_be_told(rainy) and min(rainy.height, rainy.width) >= LARGE
    return large and facts.similarity < STRANGE


def _similarity(prints: Fingerprints, pair: NDArray[np.int64]) -> float:
    first, second = prints.coefficients[pair].astype(np.float32)
    return float(first @ second)
