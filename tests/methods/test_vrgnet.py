"""VRGNet's derainer: PReNet but for its last convolution; and its published files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from derainbench import psnr, restore, ssim
from derainbench.methods.prenet import PReNet
from derainbench.methods.vrgnet import VRGNET, VariationalPReNet, official_names
from derainbench.plugins.method import Weights
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import load_into, read_weights, to_official
from derainbench.support.atomic import file_hash


def test_it_is_prenet_but_for_the_last_convolution() -> None:
    """With the same one there it gives PReNet's output; stages before it do not see it."""
    torch.manual_seed(0)
    network, plain = VariationalPReNet(), PReNet()
    assert sum(p.numel() for p in network.parameters()) == 170_697
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if name[:5] != "last."})
    rainy = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        for ours, theirs in zip(network.last.parameters(), plain.tail.parameters(), strict=True):
            ours[:3] = theirs
        torch.testing.assert_close(torch.cat(network.estimates(rainy)), torch.cat(plain.estimates(rainy)))
        before = network.estimates(rainy)
        next(p for n, p in network.named_parameters() if n == "last.bias").add_(1)
        after = network.estimates(rainy)
    assert all(torch.equal(a, b) for a, b in zip(before[:-1], after[:-1], strict=True))
    torch.testing.assert_close(after[-1], before[-1] + 1)


@pytest.mark.parametrize("weights", VRGNET.weights, ids=lambda weights: weights.tag)
def test_published_files_are_read_and_come_back(shared: Path, weights: Weights) -> None:
    file = shared / "weights" / "vrgnet" / weights.source.partition(" (")[2].rstrip(")")
    assert file_hash(file) == weights.sha256
    network = Variant(VRGNET, weights.options, weights).build()
    load_into(network, Variant(VRGNET, weights.options, weights), file)
    stored, returned = read_weights(file), to_official(network.state_dict(), official_names)
    assert stored.keys() == returned.keys()
    assert all(torch.equal(stored[name], returned[name]) for name in stored)


@pytest.mark.slow
def test_an_image_of_rain100l_scores_as_the_authors_code_does(shared: Path) -> None:
    """Under ``y``, rounded: the last stage's mean, clamped."""
    (weights,) = (weights for weights in VRGNET.weights if weights.tag == "rain100l")
    network = Variant(VRGNET, weights.options, weights).build().eval()
    file = shared / "weights" / "vrgnet" / "for_syn" / "syn100lmodels" / "DerainNet_state_700.pt"
    load_into(network, Variant(VRGNET, weights.options, weights), file)
    images = (shared / "data" / "Rain100L" / name for name in ("rainy/rain-001.png", "norain-001.png"))
    rainy, clean = (np.asarray(Image.open(path).convert("RGB")) for path in images)
    restored = restore(network, rainy)
    assert psnr(restored, clean, "y") == pytest.approx(37.6460, abs=2e-4)
    assert ssim(restored, clean, "y") == pytest.approx(0.97639, abs=2e-5)
