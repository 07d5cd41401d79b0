"""Restored images that an evaluation kept, scored under further protocols: without the network, and of 8-bit images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from derainbench.errors import UserError
from derainbench.images.decode import Source, read_rgb
from derainbench.images.tensors import to_tensor
from derainbench.metrics.scores import score_all
from derainbench.support.run_folder import image_file

#: Stored scores are computed in float64 wherever there is one, in float32 elsewhere.
_SAME = 1e-3


def all_kept(evaluation: Path, images: Sequence[str]) -> bool:
    """Whether the evaluation's folder has every one of these images."""
    return all(image_file(evaluation, image).is_file() for image in images)


def score_kept(
    evaluation: Path,
    pairs: Sequence[tuple[str, Source]],
    protocols: Sequence[str],
    known: Mapping[str, float],
    known_by: str | None,
    on_image: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, str, str, float]]:
    """Rows of image, protocol, metric and value for each of ``pairs``: an image's name and its clean file.

    ``known`` is each image's PSNR under ``known_by``, a protocol of 8-bit images, if there is one. :class:`UserError`
    where the files at hand do not come to it: images were changed since, or others lie in their place.
    """
    for image, clean in pairs:
        reference = read_rgb(clean)
        path = image_file(evaluation, image)
        restored = read_rgb(path)
        if restored.shape != reference.shape:
            sizes = [f"{each.shape[1]}x{each.shape[0]}" for each in (restored, reference)]
            raise UserError(f"{path} is {sizes[0]}, and {clean} {sizes[1]}; run the command that made the run again")
        x, y = (to_tensor(each).unsqueeze(0).to(torch.float64) for each in (restored, reference))
        asked = [*protocols] if known_by is None else [known_by, *protocols]
        scores = score_all(x, y, asked)
        if known_by is not None:
            now, then = float(scores[known_by]["psnr"]), known[image]
            if not (now == then or math.isclose(now, then, rel_tol=0, abs_tol=_SAME)):
                raise UserError(
                    f"{path} scores {now:.3f} dB under {known_by} with {clean}, and {then:.3f} when it was made: one "
                    "of them was changed since; run the command that made the run again"
                )
        for protocol in protocols:
            yield from ((image, protocol, metric, float(value)) for metric, value in scores[protocol].items())
        on_image()
