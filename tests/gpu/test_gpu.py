"""What only a GPU can show: how often it is waited for, that it repeats itself, and what becomes of a full memory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from derainbench.catalogue.cards import read_card
from derainbench.catalogue.locate import Dataset, locate
from derainbench.engine.device import choose_engine
from derainbench.engine.layers import find_layers
from derainbench.engine.patches import Levels
from derainbench.engine.restore import restorer
from derainbench.engine.trainer import Trainer
from derainbench.engine.training import train
from derainbench.metrics.scores import score_all
from derainbench.plugins.method import Batch
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.recipe_book import RecipeBook
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant
from tests.run.conftest import Workshop, workshop_in

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

NETWORKS = [
    "prenet",
    "rescan",
    "spanet",
    "nasnet[blocks=2]",
    "nasnet[attention=se,blocks=2]",
    "ddn",
    "jorder",
    "jorder[network=paper,recurrences=3,width=16]",
    "jordere[blocks=2,width=16]",
    "dgnl",
    "didmdn[classifier_side=56]",
    "deraindrop[width=8]",
    "dafnet[narrower=8]",
    "drn",
    "brn",
    "brn[supervised=both]",
    "drsformer[width=16,blocks=1-1-1-1]",
    "nerdrain[width=16,blocks=1-1-1,hidden=16]",
]
LAYERS = ("mask", "streak", "depth", "density")


def shortened(variant: Variant) -> Recipe:
    """The method's quick recipe, for six steps; a generator has its discriminator."""
    changes = {"steps": 6, "batch": 2, "patch": 64, "checkpoint_every": 3, "augment": ("hflip", "rot90")}
    if variant.method.name == "deraindrop":
        changes["adversarial"] = True
    return RecipeBook("short", True, changes).recipe(variant.method)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_does_not_wait(name: str, precision: str) -> None:
    variant = discover().variant(name)
    recipe, network = shortened(variant), variant.build()
    clean = torch.rand(2, 3, recipe.patch, recipe.patch, device="cuda")
    layers = {name: torch.zeros_like(clean[:, :1]) for name in LAYERS}
    given = Batch((clean + 0.2).clamp(0, 1), clean, layers)
    trainer = (variant.method.trainer or Trainer)(choose_engine("cuda", precision).fabric, network, recipe, 9)
    trainer.step(0, given)  # the first loads kernels
    try:
        torch.cuda.set_sync_debug_mode("error")
        losses = [trainer.step(step, given) for step in (1, 2)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(math.isfinite(float(loss)) for loss in losses)


def test_bytes_become_the_same_floats() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
    here, there = Levels(levels, levels, {}).batch(), Levels(levels.cuda(), levels.cuda(), {}).batch()
    assert torch.equal(here.rainy, there.rainy.cpu())
    assert np.array_equal(here.rainy.numpy()[0, 0].ravel(), np.arange(256, dtype=np.float32) / np.float32(255))


CARD = """
name = "few"
title = "Few pairs"
rain_model = "streak"
kind = "synthetic"
root = "."
[[layouts]]
name = "only"
[layouts.train]
rainy = "rainy/{id}.png"
clean = "clean/{id}.png"
layers = { mask = "mask/{id}.png", depth = "depth/{id}.png" }
"""


@pytest.fixture
def few(tmp_path: Path) -> Dataset:
    """Four pairs of 72x80 pixels, and what layers methods cannot do without or derive."""
    random = np.random.default_rng(1)
    for number in range(4):
        clean = random.integers(0, 200, (72, 80, 3), dtype=np.uint8)
        mask = np.where(np.arange(80) < 20 * number, 255, 0) * np.ones((72, 1))
        depth = random.integers(0, 256, (72, 80))
        images: dict[str, np.ndarray] = {"rainy": clean + 40, "clean": clean, "mask": mask, "depth": depth}
        for role, image in images.items():
            (tmp_path / role).mkdir(exist_ok=True)
            Image.fromarray(image.astype(np.uint8)).save(tmp_path / role / f"{number}.png")
    (tmp_path / "few.toml").write_text(CARD)
    found = locate(read_card(tmp_path / "few.toml"), None)
    assert found is not None
    return found


class Interruption(Exception):  # noqa: N818
    """Stands in for a kill."""


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_repeats_itself_and_resumes(name: str, precision: str, few: Dataset, tmp_path: Path) -> None:
    engine, variant = choose_engine("cuda", precision), discover().variant(name)
    recipe, pairs = shortened(variant), few.pairs("train")
    layers = {name: found.source for name, found in find_layers(variant.build().needed_layers, few).items()}

    def run(folder: str, until: int | None = None) -> bytes:
        def on_step(done: int, total: int, loss: float) -> None:
            if until is not None and done >= until:
                raise Interruption

        (tmp_path / folder).mkdir(exist_ok=True)
        train(variant, recipe, pairs, 3, tmp_path / folder, "k", engine.fabric, on_step, workers=2, layers=layers)
        return (tmp_path / folder / "weights.safetensors").read_bytes()

    whole = run("whole")
    assert run("again") == whole
    with pytest.raises(Interruption):
        run("parts", until=3)
    assert run("parts") == whole


@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_restores_and_scores_as_the_processor_does(name: str) -> None:
    torch.manual_seed(0)
    network, (rainy, clean) = discover().variant(name).build(), torch.rand(2, 1, 3, 64, 96).unbind()
    restored: dict[str, Tensor] = {
        device: restorer(choose_engine(device, "fp32").fabric, network)(rainy).cpu() for device in ("cpu", "cuda")
    }
    assert torch.allclose(restored["cpu"], restored["cuda"], atol=2e-4)
    protocols = ["y", "rgb", "rgb-float-u7"]
    here, there = (
        score_all(restored["cpu"].double().to(device), clean.double().to(device), protocols)
        for device in ("cpu", "cuda")
    )
    for protocol in protocols:
        for metric, value in here[protocol].items():
            assert float(value) == pytest.approx(float(there[protocol][metric]), abs=1e-9)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop_in(tmp_path_factory.mktemp("gpu"))


def test_devices_of_this_machine_are_found(workshop: Workshop) -> None:
    done = workshop.process(workshop.arguments(out="all", device="", devices="all"))
    assert done.returncode == 0, done.stderr
    assert '"cuda:0"' in next((workshop.folder / "all" / "eval").rglob("done.json")).read_text()


GREEDY = """
import torch
from derainbench import Derainer, Method

class Greedy(Derainer):
    def forward(self, rainy):
        return rainy + torch.empty(2 ** 50, device=rainy.device)[:1]

GREEDY = Method(name="greedy", title="Greedy", network=Greedy)
"""


def test_a_full_memory_is_one_cells_failure(workshop: Workshop) -> None:
    plugin = workshop.folder / "greedy.py"
    plugin.write_text(GREEDY)
    done = workshop.process(workshop.arguments("greedy", "full", device="cuda", plugin=str(plugin)))
    assert done.returncode == 2, done.stderr
    line = next(line for line in done.stderr.splitlines() if "FAILED" in line)
    assert "out of memory on cuda:0; give --tile 512" in line
    assert "1 done, 0 kept, 1 failed" in done.stdout
