"""A metric in one file outside the project: what docs/metrics.md shows."""

import numpy as np
from numpy.typing import NDArray

from derainbench import ImageMetric


def mean_error(restored: NDArray[np.uint8], clean: NDArray[np.uint8]) -> float:
    """The mean absolute error of two (H, W, 3) uint8 RGB images, in grey levels."""
    return float(np.abs(restored.astype(float) - clean).mean())


MEAN_ERROR = ImageMetric(
    name="mean-error",
    title="Mean error",
    unit="levels",
    digits=2,
    higher_is_better=False,
    measure=mean_error,
    implementation="me",
    version="1",
    licence="MIT",
)
