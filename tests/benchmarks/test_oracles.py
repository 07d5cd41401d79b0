"""The plain transcriptions against the authors' outputs, and the methods against the transcriptions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.networks import PLAIN, build, fitting, gmac, layout
from derainbench.plugins.weights import from_official, read_weights
from tests.oracles.dafnet import DAFNet
from tests.oracles.deraindrop import Generator
from tests.oracles.dgnl import DGNLNet
from tests.oracles.didmdn import DIDMDN
from tests.oracles.jorder import JORDER, Accumulation
from tests.oracles.jordere import JORDERE
from tests.oracles.nasnet import NASNet
from tests.oracles.prenet import PReNet
from tests.oracles.rescan import RESCAN
from tests.oracles.spanet import SpacialIRNN, SPANet, scan

OFFICIAL = 2e-6  # float32 on another machine; the values are in [0, 1]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    """What the authors' networks made of two images, and what the recurrence's kernel did, by name."""
    folder = shared / "golden"
    files = (np.load(folder / f"{name}.npz") for name in ("networks", "irnn_kernel"))
    return {name: torch.tensor(file[name]) for file in files for name in file.files}


def official(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def assert_equal(actual: Tensor, expected: Tensor, atol: float = OFFICIAL) -> None:
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0)


PRENETS: dict[str, tuple[str, dict[str, Any]]] = {
    "Rain100L_PReNet6": ("Rain100L_PReNet6", {}),
    "Rain1400_PReNet6_r": ("Rain1400_PReNet6_r", {"shared": True}),
    "Rain100H_PRN6": ("Rain100H_PRN6", {"recurrence": "none"}),
    "Rain100L_PRN6_r": ("Rain100L_PRN6_r", {"recurrence": "none", "shared": True}),
    "Ablation_PReNet5_LSTM": ("Ablation_PReNet5_LSTM", {"residual": False, "stages": 5}),
    "Ablation_PReNet6_GRU": ("Ablation_PReNet6_GRU", {"residual": False, "recurrence": "gru"}),
    "Ablation_PReNet6_x": ("Ablation_PReNet6_x", {"residual": False, "sees": "estimate"}),
    "PReNet1": ("real_PReNet1", {"residual": False, "stages": 4, "recurrence_at": "end"}),
}


@pytest.mark.parametrize("file", PRENETS)
def test_prenet_is_the_authors(shared: Path, golden: dict[str, Tensor], file: str) -> None:
    name, options = PRENETS[file]
    network = PReNet(**options)
    network.load_state_dict(official(shared / "weights" / "prenet" / f"{file}.pth"))
    with torch.inference_mode():
        assert_equal(network.restore(golden["input/e"]), golden[f"prenet/{name}/e"])


def test_prenets_stages_are_the_authors(shared: Path, golden: dict[str, Tensor]) -> None:
    network = PReNet()
    network.load_state_dict(official(shared / "weights" / "prenet" / "Rain100L_PReNet6.pth"))
    with torch.inference_mode():
        assert_equal(torch.cat(network(golden["input/e"])), golden["prenet/Rain100L_PReNet6/e_stages"])


@pytest.mark.parametrize(
    ("file", "name", "options"),
    [("GRU_Full", "default_GRU_Full", {}), ("LSTM_Add", "LSTM_Add", {"unit": "lstm", "frame": "add"})],
)
def test_rescan_is_the_authors(
    shared: Path, golden: dict[str, Tensor], file: str, name: str, options: dict[str, Any]
) -> None:
    network = RESCAN(**options)
    network.load_state_dict(official(shared / "golden" / f"rescan_{file}.pt"))
    with torch.inference_mode():
        rains = torch.cat(network(golden["rescan/default_GRU_Full/input_e_bgr"]))
    assert_equal(rains, golden[f"rescan/{name}/e_rain_stages_bgr"])


@pytest.mark.parametrize("image", ["e", "a"])
def test_spanet_is_the_authors(shared: Path, golden: dict[str, Tensor], image: str) -> None:
    network = SPANet()
    network.load_state_dict(official(shared / "weights" / "spanet" / "latest")["net"])
    with torch.inference_mode():
        masks, restored = network(golden[f"spanet/input_{image}_bgr"])
    assert_equal(masks[0], golden[f"spanet/{image}_mask_bgr"])
    assert_equal(restored, golden[f"spanet/{image}_out_bgr"])


def test_nasnet_is_the_authors(shared: Path, golden: dict[str, Tensor]) -> None:
    network = NASNet(stages=2, blocks=2)
    network.load_state_dict(official(shared / "golden" / "nasnet_stages2_blocks2.pt"))
    with torch.inference_mode():
        assert_equal(network.restore(golden["input/e"]), golden["nasnet/stages2_blocks2/e"])


def test_jorder_is_the_authors(shared: Path) -> None:
    """Of the luma in bytes, as MATLAB has it; the net's own border of zeros, as it was stored."""
    stored = np.load(shared / "golden" / "jorder_release.npz")
    network = JORDER()
    network.load_state_dict(read_weights(shared / "weights" / "jorder" / "rain_removal_single_light.caffemodel"))
    luma = torch.tensor(stored["y_rainy_u8"])[None, None] / 255
    with torch.inference_mode():
        assert_equal(network.released(luma.transpose(2, 3)).transpose(2, 3)[0, 0], torch.tensor(stored["light/out_y"]))


