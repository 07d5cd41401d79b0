"""The conformance kit: what the harness relies on in a network, as checks that an author can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from derainbench.engine import choose_engine
from derainbench.errors import one_line
from derainbench.losses import get_loss
from derainbench.method import Batch, Derainer
from derainbench.restore import restore
from derainbench.variant import Variant

#: Height and width of the images that a network must take.
SIZES = ((1, 1), (1, 7), (13, 5), (24, 32), (33, 47))

_TOLERANCE = 1e-5


class ConformanceError(Exception):
    """A network does not do what the harness relies on; the message says what was seen."""


def check_variant(variant: Variant) -> dict[str, str]:
    """Run every check: its description to the problem found, empty where it passes."""
    results = {}
    for description, check in CHECKS.items():
        torch.manual_seed(0)
        try:
            check(variant)
        except Exception as error:  # a network under test may raise anything
            results[description] = f"{type(error).__name__}: {one_line(error)}"
        else:
            results[description] = ""
    return results


def any_size(variant: Variant) -> None:
    """Any image from 1x1 comes back in its own size, finite."""
    network = variant.build().eval()
    for height, width in SIZES:
        rainy = torch.rand(1, 3, height, width)
        restored = restore(network, rainy, network.size_multiple)
        _require(restored.shape == rainy.shape, f"{tuple(rainy.shape)} became {tuple(restored.shape)}")
        _require(bool(torch.isfinite(restored).all()), f"values that are not finite at {width}x{height}")


def batch_equals_singles(variant: Variant) -> None:
    """An image does not depend on its neighbours in the batch."""
    network, rainy = variant.build().eval(), torch.rand(3, 3, 16, 16)
    together = restore(network, rainy, network.size_multiple)
    singly = torch.cat([restore(network, one[None], network.size_multiple) for one in rainy])
    _equal(together, singly, "a batch and its single images")


def no_memory(variant: Variant) -> None:
    """The same image gives the same result, whatever came before it."""
    network, rainy = variant.build().eval(), torch.rand(1, 3, 16, 16)
    first = restore(network, rainy, network.size_multiple)
    restore(network, torch.rand(1, 3, 24, 16), network.size_multiple)
    _equal(first, restore(network, rainy, network.size_multiple), "the first and the third call")


def same_seed_same_network(variant: Variant) -> None:
    """The initial weights depend on the random seed alone."""
    networks: list[Derainer] = []
    for _ in range(2):
        torch.manual_seed(7)
        networks.append(variant.build())
    for (name, first), second in zip(networks[0].state_dict().items(), networks[1].state_dict().values(), strict=True):
        _require(torch.equal(first, second), f"{name} differs between two builds with one seed")


def gradients(variant: Variant) -> None:
    """The training loss is a finite scalar, and every parameter that is not frozen gets a finite gradient from it."""
    if variant.method.recipe is None:
        return
    network = variant.build().train()
    loss = network.training_loss(_batch(), get_loss(variant.method.recipe.loss))
    _require(loss.shape == (), f"the loss has shape {tuple(loss.shape)}, not ()")
    _require(bool(torch.isfinite(loss)), f"the loss is {loss.item()}")
    parameters = {name: value for name, value in network.named_parameters() if value.requires_grad}
    for (name, _), gradient in zip(
        parameters.items(), torch.autograd.grad(loss, list(parameters.values()), allow_unused=True), strict=True
    ):
        _require(gradient is not None, f"{name} gets no gradient")
        _require(bool(torch.isfinite(gradient).all()), f"{name} gets a gradient that is not finite")


def meta_device(variant: Variant) -> None:
    """No tensor stays on a fixed device: the network moves to the meta device and runs there, where one would fail."""
    network = variant.build().to("meta")
    side = 16 * network.size_multiple
    for mode in (network.train(), network.eval()):
        restored = mode(torch.empty(2, 3, side, side, device="meta"))
        _require(restored.device.type == "meta", f"the output is on {restored.device}")
        _require(restored.shape == (2, 3, side, side), f"the output has shape {tuple(restored.shape)}")


def bf16_autocast(variant: Variant) -> None:
    """It runs in mixed precision and stays finite."""
    fabric = choose_engine("cpu", "bf16").fabric
    network = variant.build().eval()
    restored = restore(fabric.setup_module(network), torch.rand(1, 3, 16, 16), network.size_multiple)
    _require(bool(torch.isfinite(restored).all()), "values that are not finite under bf16")


def weights_round_trip(variant: Variant) -> None:
    """All that the output depends on is in the state dict."""
    network, rainy = variant.build().eval(), torch.rand(1, 3, 16, 16)
    other = variant.build().eval()
    other.load_state_dict(network.state_dict())
    multiple = network.size_multiple
    _equal(restore(network, rainy, multiple), restore(other, rainy, multiple), "the network and its reloaded copy")


CHECKS: Mapping[str, Callable[[Variant], None]] = MappingProxyType(
    {
        check.__name__.replace("_", " "): check
        for check in (
            any_size,
            batch_equals_singles,
            no_memory,
            same_seed_same_network,
            gradients,
            meta_device,
            bf16_autocast,
            weights_round_trip,
        )
    }
)


class _AnyLayer(dict[str, Tensor]):
    """Stands in for whatever layers the method's datasets have."""

    def __missing__(self, name: str) -> Tensor:
        return self.setdefault(name, torch.rand(2, 1, 32, 32))


def _batch() -> Batch:
    clean = torch.rand(2, 3, 32, 32)
    rainy = (clean + 0.3 * (torch.rand(2, 1, 32, 32) > 0.9)).clamp(0, 1)
    return Batch(rainy, clean, _AnyLayer())


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ConformanceError(problem)


def _equal(first: Tensor, second: Tensor, what: str) -> None:
    difference = float((first - second).abs().max())
    _require(difference <= _TOLERANCE, f"{what} differ by {difference:.2g}")
