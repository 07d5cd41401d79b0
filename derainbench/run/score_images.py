"""Restored images that lie in a folder, scored as those of a network are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from derainbench.engine.kept_images import Kept
from derainbench.engine.partial_scores import PartialScores
from derainbench.engine.split_scores import OnImage, score_split
from derainbench.errors import UserError
from derainbench.images.decode import Array, read_rgb
from derainbench.metrics.image_metric import ImageMetric
from derainbench.restored.images import RestoredImages


def score_images(
    found: RestoredImages,
    protocols: tuple[str, ...],
    metrics: tuple[ImageMetric, ...],
    partial: PartialScores,
    device: torch.device,
    on_image: OnImage,
    on_resume: OnImage,
    images: Kept,
) -> None:
    """Score every file that ``partial`` does not have, as :func:`.split_scores.score_split` says.

    A file holds 8 bits, so that a protocol of float images sees 256 values where a network's own output has more.
    :class:`UserError` where a file is not the one that was paired, or its clean image not that of the manifest.
    """
    pairs = found.dataset.pairs("test")
    restored_by = _FromFiles(found)
    score_split(
        restored_by, pairs, protocols, partial, device, on_image, on_resume=on_resume, images=images, metrics=metrics
    )


@dataclass(frozen=True)
class _FromFiles:
    """Files as what restores images."""

    found: RestoredImages

    def read(self, number: int) -> tuple[Array, Array]:
        pairs = self.found.dataset.pairs("test")
        restored, clean = self.found.read(number), read_rgb(pairs[number].clean)
        pairs.check_content(number)
        if restored.shape != clean.shape:
            raise UserError(
                f"{self.found.row.folder / self.found.files[number].path} is {restored.shape[1]}x{restored.shape[0]}, "
                f"its ground truth {pairs[number].clean} {clean.shape[1]}x{clean.shape[0]}; restore the right one"
            )
        return restored, clean

    def restore(self, number: int, image: Tensor) -> tuple[Tensor, int]:
        return image, 0
