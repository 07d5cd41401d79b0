"""Fingerprints by which a scene is known again although a copy is cropped by a pixel or two, compressed or rained on.

Bars and frames of one colour around a picture are cut off (:mod:`.frame`): unrelated pictures with the same ones would
pass for one scene. The luma of what is left, whatever its size, is averaged to 96x96 and then to 32x32 cells, each the
mean of the three darkest of its nine parts, because rain is bright and thin. Of the cells a blurred copy is taken away
(light, haze and large gradients go), what is left is divided by its local contrast (so that mist changes little), the
outermost cells, where scans have black borders, are left out, and the 400 cosine coefficients of the lowest
frequencies, without the mean, are scaled to length 1. The similarity of two images is the product of those: their
normalised cross-correlation.

Pairs of at least :data:`NEAR` are the same scene. On photographs of 481x321 pixels (BSDS500), 211 of them unrelated:

* unrelated pairs, and pairs of their rainy, compressed, cropped copies, reach 0.27 at most (0.35 among crops of
  256x256, 0.53 of 128x192; crops of 64x64 are too small: one unrelated pair in 300,000 is taken for a scene);
* a scene and its copy, cropped by one pixel on each side, rained on (rain100l) and saved as JPEG of quality 75, have
  0.80 at least, whatever the rain's seed; 0.86 for Rain100L's own rain.

Measure it with ``python -m benchmarks.overlap DATA``; tests/overlap/test_fingerprint.py holds it. docs/overlap.md has
a table, and what is not found: turned, mirrored and enlarged copies, larger crops.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import scipy  # loads its submodules when they are first used
from numpy.typing import NDArray
from PIL import Image

from derainbench.images.decode import Array
from derainbench.overlap.frame import Box, inside_frame

#: Least similarity of two images of one scene.
NEAR = 0.55

#: Least detail of an image that can be told from others, see :attr:`Fingerprint.detail`.
LEAST_DETAIL = 0.15

#: Goes up when the fingerprint of an image changes.
REVISION = 2

COEFFICIENTS = 400

_CELLS = 32  # a side
_PARTS = 3  # of a cell, a side
_DARKEST = 3  # of a cell's nine parts
_BACKGROUND = 2.0  # standard deviation of the blur that is taken away, in cells
_NEIGHBOURHOOD = 4.0  # standard deviation of the window of local contrast, in cells
_NOISE = 3.0  # grey levels: contrast much below it is noise of sensor and compression
_FLAT = 2  # grey levels: pixels that span no more say nothing, even where they are equal
_SIDES_RATIO = 0.04  # natural logarithm; 481x321 against 480x320 is 0.001, 3:2 against 4:3 is 0.12
_HEAD = 200  # coefficients that most pairs are ruled out by
_BLOCK = 2048  # images a side of a block of the matrix of all pairs
_PAIRS = 16384  # candidates that are compared at once


class Fingerprint(NamedTuple):
    """What is kept of an image."""

    pixels: str
    """32 hexadecimal digits of the hash of size and pixels; empty for an image of one colour, which says nothing."""
    height: int
    width: int
    """Sides of the picture inside its frame."""
    detail: float
    """Share of the image that has texture, about 0 to 1. Below :data:`LEAST_DETAIL` (sky, a wall) there is too little
    to tell it from others: only its exact copies are found."""
    coefficients: NDArray[np.float16]
    """(400,), of length 1; zeros where there is no detail at all."""


@dataclass(frozen=True)
class Fingerprints:
    """Those of N images, as columns."""

    pixels: NDArray[np.bytes_]
    """(N,)"""
    sides: NDArray[np.int32]
    """(N, 2): height and width, inside the frame."""
    detail: NDArray[np.float32]
    """(N,)"""
    coefficients: NDArray[np.float16]
    """(N, 400)"""

    @classmethod
    def of(cls, prints: Sequence[Fingerprint]) -> Fingerprints:
        """The same as columns."""
        return cls(
            np.array([p.pixels for p in prints], dtype="S32"),
            np.array([(p.height, p.width) for p in prints], dtype=np.int32).reshape(-1, 2),
            np.array([p.detail for p in prints], dtype=np.float32),
            np.array([p.coefficients for p in prints], dtype=np.float16).reshape(-1, COEFFICIENTS),
        )

    def __len__(self) -> int:
        return len(self.detail)

    @property
    def plain(self) -> NDArray[np.bool_]:
        """(N,): which have too little detail to be told from others."""
        return self.detail < LEAST_DETAIL


class Matches(NamedTuple):
    """Pairs of images that show one scene, sorted: all columns are (M,)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float32]
    """:data:`NEAR` to 1."""
    exact: NDArray[np.bool_]
    """Whether both have the same pixels."""


def fingerprint(image: Array, inside: Box | None = None) -> Fingerprint:
    """The fingerprint of an image, (H, W, 3) uint8 of any size.

    ``inside`` is what lies inside its frame, where another image tells it better: rain may have fallen on the bars.
    """
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(image)
    flat = max(int(np.ptp(image[..., channel])) for channel in range(3)) <= _FLAT  # over axes it is slow
    digest = hashlib.blake2b(f"{height} {width} ".encode() + pixels.data, digest_size=16).hexdigest()
    picture = np.ascontiguousarray((inside or inside_frame(pixels)).of(pixels))
    texture = _texture(picture)
    coefficients = scipy.fft.dctn(texture, norm="ortho").ravel()[_ORDER]
    length = float(np.linalg.norm(coefficients))
    scaled = coefficients / length if length > 0 else coefficients
    height, width = picture.shape[:2]
    return Fingerprint("" if flat else digest, height, width, float((texture**2).mean()), scaled.astype(np.float16))