def test_jorders_network_for_the_veil_is_the_authors(shared: Path) -> None:
    """Which no method here has: it shows that a file of two inputs is read as well."""
    stored, network = np.load(shared / "golden" / "jorder_release.npz"), Accumulation()
    network.load_state_dict(read_weights(shared / "weights" / "jorder" / "rain_accu_removal.caffemodel"))
    assert sum(parameter.numel() for parameter in network.parameters()) == 520_580
    luma = torch.tensor(stored["y_rainy_u8"])[None, None] / 255
    image = torch.tensor(stored["rgb_rainy_u8"]).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        found = network.veil(luma.transpose(2, 3), image.transpose(2, 3))
    names = {"streak": "streak_neg_conv12", "trans": "trans"}
    for name, value in found.items():
        expected = torch.tensor(stored[f"accu/{names.get(name, f'{name}_ch0_7')}"])
        assert_equal(value.transpose(2, 3)[0, :8].reshape(expected.shape), expected, 2e-5 * float(expected.abs().max()))


def test_jordere_is_the_authors(shared: Path) -> None:
    """Within so much of 255 grey levels."""
    stored = np.load(shared / "golden" / "jordere.npz")
    network = JORDERE(blocks=3, width=32)
    network.load_state_dict(official(shared / "weights" / "jorder_e" / "model_practical.pt"))
    with torch.inference_mode():
        stages = network(torch.tensor(stored["rgb_rainy_u8"]).permute(2, 0, 1)[None].float())
    for number, (image, mask, level, _) in enumerate(stages, start=1):
        assert_equal(image, torch.tensor(stored[f"practical/out_stage{number}"]), 255 * OFFICIAL)
        assert_equal(mask, torch.tensor(stored[f"practical/mask_logits_stage{number}"]), 255 * OFFICIAL)
        assert_equal(level, torch.tensor(stored[f"practical/level_stage{number}"]), 255 * OFFICIAL)


def test_dgnl_is_the_authors(shared: Path) -> None:
    stored = np.load(shared / "golden" / "dgnlnet_fast.npz")
    network = DGNLNet()
    network.load_state_dict(official(shared / "weights" / "dgnl" / "DGNLNet_fast_60000.pth"))
    with torch.inference_mode():
        restored, depth = network(torch.tensor(stored["rgb_u8"]).permute(2, 0, 1)[None] / 255)
    assert_equal(restored, torch.tensor(stored["out"]), 5 * OFFICIAL)
    assert_equal(depth, torch.tensor(stored["train/depth_full_res"]), 5 * OFFICIAL)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("image", ["sq", "ns"])
