"""The field's protocols against its own code, and against one reference written from the same definitions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from derainbench.metrics.field_protocols import FIELD
from derainbench.metrics.protocol import Protocol
from derainbench.metrics.protocols import PROTOCOLS
from derainbench.metrics.scores import score_all

pytestmark = pytest.mark.filterwarnings("ignore:(SSIM|PSNR) is undefined")

#: What authors feed the same code with instead, as people would write it in a TOML file.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "rgb-3d-tensor": ("rgb-3d", {"levels": "none"}),
    "y-full-uint8-cast": ("y-full", {"levels": "wrap", "clamped": False}),
    "y-yiq-tensor": ("y-yiq", {"levels": "none", "clamped": False}),
    "pyiqa-rgb-tensor": ("pyiqa-rgb", {"levels": "none", "clamped": False, "ssim": {"clipped": True, "rounded": True}}),
}


def variants() -> list[Protocol]:
    made = []
    for name, (base, changes) in VARIANTS.items():
        made.append(Protocol.model_validate(PROTOCOLS[base].model_dump() | {"name": name} | changes))
    return made


def images(shared: Path) -> dict[str, dict[str, tuple[Tensor, Tensor]]]:
    """By kind and name: the 8-bit pairs, and float outputs made of them that leave [0, 1]."""
    arrays = np.load(shared / "golden/metrics_pairs.npz")
    found: dict[str, dict[str, tuple[Tensor, Tensor]]] = {"u8": {}, "float": {}}
    for name in sorted({key.split("__")[0] for key in arrays.files}):
        restored, clean = (arrays[f"{name}__{side}"].astype(np.float64) for side in ("restored", "clean"))
        i, j, c = np.ogrid[: restored.shape[0], : restored.shape[1], :3]
        moved = (restored + 1.3 * (((37 * i + 59 * j + 83 * c) % 101) / 50 - 0.997)) / 255
        for kind, image in (("u8", restored / 255), ("float", moved.astype(np.float32).astype(np.float64))):
            pair = (torch.from_numpy(each).permute(2, 0, 1)[None] for each in (image, clean / 255))
            found[kind][name] = (next(pair), next(pair))
    return found


def differences(shared: Path, side: str, tolerances: Any) -> list[tuple[Any, ...]]:
    """What differs by more than ``tolerances(protocol, metric, pair)`` from the stored values of that side."""
    golden = json.loads((shared / "golden/protocols_golden.json").read_text())
    wrong, compared = [], 0
    protocols = [*FIELD, *variants()]
    for kind, pairs in images(shared).items():
        for pair, (restored, clean) in pairs.items():
            expected = golden[side][kind].get(pair, {})
            chosen = [each for each in protocols if each.name in expected]
            for name, scores in score_all(restored, clean, chosen).items():
                for metric, value in scores.items():
                    truth = expected[name][metric]
                    if truth == "undefined":
                        continue
                    compared += 1
                    within = tolerances(name, metric, float(truth), pair)
                    if not np.isclose(float(value), float(truth), rtol=0, atol=within, equal_nan=True):
                        wrong.append((kind, pair, name, metric, float(value), truth))
    assert compared > 800
    return wrong


@pytest.mark.slow
def test_one_reference_in_float64(shared: Path) -> None:
    """The old six too; rgb-zeropad starts from float32 as its authors do, the reference does not."""

    def within(name: str, metric: str, truth: float, pair: str) -> float:
        return {"psnr": 1e-6, "ssim": 6e-6}[metric] if name == "rgb-zeropad" else 1e-9

    assert differences(shared, "oracle", within) == []


SSIM_WITHIN = {
    **dict.fromkeys(("rgb-float-u7-crop16", "y-swapped-u11"), 4e-6),
    **dict.fromkeys(("pyiqa-rgb", "pyiqa-rgb-tensor"), 1e-6),
    **dict.fromkeys(("y-yiq", "y-yiq-tensor", "y-kornia", "y-msssim", "rgb-msssim"), 6e-5),
    **dict.fromkeys(("rgb-3d", "rgb-3d-tensor"), 2e-3),
}


@pytest.mark.slow
def test_the_authors_own_code(shared: Path) -> None:
    """In their float32, where that is what they compute in. Of images below a window theirs give other things."""

    def within(name: str, metric: str, truth: float, pair: str) -> float:
        if pair == "tiny_7x9" and name in ("y-msssim", "rgb-msssim"):
            return 1.0  # they skip the window there
        if metric == "psnr":
            return 2e-4 if truth > 80 else 4e-5
        return SSIM_WITHIN.get(name, 1e-7)

    wrong = [each for each in differences(shared, "authors", within) if not math.isnan(each[4])]
    assert wrong == []


@pytest.mark.parametrize("protocol", FIELD, ids=lambda each: each.name)
def test_each_is_its_own_way_of_measuring(protocol: Protocol) -> None:
    assert [each.name for each in FIELD if each.digest == protocol.digest] == [protocol.name]


def test_a_peak_is_a_constant() -> None:
    """In code that takes its peak from an image's largest value, one float above 1 turns 17 dB into 65."""
    random = torch.Generator().manual_seed(0)
    clean = torch.rand(1, 3, 32, 32, generator=random, dtype=torch.float64) * 0.9
    restored = clean + 0.1 * torch.randn(clean.shape, generator=random, dtype=torch.float64)
    above = restored.clamp(0, 1)
    above[0, 0, 0, 0] = 1.02
    for name, scores in score_all(above, clean, FIELD).items():
        assert abs(float(scores["psnr"]) - float(score_all(above.clamp(0, 1), clean, [name])[name]["psnr"])) < 0.1