def find_matches(first: Fingerprints, second: Fingerprints | None = None) -> Matches:
    """The pairs of one image of ``first`` and one of ``second`` that show the same scene; alone, those within it.

    As :func:`iter_matches`, all together and sorted: memory grows with the pairs, hence with the square of repeats.
    """
    return join_matches(list(iter_matches(first, second)))


def join_matches(parts: Sequence[Matches]) -> Matches:
    """Several as one, sorted by the places of the images."""
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Matches(nothing, nothing, np.zeros(0, np.float32), np.zeros(0, np.bool_))
    rows, columns, similarity, exact = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((columns, rows))
    return Matches(rows[order], columns[order], similarity[order], exact[order])


def iter_matches(first: Fingerprints, second: Fingerprints | None = None) -> Iterator[Matches]:
    """The same pairs a part at a time, so that memory does not grow with the numbers of images or of pairs.

    Plain images (:attr:`Fingerprints.plain`) match exact copies only. Nothing is missed for the sake of speed: the
    lowest frequencies alone, and the length of what they leave out, bound the similarity of most pairs below the
    threshold.
    """
    inside = second is None
    other = first if second is None else second
    near = (part for block in _blocks(first, other, inside) for part in _near(first, other, *block, inside))
    for rows, columns, similarity in chain(near, _equal_plain(first, other, inside)):
        if len(rows):
            same = (first.pixels[rows] == other.pixels[columns]) & (first.pixels[rows] != b"")
            yield Matches(rows, columns, np.where(same, np.float32(1), similarity), same)


def _texture(image: Array) -> NDArray[np.float64]:
    """(30, 30): the cells without what is smooth around them, by local contrast."""
    side = _CELLS * _PARTS
    luma = Image.fromarray(image).convert("L").convert("F").resize((side, side), Image.Resampling.BOX)
    parts = np.asarray(luma, dtype=np.float64).reshape(_CELLS, _PARTS, _CELLS, _PARTS).transpose(0, 2, 1, 3)
    cells = np.sort(parts.reshape(_CELLS, _CELLS, -1), axis=-1)[..., :_DARKEST].mean(axis=-1)
    detail = cells - scipy.ndimage.gaussian_filter(cells, _BACKGROUND, mode="nearest")
    contrast = np.sqrt(scipy.ndimage.gaussian_filter(detail**2, _NEIGHBOURHOOD, mode="nearest"))
    texture: NDArray[np.float64] = (detail / (contrast + _NOISE))[1:-1, 1:-1]
    return texture


def _lowest_frequencies() -> NDArray[np.int64]:
    side = np.arange(_CELLS - 2)
    distance = np.hypot(side[:, np.newaxis], side[np.newaxis, :]).ravel()
    return np.argsort(distance, kind="stable")[1 : COEFFICIENTS + 1]


_ORDER = _lowest_frequencies()


_Indices = NDArray[np.int64]
_Part = tuple[_Indices, _Indices, NDArray[np.float32]]


def _blocks(first: Fingerprints, other: Fingerprints, inside: bool) -> Iterator[tuple[_Indices, _Indices]]:
    """Rows and columns of one block after another of the matrix of all pairs that can be told apart."""
    rows, columns = np.flatnonzero(~first.plain), np.flatnonzero(~other.plain)
    for top in range(0, len(rows), _BLOCK):
        for left in range(top if inside else 0, len(columns), _BLOCK):
            yield rows[top : top + _BLOCK], columns[left : left + _BLOCK]


def _near(first: Fingerprints, other: Fingerprints, rows: _Indices, columns: _Indices, inside: bool) -> Iterator[_Part]:
    """The similar pairs of a block."""
    a, b = _unit(first.coefficients[rows]), _unit(other.coefficients[columns])
    # By Cauchy and Schwarz the rest of two images has at most the product of its lengths in common.
    limits = _head_and_rest(a) @ _head_and_rest(b).T
    down, across = np.nonzero(limits >= NEAR - 1e-4)
    shapes = [np.log(each.sides[at, 0] / each.sides[at, 1]) for each, at in ((first, rows), (other, columns))]
    wanted = np.abs(shapes[0][down] - shapes[1][across]) <= _SIDES_RATIO
    if inside:
        wanted &= rows[down] < columns[across]
    down, across = down[wanted], across[wanted]
    for start in range(0, len(down), _PAIRS):
        i, j = down[start : start + _PAIRS], across[start : start + _PAIRS]
        similarity = np.einsum("nk,nk->n", a[i], b[j])
        near = similarity >= NEAR
        yield rows[i[near]], columns[j[near]], np.minimum(similarity[near], 1, dtype=np.float32)


def _unit(coefficients: NDArray[np.float16]) -> NDArray[np.float32]:
    exact = coefficients.astype(np.float32)
    unit: NDArray[np.float32] = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    return unit


def _head_and_rest(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 201): the first coefficients, and the length of the others."""
    return np.concatenate([unit[:, :_HEAD], np.linalg.norm(unit[:, _HEAD:], axis=1, keepdims=True)], axis=1)


def _equal_plain(first: Fingerprints, other: Fingerprints, inside: bool) -> Iterator[_Part]:
    """Pairs of plain images with the same pixels: all that can be said of those."""
    places: dict[bytes, list[int]] = {}
    for place in np.flatnonzero(other.plain & (other.pixels != b"")):
        places.setdefault(other.pixels[place], []).append(int(place))
    several = {pixels: np.array(twins, np.int64) for pixels, twins in places.items()}
    for place in np.flatnonzero(first.plain & (first.pixels != b"")):
        twins = several.get(first.pixels[place], np.zeros(0, np.int64))
        twins = twins[twins > place] if inside else twins
        yield np.full(len(twins), place, np.int64), twins, np.ones(len(twins), np.float32)