def test_didmdns_networks_are_the_authors(shared: Path, image: str, mode: str) -> None:
    network = DIDMDN(classifier_side=14).train(mode == "train")
    main, residual = (np.load(shared / "golden" / f"didmdn_{name}.npz") for name in ("dense_rain", "residual"))
    for part, golden in ((network.netG, main), (network.residue_net, residual)):
        part.load_state_dict({n.removeprefix("w/"): torch.tensor(golden[n]) for n in golden.files if n[:2] == "w/"})
    with torch.inference_mode():
        label = torch.tensor(main[f"{image}/label"])[None]
        found = network.netG(torch.tensor(main[f"{image}/x"]), label)
        clean = network.residue_net(torch.tensor(residual[f"{image}/x"]))
    for name, value in zip(("residual", "clean"), found, strict=True):
        assert_equal(value, torch.tensor(main[f"{image}/{mode}/{name}"]), 2 * OFFICIAL)
    assert_equal(clean, torch.tensor(residual[f"{image}/{mode}/output"]), 2 * OFFICIAL)


def test_deraindrops_generator_is_the_authors(shared: Path) -> None:
    golden = np.load(shared / "golden" / "deraindrop_reduced.npz")
    network = Generator(width=8)
    network.load_state_dict({n[2:]: torch.tensor(golden[n]) for n in golden.files if n[:2] == "G/"})
    image = torch.tensor(golden["bgr_input_u8"]).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        masks, *frames = network(image)
    for number, mask in enumerate(masks, 1):
        assert_equal(mask, torch.tensor(golden[f"mask_{number}"]), 1e-5)
    for name, frame in zip(("frame1", "frame2", "output"), frames, strict=True):
        assert_equal(frame, torch.tensor(golden[name]), 1e-5)


@pytest.mark.parametrize("size", ["a", "b"])
def test_dafnet_is_the_authors(shared: Path, size: str) -> None:
    golden = np.load(shared / "golden" / "dafnet_reduced.npz")
    network = DAFNet(narrower=16)
    network.load_state_dict({n[2:]: torch.tensor(golden[n]) for n in golden.files if n.startswith("w/")})
    data = torch.tensor(golden[f"{size}/bgr_input_u8"]).permute(2, 0, 1)[None] * 0.0039212686
    with torch.inference_mode():
        restored, depth = network(data)
    assert_equal(restored, torch.tensor(golden[f"{size}/output1"]), 1e-5)
    assert_equal(depth, torch.tensor(golden[f"{size}/sig_depth_predict"]), 1e-5)


def test_recurrence_is_the_authors_kernel(golden: dict[str, Tensor]) -> None:
    """Values and gradients of all four directions."""
    directions = ("up", "right", "down", "left")
    irnn = SpacialIRNN(8)
    weights = {d: getattr(irnn, f"{d}_weight") for d in directions}
    for d, conv in weights.items():
        conv.load_state_dict({"weight": golden[f"w_{d}"], "bias": golden[f"b_{d}"]})
    x = golden["x"].requires_grad_()
    gathered = dict(zip(directions, irnn(x), strict=True))
    for d in directions:
        assert_equal(gathered[d], golden[f"out_{d}"])
    torch.autograd.backward(list(gathered.values()), [golden[f"gout_{d}"] for d in directions])
    assert x.grad is not None
    assert_equal(x.grad, golden["grad_x"], 1e-5)
    for d, conv in weights.items():
        assert_equal(conv.weight.grad.flatten(), golden[f"grad_w_{d}"], 1e-4)  # sums of 300 terms
        assert_equal(conv.bias.grad, golden[f"grad_b_{d}"], 1e-4)


