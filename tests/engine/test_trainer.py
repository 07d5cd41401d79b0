"""One optimisation step: in which precision it really computes, and what becomes of numbers that are too large."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from derainbench.engine.device import Engine, Precision, choose_engine
from derainbench.engine.restore import restorer
from derainbench.engine.trainer import SMALLEST_SCALE, Trainer
from derainbench.errors import UserError
from derainbench.metrics.losses import Loss, get_loss
from derainbench.plugins.method import Batch, Derainer
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover

RECIPE = Recipe(lr=1e-2, steps=4, batch=2, patch=16, loss="l1+ssim")


def batch() -> Batch:
    torch.manual_seed(1)
    clean = torch.rand(2, 3, 16, 16)
    return Batch((clean + 0.2).clamp(0, 1), clean)


def watched(network: nn.Module) -> set[torch.dtype]:
    """The types that the network's convolutions give from now on."""
    seen: set[torch.dtype] = set()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: seen.add(output.dtype))
    return seen


@pytest.mark.parametrize(
    "name", ["prenet", "nasnet[blocks=2]", "rescan", "spanet", "jorder[width=8]", "jordere[blocks=1,width=8]"]
)
@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_a_training_step_computes_in_the_precision_it_is_called_by(
    name: str, precision: str, dtype: torch.dtype
) -> None:
    variant = discover().variant(name)
    network = variant.build()
    losses: list[tuple[torch.dtype, torch.dtype, torch.dtype]] = []

    def loss(restored: Tensor, clean: Tensor) -> Tensor:
        value = get_loss("l1+ssim")(restored, clean)
        losses.append((clean.dtype, value.dtype, restored.dtype))
        return value

    trainer = Trainer(choose_engine("cpu", precision).fabric, network, RECIPE, 4)
    trainer.loss = loss
    seen = watched(network)
    assert trainer.step(0, batch()).dtype == torch.float32
    assert seen == {dtype}
    assert {(clean, value) for clean, value, _ in losses} == {(torch.float32, torch.float32)}
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


class Residual(Derainer):
    """Adds nothing to its input, by a convolution of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        for parameter in self.conv.parameters():
            nn.init.zeros_(parameter)

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = rainy + self.conv(rainy)
        return restored


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_images_are_not_rounded_to_sixteen_bits(precision: str) -> None:
    """What a network adds its prediction to is the image itself; rounded, it alone would cost 50 dB."""
    network, rainy = Residual(), torch.rand(1, 3, 16, 16)
    seen = watched(network)
    restored = restorer(choose_engine("cpu", precision).fabric, network)(rainy)
    assert torch.equal(restored, rainy)
    assert seen == {torch.bfloat16 if precision == "bf16" else torch.float16}


class Steep(Derainer):
    """A gradient that fp16 cannot hold once the loss is multiplied by its scale, or at all."""

    def __init__(self, slope: float = 1e3) -> None:
        super().__init__()
        self.conv, self.slope = nn.Conv2d(3, 3, 1), slope

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = self.conv(rainy)
        return restored

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        return self.slope * super().training_loss(batch, loss)


def scale(trainer: Trainer) -> float:
    return float(trainer.state_dict()["scaler"]["scale"])


def test_fp16_halves_its_scale_where_a_gradient_is_too_large() -> None:
    trainer = Trainer(choose_engine("cpu", "fp16").fabric, Steep(), RECIPE.changed({"loss": "mse"}), 4)
    before, scales = [p.clone() for p in trainer.network.parameters()], [scale(trainer)]
    losses = []
    for step in range(12):
        losses.append(float(trainer.step(step % 4, batch())))
        scales.append(scale(trainer))
    assert all(0 < loss < 1e6 for loss in losses), "what is told is the loss, not the gradient that was left out"
    assert scales[1] < scales[0]
    assert scales[-1] == scales[-2] > SMALLEST_SCALE, "it found a scale that fits"
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.network.parameters(), strict=True))


def test_fp16_gives_up_on_a_gradient_that_no_scale_makes_finite() -> None:
    class Infinite(Steep):
        def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
            return super().training_loss(batch, loss) + torch.sqrt(self.conv.weight.sum() * 0)

    trainer = Trainer(choose_engine("cpu", "fp16").fabric, Infinite(), RECIPE, 4)
    told = [float(trainer.step(0, batch())) for _ in range(30)]
    finite = [math.isfinite(loss) for loss in told]
    assert finite == sorted(finite, reverse=True), "as long as a smaller scale may help, nothing is told"
    assert finite.count(True) == 16  # from 65536 to 1


def test_the_scale_of_fp16_is_part_of_the_state() -> None:
    trainers = [
        Trainer(choose_engine("cpu", "fp16").fabric, Steep(), RECIPE.changed({"loss": "mse"}), 4) for _ in range(2)
    ]
    for step in range(4):
        trainers[0].step(step, batch())
    trainers[1].load_state_dict(trainers[0].state_dict())
    assert scale(trainers[1]) == scale(trainers[0]) < 65536


def test_a_training_in_fp16_does_not_know_of_the_one_before_it() -> None:
    """A run's cells share a device: what one ended with must not be what the next begins with."""
    fabric = choose_engine("cpu", "fp16").fabric
    scales = []
    for _ in range(2):
        trainer = Trainer(fabric, Steep(), RECIPE.changed({"loss": "mse"}), 4)
        scales.append(scale(trainer))
        trainer.step(0, batch())
    assert scales == [65536, 65536]
    assert scale(trainer) < 65536


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_other_precisions_have_no_scale(precision: str) -> None:
    trainer = Trainer(choose_engine("cpu", precision).fabric, Steep(), RECIPE, 4)
    assert trainer.state_dict().keys() == {"network", "optimiser"}


def test_tf32_is_refused_where_it_would_be_fp32() -> None:
    with pytest.raises(UserError, match=r"cpu has no tf32.*--precision fp32"):
        choose_engine("cpu", "tf32")


@pytest.fixture
def _tf32_as_it_was() -> Iterator[None]:
    yield
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


@pytest.mark.usefixtures("_tf32_as_it_was")
@pytest.mark.parametrize(("precision", "allowed"), [("tf32", True), ("fp32", False)])
def test_tf32_is_for_convolutions_and_matrix_products(precision: Precision, allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = not allowed
    assert Engine(torch.device("cpu"), precision).fabric is not None
    assert torch.backends.cudnn.allow_tf32 is allowed
    assert torch.backends.cuda.matmul.allow_tf32 is allowed
