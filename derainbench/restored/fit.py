"""Whether restored images show their own pair's scene: names may be shifted by one, and then nothing else tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from derainbench.errors import UserError, printable
from derainbench.images.decode import Array, read_rgb
from derainbench.restored.images import RestoredImages

_SIDE = 16  # pixels of the small grey copies that are compared
#: By so much another pair's ground truth must correlate better before it is said: frames of one video are alike.
_MARGIN = 0.05
_THREADS = 8


def misfits(images: RestoredImages) -> list[tuple[int, int]]:
    """The places of images that fit another scene's ground truth better than their own, each with that pair's place.

    Compared are small grey copies by their correlation, so that neither brightness nor contrast matters, and a restored
    image that is nearly uniform fits none.
    """
    pairs = images.dataset.pairs("test")
    with ThreadPoolExecutor(_THREADS) as pool:
        restored = np.stack(list(pool.map(lambda place: _small(images.read(place)), range(len(pairs)))))
        clean = np.stack(list(pool.map(lambda pair: _small(read_rgb(pair.clean)), pairs)))
    alike = restored @ clean.T
    scenes = np.asarray(pairs.column("scene").to_pylist())
    own = np.diag(alike)
    others = np.where(scenes[:, None] == scenes[None, :], -np.inf, alike)
    best = others.argmax(axis=1)
    better = others[np.arange(len(best)), best] > own + _MARGIN
    return [(int(place), int(best[place])) for place in np.flatnonzero(better)]


def check_fit(images: RestoredImages) -> str:
    """What to say of images that fit another pair's ground truth better; empty where all fit their own.

    :class:`UserError` where more than half do: then the names are not those of the dataset.
    """
    found = misfits(images)
    if not found:
        return ""
    place, other = found[0]
    names = images.dataset.pairs("test").column("image").to_pylist()
    said = (
        f"{len(found)} of {len(images.files)} images in {images.row.folder} fit another pair's ground truth better "
        f"than their own: {images.files[place].path}, paired with {names[place]}, that of {names[other]}"
    )
    if 2 * len(found) > len(images.files):
        raise UserError(
            f"{said}; the names are shifted or of another set: rename the files, or give the right --pattern"
        )
    return printable(f"{images.row.label} on {images.dataset.name}: {said}.")


def _small(image: Array) -> NDArray[np.float64]:
    """A small grey copy as a vector of mean 0 and length 1; zeros where it is uniform."""
    grey = Image.fromarray(image).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    vector = np.asarray(grey, dtype=np.float64).ravel()
    vector -= vector.mean()
    length = float(np.linalg.norm(vector))
    return vector / length if length > _SIDE else np.zeros_like(vector)