def test_a_scan_by_hand() -> None:
    line = torch.tensor([1.0, -5.0, 2.0, 3.0])
    weight, bias = torch.full((1, 1, 1, 1), 0.5), torch.tensor([1.0])
    forwards = scan(line.view(1, 1, 1, 4), weight, bias, dim=3, backwards=False)
    backwards = scan(line.view(1, 1, 4, 1), weight, bias, dim=2, backwards=True)
    assert forwards.flatten().tolist() == [1.0, 0.0, 3.0, 5.5]
    assert backwards.flatten().tolist() == [2.0, 0.0, 4.5, 3.0]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("prenet", {}, 156.1),
        ("rescan", {}, 75.6),
        # 85.4 is what the authors' SPANet computes; 4.3 of it is the attention that it drops.
        ("spanet", {}, 81.1),
        ("spanet", {"directional": True}, 85.4),
        ("nasnet", {}, 1002.8),
    ],
)
def test_arithmetic_of_one_rain100l_image(name: str, options: dict[str, Any], expected: float) -> None:
    """In 1e9 multiply-accumulates."""
    assert gmac(PLAIN[name](**options), 321, 481) == pytest.approx(expected, abs=0.05)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("prenet", {}),
    ("prenet", {"shared": True, "stages": 2}),
    ("prenet", {"recurrence": "none", "stages": 3}),
    ("prenet", {"recurrence": "gru", "residual": False, "stages": 3}),
    ("prenet", {"sees": "estimate", "stages": 3}),
    ("prenet", {"recurrence_at": "end", "residual": False, "stages": 4}),
    ("prenet", {"recurrence": "gru", "recurrence_at": "end", "shared": True, "sees": "estimate", "stages": 3}),
    ("rescan", {}),
    ("rescan", {"unit": "lstm"}),
    ("rescan", {"unit": "lstm", "frame": "add"}),
    ("rescan", {"unit": "rnn", "frame": "add"}),
    ("rescan", {"unit": "conv"}),
    ("rescan", {"se": False}),
    ("rescan", {"width": 12, "stages": 3, "depth": 5}),
    ("rescan", {"stages": 1, "depth": 3}),
    ("spanet", {}),
    ("spanet", {"directional": True}),
    ("nasnet", {"stages": 2, "blocks": 2}),
    ("nasnet", {"stages": 1, "blocks": 1, "width": 8}),
    ("ddn", {}),
    ("ddn", {"shortcut": "global"}),
    ("jorder", {}),
    ("jorder", {"width": 8}),
    ("jorder", {"network": "paper", "width": 8}),
    ("jorder", {"network": "paper", "width": 8, "recurrences": 3}),
    ("jordere", {"blocks": 2, "width": 8}),
    ("jordere", {"blocks": 3, "width": 32}),
    ("dgnl", {}),
    ("didmdn", {"classifier_side": 14}),
    ("didmdn", {"classifier_side": 21, "statistics": "running"}),
    ("deraindrop", {"width": 4}),
    ("dafnet", {"narrower": 16}),
    ("drn", {}),
    ("drn", {"stages": 3, "recursions": 2}),
    *(("brn", {"hears": hears, "width": 8}) for hears in ("both", "none", "image", "rain")),
    ("brn", {"stages": 1, "width": 8}),
]


def variant_name(value: object) -> str:
    return ",".join(f"{k}={v}" for k, v in value.items()) or "default" if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("size", [(13, 18), (1, 1), (7, 1)], ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=variant_name)
def test_method_is_its_transcription(name: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    """In float64, where nothing but rounding may differ; a batch of two, so that no image sees the other."""
    pair = build(name, **options)
    ours, plain = pair.ours.double(), pair.plain.double()
    rainy = torch.rand(2, 3, *fitting(pair.ours, size), dtype=torch.float64)
    with torch.inference_mode():
        expected = plain.restore(rainy)
        assert float(expected.std()) > 1e-3, "a network that gives a constant proves nothing"
        torch.testing.assert_close(ours(rainy), expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=variant_name)
def test_method_has_its_transcriptions_gradients(name: str, options: dict[str, Any]) -> None:
    """Of a weighted sum of the output, in float64, by all weights."""
    pair = build(name, **options)
    ours, plain = pair.ours.double(), pair.plain.double()
    rainy, weights = torch.rand(2, 2, 3, *fitting(pair.ours, (9, 6)), dtype=torch.float64).unbind()
    for output in (ours(rainy), plain.restore(rainy)):
        torch.autograd.backward((output * weights).sum())
    zeros = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in plain.named_parameters()}
    expected = from_official(zeros, dict(ours.named_parameters()), *layout(name))
    for key, parameter in ours.named_parameters():
        actual = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(actual, expected[key], atol=1e-10, rtol=1e-8, msg=partial("{}: {}".format, key))
