"""One network on the test images of one dataset: a restored image and a score a protocol for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.engine.kept_images import Kept
from derainbench.engine.partial_scores import PartialScores
from derainbench.engine.restore import restorer, tile_side
from derainbench.engine.split_scores import OnImage, score_split
from derainbench.images.decode import Array, read_pair
from derainbench.images.quantisation import Quantisation
from derainbench.metrics.image_metric import ImageMetric
from derainbench.plugins.method import Derainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def evaluate(
    network: Derainer,
    pairs: Sequence[Pair],
    protocols: Sequence[str],
    partial: PartialScores,
    fabric: Fabric,
    on_image: OnImage,
    quantisation: Quantisation = "round",
    tile: int | None = None,
    seed: int = 0,
    on_resume: OnImage = lambda done, total: None,
    images: Kept = "all",
    metrics: Sequence[ImageMetric] = (),
) -> None:
    """Restore and score every pair that ``partial`` does not have, as :func:`.split_scores.score_split` says.

    Scores are computed from the network's float output, not from the 8-bit files. ``tile`` is what was asked
    for (:func:`.restore.tile_side`); the score table says what was done. A network that draws random numbers
    draws the same for an image whatever came before it: by ``seed`` and the image's place. :class:`UserError` where a
    file is not the one that a manifest's pairs were made of.
    """
    restored_by = _ByNetwork(network, pairs, restorer(fabric, network, tile), tile, seed)
    device = fabric.device
    score_split(restored_by, pairs, protocols, partial, device, on_image, quantisation, on_resume, images, metrics)


@dataclass(frozen=True)
class _ByNetwork:
    """A network as what restores images."""

    network: Derainer
    pairs: Sequence[Pair]
    restored: Callable[[Tensor], Tensor]
    tile: int | None
    seed: int

    def read(self, number: int) -> tuple[Array, Array]:
        images = read_pair(self.pairs[number].rainy, self.pairs[number].clean)
        if isinstance(self.pairs, Pairs):
            self.pairs.check_content(number)
        return images

    def restore(self, number: int, image: Tensor) -> tuple[Tensor, int]:
        torch.manual_seed(int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]))
        side = tile_side(image.shape[-2], image.shape[-1], self.network, self.tile)
        return self.restored(image), side
