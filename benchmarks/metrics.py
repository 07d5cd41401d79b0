"""Measuring one pair of images: the default metric protocols against scikit-image, and more of them against these.

The pair has the size of a Rain100L image. Both sides start from float arrays in [0, 1] and do all that a protocol asks:
rounding, colour, PSNR, SSIM. What several protocols have in common is done once, so ten take less than ten times one.
"""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import skimage.metrics
import torch

from benchmarks.timing import interleaved, machine, parse, parser, refuse_unequal, table
from derainbench.metrics.field_protocols import FIELD
from derainbench.metrics.protocols import DEFAULT_PROTOCOLS
from derainbench.metrics.scores import score_all

HEIGHT, WIDTH = 321, 481
#: The default ones, and those of which one reads most: ten that are not alike.
TEN = (
    *DEFAULT_PROTOCOLS,
    *("y-u8", "y-float", "y-replicate", "rgb-3d", "y-crop4", "y-full", "rgb-float-u7-range2"),
)
METRICS: Any = skimage.metrics  # has no type annotations
WANG: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def measure(x: np.ndarray, y: np.ndarray, data_range: int, **ssim: Any) -> tuple[float, float]:
    psnr = METRICS.peak_signal_noise_ratio(y, x, data_range=data_range)
    return psnr, METRICS.structural_similarity(y, x, data_range=data_range, **ssim)


def reference_y(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    x, y = (np.rint(image * 255) @ (65.481, 128.553, 24.966) / 255 + 16 for image in (x, y))
    return measure(x, y, 255, **WANG)


def reference_rgb(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return measure(np.rint(x * 255), np.rint(y * 255), 255, channel_axis=2, **WANG)


def reference_u7(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return measure(x, y, 1, channel_axis=2)


REFERENCES = {"y": reference_y, "rgb": reference_rgb, "rgb-float-u7": reference_u7}


def reference(names: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return [REFERENCES[n](x, y) for n in names]


def ours(names: tuple[str, ...], x: torch.Tensor, y: torch.Tensor) -> list[tuple[float, float]]:
    return [(float(s["psnr"]), float(s["ssim"])) for s in score_all(x, y, names).values()]


def main() -> None:
    options = parse(parser(__doc__, repeats=9))
    height, width = (48, 64) if options.quick else (HEIGHT, WIDTH)
    random = np.random.default_rng(0)
    clean = random.random((height, width, 3))
    restored = np.clip(clean + random.normal(0, 0.05, clean.shape), 0, 1)
    tensors = {
        dtype: tuple(torch.from_numpy(a).permute(2, 0, 1)[None].to(dtype).contiguous() for a in (restored, clean))
        for dtype in (torch.float64, torch.float32)
    }

    rows = []
    for label, names in [*((n, (n,)) for n in DEFAULT_PROTOCOLS), ("the three together", DEFAULT_PROTOCOLS)]:
        calls = {
            "scikit-image": partial(reference, names, restored, clean),
            **{str(dtype).removeprefix("torch."): partial(ours, names, *pair) for dtype, pair in tensors.items()},
        }
        found, expected = (torch.tensor(calls[side](), dtype=torch.float64) for side in ("float64", "scikit-image"))
        refuse_unequal(label, found, expected, 1e-11)
        ms = interleaved(calls, options.repeats)
        theirs, double, single = ms.values()
        rows.append((label, theirs, double, single, theirs / double, theirs / single))

    print(f"One {height}x{width} pair; medians of {options.repeats} interleaved rounds; ratio = scikit-image / ours.")
    print(f"{machine()}, scikit-image {version('scikit-image')}, which uses one thread.\n")
    headers = ("protocol", "scikit-image ms", "float64 ms", "float32 ms", "float64 ratio", "float32 ratio")
    print(table(rows, headers, (None, 1, 1, 1, 2, 2)))
    print("\nOurs alone: more protocols of the same pair, against the three.\n")
    print(table(more_protocols(tensors, options.repeats), ("protocols", *MORE_HEADERS), (None, 1, 1, 2, 2)))


MORE_HEADERS = ("float64 ms", "float32 ms", "float64, of the three", "float32, of the three")


def more_protocols(
    tensors: dict[torch.dtype, tuple[torch.Tensor, ...]], repeats: int
) -> list[tuple[str, float, float, float, float]]:
    """A row a set of protocols: what it takes in both precisions, and how many times what the default ones take."""
    sets = {
        "the three together": DEFAULT_PROTOCOLS,
        "ten": TEN,
        f"all {len(FIELD)}": tuple(each.name for each in FIELD),
    }
    calls = {
        (label, dtype): partial(ours, names, *pair) for label, names in sets.items() for dtype, pair in tensors.items()
    }
    for call in calls.values():
        call()
    ms = interleaved({f"{label} {dtype}": call for (label, dtype), call in calls.items()}, repeats)
    found = []
    for label in sets:
        double, single = (ms[f"{label} {dtype}"] for dtype in (torch.float64, torch.float32))
        three = [ms[f"the three together {dtype}"] for dtype in (torch.float64, torch.float32)]
        found.append((label, double, single, double / three[0], single / three[1]))
    return found


if __name__ == "__main__":
    main()
