"""Every registered method, and every variant its paper names, passes the conformance kit; a bad one does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from derainbench.conformance import CHECKS, check_variant
from derainbench.method import Derainer, Method
from derainbench.names import parse_name
from derainbench.recipe import Recipe
from derainbench.registry import discover
from derainbench.variant import Variant, resolve

#: Options that make a large network small enough to be tested often.
SMALL = {"nasnet": {"blocks": 1, "width": 8}}

RECIPE = Recipe(lr=1e-3, steps=1, batch=1, patch=8, loss="l1")


def _variants() -> list[Variant]:
    registry = discover()
    variants = []
    for name in registry.names():
        method = registry.get(name)
        for options in ({}, *method.variants.values()):
            variants.append(Variant(method, {**SMALL.get(name, {}), **options}))
    return variants


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("variant", _variants(), ids=lambda v: v.name)
def test_registered_methods(variant: Variant, check: str) -> None:
    torch.manual_seed(0)
    CHECKS[check](variant)


@pytest.mark.parametrize("name", ["nasnet", "nasnet[normalise=dataset]", "prenet"])
def test_whole_networks_on_the_meta_device(name: str) -> None:
    CHECKS["meta device"](discover().variant(name))


class _Broken(Derainer):
    """Does whatever its option says is wrong."""

    def __init__(self, fault: str = "none") -> None:
        super().__init__()
        self.fault, self.calls = fault, 0
        self.scale = torch.nn.Parameter(torch.rand(1))
        if fault == "unused parameter":
            self.unused = torch.nn.Parameter(torch.rand(1))

    def forward(self, rainy: Tensor) -> Tensor:
        self.calls += 1
        faulty = {
            "loses a row": lambda: rainy[..., :-1, :] * self.scale,
            "looks at its neighbours": lambda: rainy * self.scale + rainy.mean(),
            "remembers": lambda: rainy * self.scale / self.calls,
            "fixed device": lambda: rainy * self.scale + torch.ones(1, device="cpu"),
            "not a number": lambda: rainy * self.scale + float("nan"),
            "infinite": lambda: rainy * self.scale + float("inf"),
        }
        result: Tensor = faulty.get(self.fault, lambda: rainy * self.scale)()
        return result


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("loses a row", "any size"),
        ("not a number", "any size"),
        ("looks at its neighbours", "batch equals singles"),
        ("remembers", "no memory"),
        ("fixed device", "meta device"),
        ("unused parameter", "gradients"),
        ("not a number", "bf16 autocast"),
        ("infinite", "gradients"),
    ],
)
def test_the_kit_finds_faults(fault: str, check: str) -> None:
    method = Method(name="broken", title="Broken", network=_Broken, recipe=RECIPE)
    assert check_variant(Variant(method, {"fault": fault}))[check]


def test_the_kit_passes_what_is_right() -> None:
    method = Method(name="fine", title="Fine", network=_Broken, recipe=RECIPE)
    assert set(check_variant(resolve(method, parse_name("fine"))).values()) == {""}
