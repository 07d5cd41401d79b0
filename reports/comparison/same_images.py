"""Restored images from files that are the input, the ground truth or another row's, told by their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from derainbench.metrics.kinds import LEADING
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.results.results import Results

if TYPE_CHECKING:
    from .cells import Row


def same_images(results: Results, rows: Sequence[Row]) -> list[str]:
    """A sentence for each row of files that has another's scores on every image, or whose images score infinity.

    Compared are protocols of 8-bit images, where there are any: a network's own output is in float, and only as a file
    the same as a file. Two images that differ and score alike to the last bit, a hundred times, are not to be feared.
    """
    labels = {row.entry.method.name: row.entry.label for row in rows}
    files = {row.entry.method.name for row in rows if row.entry.method.from_files}
    if not files:
        return []
    known = [name for name in results.info.protocols if name in PROTOCOLS]
    compared = [name for name in known if PROTOCOLS[name].eight_bit] or known
    scores = results.scores[results.scores["protocol"].isin(compared) & results.scores["method"].isin(labels)]
    said = []
    for dataset in results.datasets:
        here = scores[scores["dataset"] == dataset.name].sort_values(["protocol", "metric", "image"])
        found: dict[bytes, str] = {}
        for (method, _, _), group in here.groupby(["method", "trained_on", "seed"], sort=False):
            where, name = f"{labels[str(method)]} on {dataset.title}", str(method)
            if name in files and np.isposinf(group.loc[group["metric"] == LEADING, "value"]).all():
                said.append(f"{where}: its images are the ground truth itself.")
            before = found.setdefault(_content(group["value"].to_numpy(), group["image"].tolist()), name)
            if before != name and files & {before, name}:
                said.append(f"{where}: the same images as those of {labels[before]}, by the score of every one.")
    return said


def _content(values: NDArray[np.float64], images: list[str]) -> bytes:
    """What two rows have in common where they have the same scores of the same images."""
    return values.tobytes() + "\0".join(images).encode()
