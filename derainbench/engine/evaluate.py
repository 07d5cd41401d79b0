"""One network on the test images of one dataset: a restored image and a score a protocol for each."""

from __future__ import annotations

import contextlib
import io
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from derainbench.catalogue.pair_table import Pairs
from derainbench.catalogue.pairing import Pair
from derainbench.engine.kept_images import Kept, kept_images
from derainbench.engine.partial_scores import PartialScores, ScoreRow
from derainbench.engine.restore import restorer, tile_side
from derainbench.errors import StorageError
from derainbench.images.decode import Array, png_bytes, read_pair
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

#: How many images are decoded before a network is ready for them, and how many may wait to be written.
AHEAD = 2

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
    images: Kept = "all",
) -> None:
    """Restore and score every pair that ``partial`` does not have; leaves ``scores.parquet``, and those of the restored
    ``images/*.png`` that are to be kept.

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
    kept = kept_images(images, len(pairs))
    to_keep = {pairs[number].image for number in kept}
    known = {i: rows for i, rows in known.items() if i not in to_keep or image_file(partial.folder, i).is_file()}
    if known:
        on_resume(len(known), len(pairs))
    to_do = [number for number, pair in enumerate(pairs) if pair.image not in known]
    being_written = deque[tuple[Future[None] | None, str, list[ScoreRow]]]()

    def settle(most: int) -> None:
        """Wait until no more than so many images are being written; what is scored of an image counts from then on."""
        while len(being_written) > most:
            future, image, rows = being_written.popleft()
            if future is not None:
                future.result()
            partial.add(image, rows)
            known[image] = rows
            on_image(len(known), len(pairs))

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        try:
            for number, (rainy_levels, clean_levels) in zip(to_do, _read_ahead(reader, pairs, to_do), strict=True):
                image, scene = pairs[number].image, pairs[number].scene
                torch.manual_seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
                rainy, clean = (to_tensor(each).unsqueeze(0).to(fabric.device) for each in (rainy_levels, clean_levels))
                height, width = rainy.shape[-2:]
                side = tile_side(height, width, network, tile)
                restored = restore(rainy)
                written = None
                if number in kept:
                    levels = to_array(restored[0], quantisation)
                    written = writer.submit(_write_png, image_file(partial.folder, image), levels)
                scores = score_all(restored.to(dtype), clean.to(dtype), protocols, quantisation)
                rows: list[ScoreRow] = [
                    (scene, height, width, side, protocol, *(float(score.get(name, math.nan)) for name in metrics))
                    for protocol, score in scores.items()
                ]
                being_written.append((written, image, rows))
                settle(AHEAD)
            settle(0)
        except BaseException:
            reader.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(StorageError):  # what is being written is whole in a moment, and kept
                settle(0)
            raise
    table = [(pair.image, *row) for pair in pairs for row in known[pair.image]]
    buffer = io.BytesIO()
    pd.DataFrame(table, columns=columns).to_parquet(buffer, index=False)
    write_atomic(partial.folder / "scores.parquet", buffer.getvalue())
    partial.remove()


def _read_ahead(reader: Executor, pairs: Sequence[Pair], numbers: Sequence[int]) -> Iterator[tuple[Array, Array]]:
    """Each pair's rainy and clean image; the next ones are decoded while a network has the last."""
    waiting, futures = iter(numbers), deque[Future[tuple[Array, Array]]]()
    for number in islice(waiting, AHEAD):
        futures.append(reader.submit(_read, pairs, number))
    while futures:
        images = futures.popleft().result()
        futures.extend(reader.submit(_read, pairs, number) for number in islice(waiting, 1))
        yield images


def _read(pairs: Sequence[Pair], number: int) -> tuple[Array, Array]:
    images = read_pair(pairs[number].rainy, pairs[number].clean)
    if isinstance(pairs, Pairs):
        pairs.check_content(number)
    return images


def _write_png(path: Path, image: Array) -> None:
    write_atomic(path, png_bytes(image))
