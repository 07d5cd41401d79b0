"""VGG16's features: the file that a user adds, what is refused, and what comes out."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from derainbench.plugins import perceptual
from derainbench.plugins.perceptual import (
    add_features,
    features_hash,
    load_convolutions,
    load_features,
    require_features,
)
from derainbench.support.atomic import file_hash
from tests.helpers.pseudo_vgg import NUMBERS, pseudo_vgg, torchvisions_layout

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


def in_torchvisions_layout(**changes: Tensor) -> dict[str, Tensor]:
    """With a layer that is not looked at."""
    return {**torchvisions_layout(), "classifier.6.bias": torch.zeros(1000), **changes}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vgg.pth"
    torch.save(in_torchvisions_layout(), path)
    return path


def test_torchvisions_file_is_known_by_its_hash(file: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    assert perceptual.SHA256.startswith(perceptual.SOURCE.rpartition("-")[2].removesuffix(".pth"))
    with refused("torchvision's VGG16", "--trust-unknown", perceptual.SOURCE):
        add_features(file)
    assert features_hash() is None
    monkeypatch.setattr(perceptual, "SHA256", file_hash(file))
    assert add_features(file).verified
    assert features_hash() == file_hash(file)


def test_another_file_is_accepted_when_it_is_trusted(file: Path) -> None:
    assert not add_features(file, trust_unknown=True).verified
    features = load_features()
    for name, value in pseudo_vgg().state_dict().items():
        assert torch.equal(features.state_dict()[name], value)
    assert not any(parameter.requires_grad for parameter in features.parameters())
    assert sum(parameter.numel() for parameter in features.parameters()) == 260_160


def test_networks_may_begin_with_all_of_it(file: Path) -> None:
    add_features(file, trust_unknown=True)
    convolutions, given = load_convolutions(), torchvisions_layout()
    assert len(convolutions) == 13
    for number, (weight, bias) in zip(NUMBERS, convolutions, strict=True):
        assert torch.equal(weight, given[f"features.{number}.weight"])
        assert torch.equal(bias, given[f"features.{number}.bias"])


def test_what_is_missing_or_damaged_is_said(file: Path, refused: Refused) -> None:
    with refused("derainbench weights add vgg16 FILE", 'perceptual = "none"', perceptual.SOURCE):
        require_features()
    path = add_features(file, trust_unknown=True).path
    path.write_bytes(path.read_bytes()[:-1])
    with refused("damaged", "weights add vgg16"):
        load_features()
    path.with_suffix(".json").write_text("{}")
    with refused("damaged", "weights add vgg16"):
        features_hash()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"features.5.weight": torch.zeros(128, 64, 5, 5)}, "features.5.weight"),
        ({"features.7.bias": torch.full((128,), torch.nan)}, "not finite"),
        ({"features.0.bias": torch.zeros(64, dtype=torch.int64)}, "features.0.bias"),
        ({"features.28.weight": torch.zeros(512, 256, 3, 3)}, "features.28.weight"),
    ],
)
def test_what_is_no_vgg_is_refused(tmp_path: Path, refused: Refused, changes: dict[str, Tensor], word: str) -> None:
    path = tmp_path / "other.pth"
    torch.save(in_torchvisions_layout(**changes), path)
    with refused(word):
        add_features(path, trust_unknown=True)
    assert features_hash() is None


def test_a_file_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    with refused("absent.pth"):
        add_features(tmp_path / "absent.pth", trust_unknown=True)


def test_what_the_features_are() -> None:
    """By the plain operations, in float32 also where autocast rounds."""
    features, image = pseudo_vgg(), torch.rand(1, 3, 13, 10, requires_grad=True)
    state = [(layer.weight, layer.bias) for layer in features.convolutions if isinstance(layer, torch.nn.Conv2d)]
    expected, x = [], image
    for number, (weight, bias) in enumerate(state):
        x = F.max_pool2d(x, 2) if number == 2 else x
        x = torch.relu(F.conv2d(x, weight, bias, padding=1))
        expected.append(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = features(image)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    torch.autograd.backward(found[3].sum())
    assert image.grad is not None
    assert bool((image.grad != 0).any())


class _Alien:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return print, ("code of the file ran",)


def in_lpips_jaxs_layout() -> dict[str, Any]:
    """As the package's pickles have it, with layers that are not looked at."""
    state, layers = torchvisions_layout(), dict[str, Any]()
    for n, number in enumerate(NUMBERS):
        kernel = state[f"features.{number}.weight"].permute(2, 3, 1, 0).contiguous().numpy()
        layers[f"Conv_{n}"] = {"kernel": kernel, "bias": state[f"features.{number}.bias"].numpy()}
    return {"VGG16_0": layers, "NetLinLayer_0": {"Conv_0": {"kernel": np.zeros((1, 1, 64, 1), np.float32)}}}


def test_a_pickle_of_arrays_is_read_and_known_by_what_it_holds(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = tmp_path / "vgg16.ckpt"
    pickled.write_bytes(pickle.dumps(in_lpips_jaxs_layout()))
    assert not add_features(pickled, trust_unknown=True).verified
    for number, (weight, _) in zip(NUMBERS, load_convolutions(), strict=True):
        assert torch.equal(weight, torchvisions_layout()[f"features.{number}.weight"])
    content = perceptual._content({str(n): part for n, part in enumerate(sum(load_convolutions(), ()))})
    known = dataclasses.replace(perceptual.NETWORKS["vgg16"], content=content)
    monkeypatch.setattr(perceptual, "NETWORKS", {"vgg16": known})
    for each in (pickled, file):
        assert add_features(each).verified
        assert features_hash() == perceptual.SHA256, "whatever file the same convolutions came in"


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"VGG16_0": _Alien()}),
        pickle.dumps({"VGG16_0": np.array([_Alien()], dtype=object)}),
        pickle.dumps({"VGG16_0": np.arange(3)}),
        pickle.dumps([1, 2]),
        b"cposix\nsystem\n(S'true'\ntR.",
        b"\x80\x04",
        b"",
    ],
)
def test_a_pickle_runs_no_code(content: bytes, tmp_path: Path, refused: Refused, capsys: Any) -> None:
    path = tmp_path / "evil.ckpt"
    path.write_bytes(content)
    with refused("torchvision's VGG16", "--trust-unknown"):
        add_features(path)
    with refused("no pickle of arrays"):
        add_features(path, trust_unknown=True)
    assert capsys.readouterr().out == ""


def test_alexnet_is_added_beside_it(file: Path, tmp_path: Path, refused: Refused) -> None:
    shapes = perceptual.NETWORKS["alexnet"].convolutions
    state = {f"{name}.weight": torch.ones(shape) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}
    torch.save(state, tmp_path / "alexnet.pth")
    with refused("AlexNet", "alexnet-owt-7be5be79.pth", "--trust-unknown"):
        add_features(tmp_path / "alexnet.pth", name="alexnet")
    assert not add_features(tmp_path / "alexnet.pth", True, "alexnet").verified
    widths = [weight.shape[0] for weight, _ in perceptual.network_convolutions("alexnet", "x")]
    assert widths == [64, 192, 384, 256, 256]
    with refused("features.0.weight", "AlexNet"):
        add_features(file, True, "alexnet")
    assert features_hash() is None
