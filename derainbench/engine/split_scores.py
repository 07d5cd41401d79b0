"""Every test image of a dataset scored, whatever restores it: read ahead, written behind, gone on with after a kill."""

from __future__ import annotations

import contextlib
import io
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor

from derainbench.catalogue.pairing import Pair
from derainbench.engine.kept_images import Kept, kept_images
from derainbench.engine.partial_scores import PartialScores, ScoreRow
from derainbench.errors import StorageError
from derainbench.images.decode import Array, png_bytes
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import to_array, to_tensor
from derainbench.metrics.image_metric import ImageMetric, value_of
from derainbench.metrics.kinds import of_protocols
from derainbench.metrics.scores import score_all
from derainbench.support.atomic import write_atomic
from derainbench.support.run_folder import image_file

#: Called after every image with (images done, images in all).
OnImage = Callable[[int, int], None]

#: How many images are decoded before a network is ready for them, and how many may wait to be written.
AHEAD = 2

#: What a cell's score table has, beside what its place in the run folder says (method, seed, dataset), and before the
#: metrics that one of its protocols measures.
CELL_COLUMNS = ("image", "scene", "height", "width", "tile", "protocol")


class Restored(Protocol):
    """Where the restored images of a test split come from."""

    def read(self, number: int) -> tuple[Array, Array]:
        """What is restored of the pair in that place, and its clean image: (H, W, 3) uint8 both. In another thread."""

    def restore(self, number: int, image: Tensor) -> tuple[Tensor, int]:
        """Of (1, 3, H, W) in [0, 1], on the device, the restored image, and the side of its tiles, 0 for none."""


def score_split(
    restored_by: Restored,
    pairs: Sequence[Pair],
    protocols: Sequence[str],
    partial: PartialScores,
    device: torch.device,
    on_image: OnImage,
    quantisation: Quantisation = "round",
    on_resume: OnImage = lambda done, total: None,
    images: Kept = "all",
    metrics: Sequence[ImageMetric] = (),
) -> None:
    """Score every pair that ``partial`` does not have; leaves ``scores.parquet``, and those of the restored
    ``images/*.png`` that are to be kept.

    Scores are computed in float64 where the device has it. A protocol of 8-bit images makes them itself, by
    ``quantisation``, as the PNGs are made; ``metrics`` measure what the PNGs hold, whatever the protocol, so that the
    table has the same number in each row of an image.
    """
    dtype = torch.float32 if device.type == "mps" else torch.float64
    measured = [name for name, each in of_protocols().items() if any(map(each.measured_under, protocols))]
    columns = [*CELL_COLUMNS, *measured, *(each.name for each in metrics)]
    # Not on MPS, which has no float64.
    beside = str(device) if device.type == "cuda" else "cpu"
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
            for number, (given_levels, clean_levels) in zip(
                to_do, _read_ahead(reader, restored_by, to_do), strict=True
            ):
                image = pairs[number].image
                given, clean = (to_tensor(each).unsqueeze(0).to(device) for each in (given_levels, clean_levels))
                restored, side = restored_by.restore(number, given)
                place = (pairs[number].scene, *given.shape[-2:], side)
                restored = restored.to(dtype)  # what is kept is what is scored, to the last tie
                levels = to_array(restored[0], quantisation) if number in kept or metrics else None
                written = None
                if number in kept and levels is not None:
                    written = writer.submit(_write_png, image_file(partial.folder, image), levels)
                scores = score_all(restored, clean.to(dtype), protocols, quantisation)
                values = [value_of(each, levels, clean_levels, beside) for each in metrics if levels is not None]
                rows: list[ScoreRow] = [
                    (*place, protocol, *(float(score.get(name, math.nan)) for name in measured), *values)
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


def _read_ahead(reader: Executor, restored_by: Restored, numbers: Sequence[int]) -> Iterator[tuple[Array, Array]]:
    """Both images of each number; the next ones are decoded while a network has the last."""
    waiting, futures = iter(numbers), deque[Future[tuple[Array, Array]]]()
    for number in islice(waiting, AHEAD):
        futures.append(reader.submit(restored_by.read, number))
    while futures:
        images = futures.popleft().result()
        futures.extend(reader.submit(restored_by.read, number) for number in islice(waiting, 1))
        yield images


def _write_png(path: Path, image: Array) -> None:
    write_atomic(path, png_bytes(image))
