"""The colour photographs inside the scikit-image package, and the depth of the one that has a measured depth."""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from derainbench.errors import UserError, did_you_mean

# Files of the wheel itself; much of `skimage.data` would be downloaded and is left alone. Also inside, but no scenes
# that rain falls on: a retina, stained tissue, the deep sky, a colour wheel. `motorcycle_right` shows the scene of
# `motorcycle`.
PHOTOGRAPHS = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "motorcycle": "motorcycle_left.png",
    "rocket": "rocket.jpg",
}

# The motorcycle is from Middlebury 2014 (Scharstein et al.); calibration as in the docstring of
# skimage.data.stereo_motorcycle.
_DISPARITY = {"motorcycle": "motorcycle_disp.npz"}
_FOCAL_LENGTH = 994.978  # px
_BASELINE = 0.193001  # m
_OFFSET_OF_CENTRES = 31.086  # px, between the principal points of the two cameras


def photograph(name: str) -> NDArray[np.uint8]:
    """The photograph `name` of `PHOTOGRAPHS`, (H, W, 3) RGB. Raises UserError on an unknown name or a missing file."""
    if name not in PHOTOGRAPHS:
        raise UserError(f"photograph {name!r} is not inside scikit-image; {did_you_mean(name, list(PHOTOGRAPHS))}")
    file = _data_file(PHOTOGRAPHS[name])
    with file.open("rb") as stream, Pillow.open(stream) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def measured_depth(name: str) -> NDArray[np.float32] | None:
    """Depth of the photograph `name` in metres, (H, W), without holes; None where nobody measured it."""
    if name not in _DISPARITY:
        return None
    with _data_file(_DISPARITY[name]).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        disparity = fill_holes(np.asarray(archive["arr_0"], dtype=np.float64))
    return (_FOCAL_LENGTH * _BASELINE / (disparity + _OFFSET_OF_CENTRES)).astype(np.float32)


def fill_holes(disparity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill what is not finite in an (H, W) disparity map with the smaller of the nearest values left and right.

    Holes are mostly what one camera sees and the other does not: background beside a near object, so the farther side
    is right. Raises ValueError where a row has no value at all.
    """
    known = np.isfinite(disparity)
    if not known.any(axis=1).all():
        raise ValueError("a row of the disparity map has no finite value")
    columns = np.arange(disparity.shape[1])
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, columns, disparity.shape[1])[:, ::-1], axis=1)[:, ::-1]
    padded = np.pad(np.where(known, disparity, np.inf), ((0, 0), (1, 1)), constant_values=np.inf)
    from_left = np.take_along_axis(padded, left + 1, axis=1)
    from_right = np.take_along_axis(padded, right + 1, axis=1)
    return np.where(known, disparity, np.minimum(from_left, from_right))


def _data_file(name: str) -> resources.abc.Traversable:
    file = resources.files("skimage") / "data" / name
    if not file.is_file():
        raise UserError(
            f"scikit-image on this machine has no data/{name}; reinstall it: pip install --force-reinstall scikit-image"
        )
    return file
