"""PReNet's family against the authors' weights, outputs, and three of their training steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from derainbench import psnr, restore, ssim
from derainbench.engine.trainer import make_optimiser
from derainbench.methods.prenet import PRENET, PReNet, official_names
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import from_official, load_into
from derainbench.support.atomic import file_hash


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("prenet", 168_963),
        ("prenet[shared=true]", 94_979),
        ("prenet[recurrence=none]", 95_107),
        ("prenet[recurrence=none,shared=true]", 21_123),
        ("prenet[recurrence=gru]", 150_499),
        ("prenet[sees=estimate]", 168_099),
    ],
)
def test_parameter_counts(name: str, parameters: int) -> None:
    assert discover().variant(name).parameters() == parameters


OWN = [weights for weights in PRENET.weights if weights.source.startswith("https://github.com/csdwren/PReNet ")]


@pytest.mark.parametrize("weights", OWN, ids=lambda w: Variant(PRENET, w.options, w).name)
def test_published_weights_give_the_published_networks_output(shared: Path, weights: object) -> None:
    """All 20 files of its own repository: recognised by hash, converted, and equal to what the authors' code makes."""
    (weights,) = [w for w in PRENET.weights if w is weights]
    files = [path for path in (shared / "weights" / "prenet").iterdir() if file_hash(path) == weights.sha256]
    assert len(files) == 1, "the hash in the Method is that of the file"
    golden = np.load(shared / "golden" / "networks.npz")
    stem = files[0].stem
    expected = golden[f"prenet/{'real_' + stem if stem in ('PReNet1', 'PReNet2') else stem}/e"]
    variant = Variant(PRENET, weights.options, weights)
    network = variant.build()
    load_into(network, variant, files[0])
    with torch.inference_mode():
        restored = network(torch.tensor(golden["input/e"]))
    torch.testing.assert_close(restored, torch.tensor(expected), atol=2e-5, rtol=0)


def test_every_stage_and_a_larger_image(shared: Path) -> None:
    golden = np.load(shared / "golden" / "networks.npz")
    variant = discover().variant("prenet@rain100l")
    network = variant.build()
    assert isinstance(network, PReNet)
    load_into(network, variant, shared / "weights" / "prenet" / "Rain100L_PReNet6.pth")
    with torch.inference_mode():
        stages = torch.cat(network.estimates(torch.tensor(golden["input/e"])))
        restored = network(torch.tensor(golden["input/a"]))
    torch.testing.assert_close(stages, torch.tensor(golden["prenet/Rain100L_PReNet6/e_stages"]), atol=2e-5, rtol=0)
    torch.testing.assert_close(restored, torch.tensor(golden["prenet/Rain100L_PReNet6/a"]), atol=2e-5, rtol=0)


@pytest.mark.slow
def test_three_training_steps(shared: Path) -> None:
    """Losses to 2e-5, first gradients to 1e-4 of their largest, final weights to 2e-4.

    Adam divides by the gradient's own size, so that a weight whose gradient is rounding noise may move by up to
    3 x lr = 3e-3 in either direction; these are counted, and fewer than one in a thousand may differ by more than 2e-4.
    """
    golden = torch.load(shared / "golden" / "train_prenet.pt", weights_only=True, map_location="cpu")
    data = np.load(shared / "golden" / "train_batch.npz")
    batch = Batch(torch.tensor(data["prenet_x"]), torch.tensor(data["prenet_y"]))
    network = PReNet()
    names = list(network.state_dict())
    network.load_state_dict(from_official(golden["init"], names, official_names))
    assert PRENET.recipe is not None
    optimiser = make_optimiser(network, PRENET.recipe)
    for step, log in enumerate(golden["logs"]):
        loss = network.training_loss(batch, get_loss(PRENET.recipe.loss))
        assert loss.item() == pytest.approx(log["loss"], abs=2e-5)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        if step == 0:
            expected = from_official(golden["grads_step0"], names, official_names)
            largest = max(float(value.abs().max()) for value in expected.values())
            for name, parameter in network.named_parameters():
                torch.testing.assert_close(parameter.grad, expected[name], atol=1e-4 * largest, rtol=0)
        optimiser.step()
    final = from_official(golden["final"], names, official_names)
    differences = torch.cat([(final[name] - value).abs().flatten() for name, value in network.state_dict().items()])
    assert float((differences > 2e-4).float().mean()) < 1e-3
    assert float(differences.max()) < 6e-3


def test_merged_gates_are_the_four_gates() -> None:
    """Loading separate gates into the merged convolution keeps their order: forget, input, output, candidate."""
    parts = {f"conv_{gate}.0.bias": torch.full((32,), float(number)) for number, gate in enumerate("fiog")}
    merged = from_official(parts, ["recurrence.gates.bias"], official_names)
    assert merged["recurrence.gates.bias"].view(4, 32)[:, 0].tolist() == [0, 1, 2, 3]


def test_shared_unit_is_applied_five_times() -> None:
    torch.manual_seed(0)
    shared_network, full = PReNet(shared=True, stages=1), PReNet(stages=1)
    state = shared_network.state_dict()
    full.load_state_dict(
        {
            name: state[name if not name.startswith("units.") else "units.0." + name.split(".", 2)[2]]
            for name in full.state_dict()
        }
    )
    rainy = torch.rand(1, 3, 9, 8)
    torch.testing.assert_close(shared_network(rainy), full(rainy))


def test_scores_are_printed_of_every_set_that_its_authors_test_a_model_on() -> None:
    """Those trained on Rain100L are tested on Rain12, too."""
    printed = {
        name: {score.dataset: (score.psnr, score.ssim) for score in weights.published}
        for weights in PRENET.weights
        for name in [f"{weights.tag} {sorted(weights.options.items())}"]
    }
    assert printed["rain100l []"] == {"rain100l": (37.48, 0.979), "rain12": (36.66, 0.961)}
    assert printed["rain100l [('recurrence', 'none'), ('shared', True)]"]["rain12"] == (36.16, 0.961)
    assert set(printed["rain100h []"]) == {"rain100h"}


@pytest.mark.slow
@pytest.mark.parametrize(("tag", "folder"), [("rain200h", "RainHeavy"), ("rain200l", "RainLight")])
def test_files_of_a_later_repository_are_read(shared: Path, tag: str, folder: str) -> None:
    """Known by hash, and no tensor of them left out. Of the lighter rain's network the first image of Rain100L is known
    to score 38.6573 / .98107 under ``y``, rounded."""
    (weights,) = (weights for weights in PRENET.weights if weights.tag == tag)
    file = shared / "weights" / "recderain" / "logs" / folder / "PReNet" / "net_latest.pth"
    assert file_hash(file) == weights.sha256
    network = Variant(PRENET, weights.options, weights).build()
    load_into(network, Variant(PRENET, weights.options, weights), file)
    if tag == "rain200l":
        images = (shared / "data" / "Rain100L" / name for name in ("rainy/rain-001.png", "norain-001.png"))
        rainy, clean = (np.asarray(Image.open(path).convert("RGB")) for path in images)
        restored = restore(network.eval(), rainy)
        assert psnr(restored, clean, "y") == pytest.approx(38.6573, abs=2e-4)
        assert ssim(restored, clean, "y") == pytest.approx(0.98107, abs=2e-5)
