"""One network on the test images of one dataset: a restored image and a score a protocol for each."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.engine.partial_scores import PartialScores
from derainbench.engine.restore import restorer, tile_side
from derainbench.images.decode import png_bytes, read_pair
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import to_array, to_tensor
from derainbench.metrics.kinds import METRICS
from derainbench.metrics.scores import score_all
from derainbench.plugins.method import Derainer
from derainbench.support.atomic import write_atomic
from derainbench.support.run_folder import image_file

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Called after every image with (images done, images in all).
OnImage = Callable[[int, int], None]

#: What a cell's score table has, beside what its place in the run folder says (method, seed, dataset), and before the
#: metrics that one of its protocols measures.
CELL_COLUMNS = ("image", "scene", "height", "width", "tile", "protocol")


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
) -> None:
    """Restore and score every pair that ``partial`` does not have; leaves ``images/*.png`` and ``scores.parquet``.

    Scores are computed from the network's float output, not from the 8-bit files, in float64 where the device has it;
    a protocol of 8-bit images makes them itself, by ``quantisation``, as the PNGs are made. ``tile`` is what was asked
    for (:func:`.restore.tile_side`); the score table says what was done. A network that draws random numbers
    draws the same for an image whatever came before it: by ``seed`` and the image's place. :class:`UserError` where a
    file is not the one that a manifest's pairs were made of.
    """
    restore = restorer(fabric, network, tile)
    dtype = torch.float32 if fabric.device.type == "mps" else torch.float64
    metrics = [name for name, each in METRICS.items() if any(map(each.measured_under, protocols))]
    columns = [*CELL_COLUMNS, *metrics]
    known = partial.read()
    known = {image: rows for image, rows in known.items() if all(len(row) == len(columns) - 1 for row in rows)}
    known = {image: rows for image, rows in known.items() if image_file(partial.folder, image).is_file()}
    done = len(known)
    if done:
        on_resume(done, len(pairs))
    table: list[Sequence[Any]] = []
    for number, pair in enumerate(pairs):
        rows = known.get(pair.image)
        if rows is None:
            torch.manual_seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
            rainy, clean = (to_tensor(image).unsqueeze(0) for image in read_pair(pair.rainy, pair.clean))
            if isinstance(pairs, Pairs):
                pairs.check_content(number)
            rainy, clean = rainy.to(fabric.device), clean.to(fabric.device)
            height, width = rainy.shape[-2:]
            side = tile_side(height, width, network, tile)
            restored = restore(rainy)
            write_atomic(image_file(partial.folder, pair.image), png_bytes(to_array(restored[0], quantisation)))
            scores = score_all(restored.to(dtype), clean.to(dtype), protocols, quantisation)
            rows = [
                (pair.scene, height, width, side, protocol, *(float(score.get(name, math.nan)) for name in metrics))
                for protocol, score in scores.items()
            ]
            partial.add(pair.image, rows)
            done += 1
            on_image(done, len(pairs))
        table += [(pair.image, *row) for row in rows]
    buffer = io.BytesIO()
    pd.DataFrame(table, columns=columns).to_parquet(buffer, index=False)
    write_atomic(partial.folder / "scores.parquet", buffer.getvalue())
    partial.remove()
