"""NIQE: how far an image's statistics lie from those of pristine photographs, without a reference.

Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer", IEEE Signal Processing Letters,
2013. Written after the definition in the authors' MATLAB code, whose parameters lie in ``data/niqe.npz`` (its notice
beside it). Implementations differ by whole points; this one is within .005 of theirs.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files

import numpy as np

from derainbench.metrics.image_metric import ImageMetric, undefined
from derainbench.metrics.natural_scenes import (
    Floats,
    Levels,
    asymmetric_fit,
    grey,
    halved,
    mean_in_scales,
    normalised,
    scale,
)

#: The side of a block in pixels.
BLOCK = 96


def niqe(image: Levels) -> float:
    """NIQE of (H, W, 3) uint8 RGB by its grey levels, as the official code takes it; lower is better.

    NaN, and a warning, where there are not two blocks of 96x96 pixels with a texture.
    """
    return _niqe(grey(image))


def niqe_y(image: Levels) -> float:
    """NIQE of the luma of BT.601, 16 to 235, in whole levels: what BasicSR prints unless it is asked for grey.

    Up to .23 from :func:`niqe`. NaN as there.
    """
    luma = image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16
    return _niqe(np.round(luma))


def _niqe(levels: Floats) -> float:
    down, across = (side // BLOCK for side in levels.shape)
    if down * across < 2:
        return undefined("NIQE", levels.shape, f"it compares blocks of {BLOCK}x{BLOCK} px, two at least")
    levels = levels[: down * BLOCK, : across * BLOCK]
    features = np.hstack([_of_blocks(levels, BLOCK), _of_blocks(halved(levels), BLOCK // 2)])
    whole = features[~np.isnan(features).any(axis=1)]
    if len(whole) < 2:
        return undefined("NIQE", levels.shape, f"it needs two blocks of {BLOCK}x{BLOCK} px that are not flat")
    mean, covariance = _pristine()
    away = mean - np.nanmean(features, axis=0)
    square = away @ np.linalg.pinv((covariance + np.cov(whole, rowvar=False)) / 2) @ away
    return math.sqrt(max(float(square), 0.0))


def _of_blocks(levels: Floats, side: int) -> Floats:
    """(blocks, 18) features of the blocks of one scale."""
    centred = normalised(levels, "nearest")
    down, across = centred.shape[0] // side, centred.shape[1] // side
    blocks = centred.reshape(down, side, across, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.array([_features(block) for block in blocks])


def _features(block: Floats) -> list[float]:
    shape, left, right = asymmetric_fit(block)
    found = [shape, (left + right) / 2 * scale(shape)]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = asymmetric_fit(block * np.roll(block, shift, axis=(0, 1)))
        left, right = left * scale(shape), right * scale(shape)
        found += [shape, (right - left) * mean_in_scales(shape), left, right]
    return found


@lru_cache(maxsize=1)
def _pristine() -> tuple[Floats, Floats]:
    """The mean, (36,), and the covariance, (36, 36), of the features of pristine photographs."""
    with files("derainbench.metrics").joinpath("data/niqe.npz").open("rb") as file, np.load(file) as data:
        return data["mean"], data["covariance"]


NIQE = ImageMetric(
    name="niqe",
    title="NIQE",
    unit="",
    digits=2,
    higher_is_better=False,
    needs_reference=False,
    measure=niqe,
    implementation="derainbench, after utlive/niqe",
    version="official parameters, grey levels",
    licence="MIT; parameters: University of Texas at Austin, permissive",
    paper="Mittal, Soundararajan and Bovik, IEEE SPL 2013",
)

NIQE_Y = replace(
    NIQE,
    name="niqe-y",
    title="NIQE (Y)",
    measure=niqe_y,
    implementation="derainbench, after BasicSR's calculate_niqe",
    version="official parameters, luma of 16 to 235",
)
