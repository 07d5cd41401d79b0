"""The training loop: interruptions change nothing, and the seams for unusual methods hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn

from derainbench.catalogue.pairing import Pair
from derainbench.engine.curves import check_logger
from derainbench.engine.device import choose_engine
from derainbench.engine.layers import FileLayer, Source
from derainbench.engine.learning_rate import learning_rate
from derainbench.engine.trainer import Trainer
from derainbench.engine.training import train
from derainbench.errors import UserError
from derainbench.metrics.losses import Loss
from derainbench.plugins.initial_weights import initial_weights
from derainbench.plugins.method import Batch, Derainer, Method
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.variant import Variant
from derainbench.plugins.weights import read_weights
from derainbench.plugins.weights_store import add_weights

Refused = Callable[..., AbstractContextManager[None]]

RECIPE = Recipe(lr=1e-2, steps=12, batch=2, patch=8, loss="l1", checkpoint_every=5, augment=("hflip", "rot90"))


class Dropped(Derainer):
    """Random in training, so that a lost random state shows."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        self.drop = nn.Dropout(0.5)

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = rainy - self.last(self.drop(torch.relu(self.first(rainy))))
        return restored


class Interruption(Exception):  # noqa: N818
    """Stands in for a kill."""


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Four pairs of two scenes with a depth layer, 12x14 pixels."""
    random = np.random.default_rng(1)
    result = []
    for number in range(4):
        clean = random.integers(0, 200, (12, 14, 3), dtype=np.uint8)
        files = {"rainy": clean + 40, "clean": clean, "depth": np.full((12, 14), 51 * number, np.uint8)}
        for name, image in files.items():
            Image.fromarray(image).save(tmp_path / f"{name}{number}.png")
        paths = {name: tmp_path / f"{name}{number}.png" for name in files}
        scene = str(number // 2)
        result.append(Pair(str(number), scene, paths["rainy"], paths["clean"], {"depth": paths["depth"]}))
    return result


def run(
    method: Method,
    pairs: Sequence[Pair],
    folder: Path,
    stop_at: int | None = None,
    key: str = "k",
    workers: int = 0,
    layers: Mapping[str, Source] = MappingProxyType({}),
) -> list[float]:
    """Train; the losses of the steps that were made."""
    losses: list[float] = []

    def on_step(done: int, total: int, loss: float) -> None:
        losses.append(loss)
        if done == stop_at:
            raise Interruption

    assert method.recipe is not None
    fabric = choose_engine("cpu", "fp32").fabric
    train(Variant(method), method.recipe, pairs, 3, folder, key, fabric, on_step, workers, layers=layers)
    return losses


DROPPED = Method(name="dropped", title="Dropped", network=Dropped, recipe=RECIPE)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("stop_at", [3, 5, 11])
def test_resuming_changes_nothing(pairs: list[Pair], tmp_path: Path, optimiser: str, stop_at: int) -> None:
    method = Method("m", "M", Dropped, RECIPE.changed({"optimiser": optimiser, "schedule": "cosine", "clip": 0.5}))
    whole = run(method, pairs, tmp_path / "whole")
    with pytest.raises(Interruption):
        run(method, pairs, tmp_path / "parts", stop_at=stop_at)
    rest = run(method, pairs, tmp_path / "parts")
    assert rest == whole[-len(rest) :]
    assert len(rest) == 12 - stop_at // 5 * 5
    for name in ("weights.safetensors", "log.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


TODAY = RECIPE.changed(
    {
        "steps": 12,
        "progressive": ((5, 8, 4), (4, 12, 2), (3, 16, 2)),
        "mixup": 1.2,
        "mixup_identity": True,
        "ema": 0.8,
        "augment": ("mprnet",),
        "loss": "charbonnier + 0.05*edge + 0.01*fft",
        "optimiser": "adamw",
        "schedule": "cosine",
        "periods": (4, 8),
        "period_minima": (1e-2, 1e-6),
        "warmup": 0.25,
        "warmup_within": True,
        "clip": 0.01,
    }
)


@pytest.mark.parametrize(("stop_at", "workers"), [(3, 0), (5, 0), (9, 2), (11, 0)])
def test_resuming_changes_nothing_of_what_papers_of_today_do(
    pairs: list[Pair], tmp_path: Path, stop_at: int, workers: int
) -> None:
    """Averages, mixtures, stages; whoever loads the patches, and wherever in a stage or a warm-up it ends."""
    method = Method("m", "M", Dropped, TODAY)
    whole = run(method, pairs, tmp_path / "whole")
    with pytest.raises(Interruption):
        run(method, pairs, tmp_path / "parts", stop_at=stop_at, workers=workers)
    rest = run(method, pairs, tmp_path / "parts", workers=workers)
    assert rest == whole[-len(rest) :]
    for name in ("weights.safetensors", "log.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_an_average_is_what_is_kept_and_the_checkpoint_has_both(pairs: list[Pair], tmp_path: Path) -> None:
    """With the weights of each step looked at: the file at the end has their average."""
    steps: list[Tensor] = []

    class Watched(Dropped):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            assert self.last.bias is not None
            steps.append(self.last.bias.detach().clone())
            return super().training_loss(batch, loss)

    recipe = RECIPE.changed({"ema": 0.8, "validation": 0.5, "validate_every": 6})
    run(Method("m", "M", Watched, recipe), pairs, tmp_path / "a")
    plain = RECIPE.changed({"validation": 0.5, "validate_every": 6})
    run(Method("m", "M", Dropped, plain), pairs, tmp_path / "b")
    last = read_weights(tmp_path / "b/weights.safetensors")["last.bias"]
    expected = steps[0]
    for bias in [*steps[1:], last]:
        expected = 0.8 * expected + 0.2 * bias
    torch.testing.assert_close(read_weights(tmp_path / "a/weights.safetensors")["last.bias"], expected)
    state = torch.load(tmp_path / "a/checkpoint.pt", weights_only=True)
    assert not torch.equal(state["average"]["last.bias"], state["trainer"]["network"]["last.bias"])
    assert "average" not in torch.load(tmp_path / "b/checkpoint.pt", weights_only=True)
    validated = [
        [json.loads(line).get("validation_psnr_y") for line in (tmp_path / run / "log.jsonl").read_text().splitlines()]
        for run in "ab"
    ]
    assert validated[0] != validated[1], "what is looked at on the way is the average"


def test_an_epoch_without_a_grid_has_a_patch_of_each_image(pairs: list[Pair], tmp_path: Path) -> None:
    by_images = RECIPE.changed({"epochs": 3, "batch": 3})
    assert len(run(Method("m", "M", Dropped, by_images), pairs, tmp_path)) == 3 * 4 // 3


def test_a_training_starts_from_given_weights(
    pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))
    run(DROPPED, pairs, tmp_path / "first")
    file = tmp_path / "first/weights.safetensors"
    added = add_weights(DROPPED, parse_name("dropped@mine"), file, trust_unknown=True)
    starts: list[Tensor] = []

    class Starting(Dropped):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            starts.append(self.last.weight.detach().clone())
            return super().training_loss(batch, loss)

    method = Method("dropped", "D", Starting, RECIPE.changed({"initial": "dropped@mine"}))
    run(method, pairs, tmp_path / "second")
    assert torch.equal(starts[0], read_weights(file)["last.weight"])

    def initial(text: str, **options: int) -> Variant | None:
        return initial_weights(Variant(method, options), RECIPE.changed({"initial": text}))

    found = initial("dropped@mine")
    assert found is not None
    assert found.weights == added.variant.weights
    with refused("cannot start from dropped@mine, another network; train dropped"):
        initial("dropped[width=4]@mine", width=8)
    with refused("names no weights; write dropped@TAG"):
        initial("dropped")
    with refused("the weights of another method", "[methods.prenet]"):
        initial("prenet@rain100l")
    with refused("no weights dropped@yours are known; known: dropped@mine"):
        initial("dropped@yours")


def test_mixing_needs_a_method_of_images_alone(pairs: list[Pair], tmp_path: Path, refused: Refused) -> None:
    with refused("mixup mixes images", "learns from depth too"):
        run(
            Method("m", "M", Dropped, RECIPE.changed({"mixup": 1})),
            pairs,
            tmp_path,
            layers={"depth": FileLayer("depth")},
        )


class OwnLoss(Dropped):
    own_losses: ClassVar[Mapping[str, Loss]] = {"cubes": lambda restored, clean: (restored - clean).abs().pow(3).mean()}


def test_a_loss_of_the_methods_own_is_learnt_from(pairs: list[Pair], tmp_path: Path) -> None:
    method = Method("m", "M", OwnLoss, RECIPE.changed({"loss": "cubes + 0.5*l1"}))
    assert run(method, pairs, tmp_path / "own") != run(DROPPED, pairs, tmp_path / "usual")
    assert Variant(method).source_digest() == Variant(DROPPED).source_digest(), "both are of this file"


def test_a_checkpoint_of_something_else_is_not_continued(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(Interruption):
        run(DROPPED, pairs, tmp_path / "cell", stop_at=7, key="old")
    assert len(run(DROPPED, pairs, tmp_path / "cell", key="new")) == 12


def test_the_seed_decides(pairs: list[Pair], tmp_path: Path) -> None:
    assert run(DROPPED, pairs, tmp_path / "a") == run(DROPPED, pairs, tmp_path / "b")
    other: list[float] = []
    fabric = choose_engine("cpu", "fp32").fabric
    train(Variant(DROPPED), RECIPE, pairs, 4, tmp_path / "c", "k", fabric, lambda *step: other.append(step[2]))
    assert other != run(DROPPED, pairs, tmp_path / "d")


def test_a_loss_that_is_not_finite_stops_with_the_step(pairs: list[Pair], tmp_path: Path) -> None:
    class Explodes(Dropped):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            return super().training_loss(batch, loss) * (float("nan") if self.calls > 6 else 1)

    with pytest.raises(UserError, match=r"gradient is nan at step 7 of 12.*checkpoint after step 5.*clip") as caught:
        run(Method("explodes", "E", Explodes, RECIPE), pairs, tmp_path / "cell")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "cell" / "checkpoint.pt").exists()


def test_validation_is_on_held_out_training_scenes(pairs: list[Pair], tmp_path: Path) -> None:
    """With one of two scenes held out, its files are validated on, and never trained on."""
    recipe = RECIPE.changed({"validation": 0.5, "validate_every": 6})
    seen: list[Tensor] = []

    class Watching(Dropped):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            seen.append(torch.unique(batch.layers["depth"]))
            return super().training_loss(batch, loss)

    run(Method("watching", "W", Watching, recipe), pairs, tmp_path / "cell", layers={"depth": FileLayer("depth")})
    lines = [json.loads(line) for line in (tmp_path / "cell/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation_psnr_y" in line] == [6, 12]
    depths = {round(float(value) * 5) for value in torch.cat(seen)}
    assert depths in ({0, 1}, {2, 3}), "depth tells the images apart: 0 and 1 are one scene, 2 and 3 the other"


def test_curves_are_told_and_taken_back(pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses, rates, validations and images, each step once, also of a training that was interrupted."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    recipe = RECIPE.changed({"validation": 0.5, "validate_every": 6, "schedule": "cosine"})
    variant, fabric = Variant(Method("curved", "C", Dropped, recipe)), choose_engine("cpu", "fp32").fabric

    def stopped(done: int, total: int, loss: float) -> None:
        if done == 8:
            raise Interruption

    folder = tmp_path / "cell"
    with pytest.raises(Interruption):
        train(variant, recipe, pairs, 3, folder, "k", fabric, stopped, logger="tensorboard")
    train(variant, recipe, pairs, 3, folder, "k", fabric, lambda *step: None, logger="tensorboard")
    told = accumulator.EventAccumulator(str(folder / "tensorboard"), purge_orphaned_data=True).Reload()
    losses = {event.step: event.value for event in told.Scalars("loss")}
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert losses == pytest.approx({line["step"]: line["loss"] for line in logged if "loss" in line})
    assert [event.step for event in told.Scalars("loss")] == list(range(1, 13))
    rates = [event.value for event in told.Scalars("learning rate")]
    assert rates == pytest.approx([learning_rate(recipe, step, 12) for step in range(12)])
    assert [event.step for event in told.Scalars("validation PSNR (y), dB")] == [6, 12]
    (image, *_) = told.Images("validation 0")
    assert (image.width, image.height) == (3 * 14, 12)


def test_a_logger_that_is_not_there(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_logger("none") == "none"
    with refused("--log 'wandb'", "none, tensorboard"):
        check_logger("wandb")
    monkeypatch.setattr("derainbench.engine.curves.find_spec", lambda name: None)
    with refused("pip install 'derainbench[tensorboard]'"):
        check_logger("tensorboard")


def test_statistics_of_the_rainy_images(pairs: list[Pair], tmp_path: Path) -> None:
    given: list[Tensor] = []

    class Normalising(Dropped):
        def on_training_data(self, mean: Tensor, std: Tensor) -> None:
            given.extend((mean, std))

    run(Method("normalising", "N", Normalising, RECIPE), pairs, tmp_path / "cell")
    rainy = [pair.rainy for pair in pairs if isinstance(pair.rainy, Path)]
    pixels = np.concatenate([np.asarray(Image.open(path)).reshape(-1, 3) / 255 for path in rainy])
    np.testing.assert_allclose(given[0].numpy(), pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(given[1].numpy(), pixels.std(0), atol=1e-6)


class TwoOptimisers(Trainer):
    """A GAN in small: a discriminator that is trained in turn, and saved in the checkpoint only."""

    def __init__(self, fabric: Fabric, network: Derainer, recipe: Recipe, steps: int) -> None:
        super().__init__(fabric, network, recipe, steps)
        judge = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(), nn.Conv2d(4, 1, 3))
        self.judge, self.judging = fabric.setup(judge, torch.optim.Adam(judge.parameters(), 1e-2))

    def step(self, step: int, batch: Batch) -> Tensor:
        with torch.no_grad():
            fake = self.network(batch.rainy)
        verdict = self.judge(fake).sigmoid().mean() - self.judge(batch.clean).sigmoid().mean()
        self.fabric.backward(verdict)
        self.judging.step()
        self.judging.zero_grad()
        loss = super().step(step, batch)
        restored = self.network(batch.rainy)
        self.fabric.backward(self.judge(restored).sigmoid().mean().neg())
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.judging.zero_grad()
        return loss

    def state_dict(self) -> dict[str, Any]:
        judge = {"judge": self.judge.state_dict(), "judging": self.judging.state_dict()}
        return {**super().state_dict(), **judge}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.judge.load_state_dict(state["judge"])
        self.judging.load_state_dict(state["judging"])


def test_a_trainer_of_ones_own(pairs: list[Pair], tmp_path: Path) -> None:
    """Two optimisers resume exactly, and the discriminator is not among the weights."""
    method = Method("gan", "GAN", Dropped, RECIPE, trainer=TwoOptimisers)
    run(method, pairs, tmp_path / "whole")
    with pytest.raises(Interruption):
        run(method, pairs, tmp_path / "parts", stop_at=8)
    run(method, pairs, tmp_path / "parts")
    whole, parts = (tmp_path / name / "weights.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    assert read_weights(whole).keys() == Dropped().state_dict().keys()


def test_layers_reach_the_loss_cropped_and_turned_with_the_image(tmp_path: Path) -> None:
    """A depth layer that is a copy of the image stays one under every crop, flip and turn."""
    image = np.random.default_rng(0).integers(0, 255, (15, 17, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray(image[..., 0]).save(tmp_path / "depth.png")
    path = tmp_path / "image.png"
    pair = Pair("0", "0", path, path, {"depth": tmp_path / "depth.png"})
    equal: list[bool] = []

    class Deep(Dropped):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            equal.append(torch.allclose(batch.layers["depth"], batch.rainy[:, :1]))
            return super().training_loss(batch, loss)

    recipe = RECIPE.changed({"augment": ("hflip", "vflip", "rot90")})
    run(Method("deep", "D", Deep, recipe), [pair], tmp_path / "cell", layers={"depth": FileLayer("depth")})
    assert equal == [True] * 12


@pytest.mark.parametrize(
    ("recipe", "rates"),
    [
        ({"schedule": "constant"}, {0: 1e-2, 99: 1e-2}),
        ({"schedule": "cosine"}, {0: 1e-2, 50: 5e-3, 100: 0.0}),
        ({"schedule": "poly"}, {0: 1e-2, 50: 1e-2 * 0.5**0.9, 100: 0.0}),
        (
            {"schedule": "multistep", "milestones": (0.3, 0.5, 0.8), "gamma": 0.2},
            {0: 1e-2, 29: 1e-2, 30: 2e-3, 50: 4e-4, 80: 8e-5},
        ),
    ],
)
def test_learning_rate(recipe: dict[str, Any], rates: dict[int, float]) -> None:
    for step, rate in rates.items():
        assert learning_rate(RECIPE.changed(recipe), step, 100) == pytest.approx(rate)


def test_clipping_bounds_the_step(pairs: list[Pair], tmp_path: Path) -> None:
    """With plain gradient descent, no momentum, a step is at most the learning rate times the largest norm."""
    recipe = RECIPE.changed({"optimiser": "sgd", "betas": (0.0, 0.0), "steps": 1, "clip": 1e-3, "lr": 1.0})
    method = Method("clipped", "C", Dropped, recipe)
    torch.manual_seed(3)
    before = torch.cat([value.flatten() for value in Dropped().state_dict().values()])
    run(method, pairs, tmp_path / "cell")
    after = read_weights(tmp_path / "cell" / "weights.safetensors")
    moved = torch.cat([after[name].flatten() for name in Dropped().state_dict()]) - before
    assert 0 < float(moved.norm()) <= 1.001e-3


def test_a_gradient_that_is_not_finite_stops_with_the_step(pairs: list[Pair], tmp_path: Path) -> None:
    """The square root at 0 has a finite value and an infinite slope."""

    class Sharp(Dropped):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            return super().training_loss(batch, loss) + torch.sqrt(self.first.weight.sum() * 0)

    for clip in (None, 1.0):
        method = Method("sharp", "S", Sharp, RECIPE.changed({"clip": clip}))
        with pytest.raises(UserError, match=r"its gradient is (nan|inf) at step 1 of 12"):
            run(method, pairs, tmp_path / str(clip))
        assert not (tmp_path / str(clip) / "weights.safetensors").exists()


def test_a_broken_file_found_by_a_worker_is_one_line(pairs: list[Pair], tmp_path: Path) -> None:
    """The clean image is first read by the process that loads the batch."""
    clean = pairs[3].clean
    assert isinstance(clean, Path)
    clean.write_bytes(clean.read_bytes()[:60])
    fabric = choose_engine("cpu", "fp32").fabric
    with pytest.raises(UserError, match=r"clean3.png cannot be read") as caught:
        train(Variant(DROPPED), RECIPE, pairs, 3, tmp_path / "c", "k", fabric, lambda *step: None, workers=2)
    assert "\n" not in str(caught.value)
