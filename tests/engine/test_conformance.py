"""Every registered method, and every variant its paper names, passes the conformance kit; a bad one does not."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor

from derainbench.engine.conformance import CHECKS, REMEDIES, CheckOutcome, check_variant, run_check
from derainbench.metrics.losses import Loss
from derainbench.plugins.method import Batch, Derainer, Method
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe import Recipe
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant, resolve

#: Options that make a large network small enough to be tested often.
SMALL: dict[str, dict[str, object]] = {
    "brn": {"stages": 2, "width": 8},
    "dafnet": {"narrower": 16},
    "drn": {"stages": 2, "recursions": 2},
    "drsformer": {"width": 8, "blocks": "1-1-1-1"},
    "jorder": {"width": 8},
    "jordere": {"blocks": 1, "width": 8},
    "nasnet": {"blocks": 1, "width": 8},
    "nerdrain": {"width": 8, "blocks": "1-1-1", "hidden": 8},
    "prenet": {"stages": 2},
    "rescan": {"stages": 2, "depth": 5},
    "didmdn": {"classifier_side": 56},
    "deraindrop": {"width": 4},
}

#: What is tested besides the defaults and the variants that the papers name.
FURTHER = (
    "brn[supervised=both]",
    "brn[stages=1]",
    "jordere[mask=rain]",
    "nasnet[normalise=dataset]",
    "prenet[recurrence_at=end,residual=false]",
    "rescan[unit=lstm,frame=add]",
    "rescan[se=false]",
    "rescan[stages=1]",
    "didmdn[statistics=running]",
)

#: What is exported besides the defaults: tracing takes a second or more, so not every variant, but every kind of layer.
EXPORTED = (
    "jorder[network=paper,recurrences=2]",
    "nasnet[attention=se,fusion=none]",
    "prenet[recurrence=gru,sees=estimate]",
    "rescan[unit=lstm,frame=add]",
    "rescan[unit=rnn,se=false]",
)

#: Methods whose programs are for one size: SPANet's recurrences are loops over rows and columns, DAF-Net's sizes are
#: rounded up, NeRD-Rain's images cut into windows.
ONE_SIZE = {"spanet", "dafnet", "nerdrain"}

RECIPE = Recipe(lr=1e-3, steps=1, batch=1, patch=8, loss="l1")


def _small(text: str) -> Variant:
    variant = discover().variant(text)
    return Variant(variant.method, {**SMALL.get(variant.method.name, {}), **variant.options})


def _variants() -> list[Variant]:
    registry = discover()
    variants = []
    for name in registry.working():
        method = registry.get(name)
        titled = [Variant(method, {**SMALL.get(name, {}), **options}) for options in ({}, *method.variants.values())]
        variants += [*titled, *(_small(text) for text in FURTHER if parse_name(text).base == name)]
    return variants


@pytest.mark.parametrize("check", [check for check in CHECKS if check != "exports"])
@pytest.mark.parametrize("variant", _variants(), ids=lambda v: v.name)
def test_registered_methods(variant: Variant, check: str) -> None:
    torch.manual_seed(0)
    CHECKS[check](variant)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*discover().working(), *EXPORTED])
def test_registered_methods_are_exported(name: str) -> None:
    variant = _small(name)
    sizes = "for one size only" if variant.method.name in ONE_SIZE else "for any size"
    assert run_check("exports", variant) == CheckOutcome(remark=sizes)


@pytest.mark.parametrize(
    "name",
    [
        "nasnet",
        "nasnet[normalise=dataset]",
        "prenet",
        "rescan",
        "jorder",
        "jorder[network=paper]",
        "jordere",
        "didmdn",
        "deraindrop",
    ],
)
def test_whole_networks_on_the_meta_device(name: str) -> None:
    CHECKS["meta device"](discover().variant(name))


class _Broken(Derainer):
    """A pixel times a number, and whatever its option says is wrong."""

    reach = 0

    def __init__(self, fault: str = "none") -> None:
        super().__init__()
        self.fault, self.calls, self.statistic = fault, 0, 0.0
        self.scale = torch.nn.Parameter(torch.rand(1))
        if fault == "seeds itself":
            self.scale.data.fill_(random.random())
        if fault in ("unused parameter", "declared inert"):
            self.spare = torch.nn.Parameter(torch.rand(1), requires_grad=fault == "unused parameter")

    def forward(self, rainy: Tensor) -> Tensor:
        self.calls += 1
        scaled = rainy * self.scale
        faulty = {
            "loses a row": lambda: scaled[..., :-1, :],
            "looks at its neighbours": lambda: scaled + rainy.mean(),
            "looks at a pixel beside": lambda: scaled + rainy.roll(1, dims=-1),
            "remembers": lambda: scaled / self.calls,
            "trains on noise of its own": lambda: scaled + (random.random() if self.training else 0),
            "fixed device": lambda: scaled + torch.ones(1, device="cpu"),
            "not a number": lambda: scaled + float("nan"),
            "infinite": lambda: scaled + float("inf"),
            "cancels large numbers": lambda: _blend(rainy + 1000) - _blend(torch.full_like(rainy, 1000)) + 0 * scaled,
            "keeps statistics to itself": lambda: scaled + self.statistic,
            "asks for a value": lambda: scaled if rainy.mean() > 0.5 else 2 * scaled,
            "loops over rows": lambda: torch.stack(list(scaled.unbind(dim=2)), dim=2),
            "takes few sizes": lambda: scaled if rainy.shape[3] < 8 else 2 * scaled,
            "looks its size up": lambda: scaled * {1: 1.0}.get(rainy.shape[2], 1.0),
        }
        result: Tensor = faulty.get(self.fault, lambda: scaled)()
        return result

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        if self.fault == "loss on a fixed device":
            return loss(self(batch.rainy) * torch.ones(3, 1, 1, device="cpu"), batch.clean)
        return super().training_loss(batch, loss)

    def on_training_data(self, mean: Tensor, std: Tensor) -> None:
        self.statistic = float(mean[0])


def _blend(image: Tensor) -> Tensor:
    """The mean of the channels, three times, as a convolution: what autocast rounds."""
    return torch.nn.functional.conv2d(image, image.new_full((3, 3, 1, 1), 1 / 3))


class _Unexportable(_Broken):
    not_exportable = "it asks for a value"


def _check(check: str, fault: str = "none", **fields: Any) -> CheckOutcome:
    method = Method(**{"name": "broken", "title": "Broken", "network": _Broken, "recipe": RECIPE, **fields})
    return run_check(check, Variant(method, {"fault": fault}))


@pytest.mark.parametrize(
    ("fault", "check", "seen"),
    [
        ("loses a row", "any size", "made (1, 3, 0, 1) of (1, 3, 1, 1)"),
        ("not a number", "any size", "not finite at 1x1"),
        ("looks at its neighbours", "batch equals singles", "differ by"),
        ("remembers", "no memory", "the first and the third call differ by"),
        ("seeds itself", "same seed same network", "scale differs"),
        ("trains on noise of its own", "same seed same results", "the loss differs"),
        ("unused parameter", "gradients", "spare gets no gradient"),
        ("infinite", "gradients", "the loss is inf"),
        ("fixed device", "meta device", "cpu"),
        ("loss on a fixed device", "meta device", "cpu"),
        ("not a number", "bf16 autocast", "not finite under bf16"),
        ("cancels large numbers", "bf16 autocast", "of the output"),
        ("keeps statistics to itself", "weights round trip", "its reloaded copy differ"),
        ("looks at its neighbours", "stays within reach", "reach is 0"),
        ("looks at a pixel beside", "stays within reach", "1 pixels away"),
        ("asks for a value", "exports", "GuardOnDataDependent"),
        ("remembers", "exports", "exported program at another size differ by"),
        ("takes few sizes", "exports", "Guard failed"),
    ],
)
def test_the_kit_finds_faults(fault: str, check: str, seen: str) -> None:
    found = _check(check, fault)
    assert seen in found.problem
    assert found.remedy == REMEDIES[check]


def test_every_check_has_a_remedy() -> None:
    assert REMEDIES.keys() == CHECKS.keys()
    assert "not_exportable" in REMEDIES["exports"]


def test_the_kit_finds_wrong_official_names() -> None:
    one_name = _check("official names", "declared inert", official_names=lambda name: ("conv.weight",))
    assert "two tensors are called 'conv.weight'" in one_name.problem
    too_many = _check("official names", official_names=lambda name: (f"{name}.i", f"{name}.f"))
    assert "scale of shape (1,) does not divide into 2" in too_many.problem


def test_the_kit_passes_what_is_right() -> None:
    method = Method(name="fine", title="Fine", network=_Broken, recipe=RECIPE)
    found = dict(check_variant(resolve(method, parse_name("fine"))))
    assert {outcome.problem for outcome in found.values()} == {""}
    assert {check: outcome.remark for check, outcome in found.items() if outcome.remark} == {
        "stays within reach": "sees 0 pixels, 0 declared",
        "exports": "for any size",
    }


def test_what_is_no_fault_is_remarked() -> None:
    assert _check("gradients", "declared inert") == CheckOutcome(remark="declared inert: spare")
    assert _check("exports", "loops over rows") == CheckOutcome(remark="for one size only")
    assert _check("exports", "looks its size up") == CheckOutcome(remark="for one size only")
    excused = _check("exports", "asks for a value", network=_Unexportable)
    assert excused == CheckOutcome(remark="cannot be: it asks for a value")
