"""Images by the scene they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The scene of each image, (images,): names, or numbers that stand for them.
Clusters = Sequence[str] | NDArray[Any]


def scene_numbers(clusters: Clusters, images: int) -> NDArray[np.intp]:
    """The scene of each image as a number from 0, in the order of the scenes' names. ValueError unless one an image."""
    scenes = np.asarray(clusters)
    if scenes.shape != (images,):
        raise ValueError(f"{images} images need as many scenes, got an array of shape {scenes.shape}")
    return np.unique(scenes, return_inverse=True)[1]


def scene_means(scores: Floats, clusters: Clusters) -> Floats:
    """(images, methods) to (scenes, methods): each scene's mean score, NaN or infinite where an image's is."""
    scores = np.asarray(scores, np.float64)
    numbers = scene_numbers(clusters, len(scores))
    sums = np.zeros((numbers.max(initial=-1) + 1, scores.shape[1]))
    np.add.at(sums, numbers, scores)
    return sums / np.bincount(numbers)[:, None]
