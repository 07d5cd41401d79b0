"""The set's own files read again: which clean images are others than pairs were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from derainbench.errors import UserError
from derainbench.images.decode import open_image, read_rgb
from derainbench.synth.one_rain import Making, clean_file, has_content, layer_file, stored_depth
from derainbench.synth.sources import Scene

_Pixels = TypeVar("_Pixels")


def exchanged(making: Making, scenes: Sequence[Scene]) -> list[str]:
    """Names of the scenes whose pixels, or whose depth, are others than those in ``making.folder``, or are not there.

    A copy of a file, or one saved in another format without loss, is the same. :class:`UserError` where a file that
    is needed for that cannot be read.
    """
    return [scene.name for scene in scenes if _differs(making, scene)]


def _differs(making: Making, scene: Scene) -> bool:
    clean_now, depth_now = clean_file(making, scene.name), layer_file(making, "depth", scene.name, 0)
    mist = making.model.has_depth
    if not has_content(clean_now) or (mist and not has_content(depth_now)):
        return True  # no pair of the scene is whole
    clean = read_rgb(scene.clean)
    if not np.array_equal(clean, read_again(read_rgb, clean_now)):
        return True
    if not mist:
        return False
    depth = stored_depth(making, scene, clean.shape[0], clean.shape[1])
    return not np.array_equal(depth, np.asarray(read_again(open_image, depth_now)))


def read_again(read: Callable[[Path], _Pixels], path: Path) -> _Pixels:
    """``read(path)`` of a file that datasets synth made; :class:`UserError` that says how to have it made again."""
    try:
        return read(path)
    except UserError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        raise UserError(
            f"{path}, which datasets synth made, is damaged; delete it and run the same command again"
        ) from error
