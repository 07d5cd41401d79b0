"""One network on the test images of one dataset: a restored image and a score a protocol for each."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch

from derainbench.atomic import write_atomic
from derainbench.catalogue.pairing import Pair
from derainbench.images import png_bytes, read_pair
from derainbench.method import Derainer
from derainbench.metrics import score_all
from derainbench.restore import restorer, tile_side
from derainbench.tensors import Quantisation, to_array, to_tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Called after every image with (images done, images in all).
OnImage = Callable[[int, int], None]

#: What a cell's score table has, beside what its place in the run folder says (method, seed, dataset).
CELL_COLUMNS = ("image", "scene", "height", "width", "tile", "protocol", "psnr", "ssim")


def evaluate(
    network: Derainer,
    pairs: Sequence[Pair],
    protocols: Sequence[str],
    folder: Path,
    fabric: Fabric,
    on_image: OnImage,
    quantisation: Quantisation = "round",
    tile: int | None = None,
) -> None:
    """Restore and score every pair; leaves ``images/*.png`` and ``scores.parquet`` in the folder.

    Scores are computed from the network's float output, not from the 8-bit files, in float64 where the device has it;
    a protocol of 8-bit images makes them itself, by ``quantisation``, as the PNGs are made. ``tile`` is what was asked
    for (:func:`derainbench.restore.tile_side`); the score table says what was done.
    """
    restore = restorer(fabric, network, tile)
    dtype = torch.float32 if fabric.device.type == "mps" else torch.float64
    rows = []
    for done, pair in enumerate(pairs, 1):
        rainy, clean = (to_tensor(image).unsqueeze(0).to(fabric.device) for image in read_pair(pair.rainy, pair.clean))
        height, width = rainy.shape[-2:]
        side = tile_side(height, width, network, tile)
        restored = restore(rainy)
        write_atomic(folder / "images" / f"{pair.image}.png", png_bytes(to_array(restored[0], quantisation)))
        for protocol, scores in score_all(restored.to(dtype), clean.to(dtype), protocols, quantisation).items():
            rows.append((pair.image, pair.scene, height, width, side, protocol, float(scores.psnr), float(scores.ssim)))
        on_image(done, len(pairs))
    buffer = io.BytesIO()
    pd.DataFrame(rows, columns=list(CELL_COLUMNS)).to_parquet(buffer, index=False)
    write_atomic(folder / "scores.parquet", buffer.getvalue())
