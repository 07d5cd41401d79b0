"""The conformance kit: what the harness relies on in a network, as checks that an author can run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from derainbench.engine.device import channels_last, choose_engine, lay_out
from derainbench.engine.restore import restore
from derainbench.errors import FOREIGN, UserError, one_line
from derainbench.metrics.losses import get_loss
from derainbench.plugins.method import Batch, Derainer
from derainbench.plugins.variant import TooLargeError, Variant
from derainbench.plugins.weights import from_official, read_weights, save_weights, to_official

#: Height and width of the images that a network must take: single pixels and lines, odd, prime, and a usual one.
SIZES = ((1, 1), (1, 17), (23, 1), (2, 2), (13, 5), (24, 32), (97, 131))

#: Largest difference of two results that should be one, in units of [0, 1]: float32 sums in another order.
TOLERANCE = 1e-5

#: Largest root-mean-square difference of bf16 from float32, relative to the output's root mean square. bf16 keeps 8
#: bits, so a layer that rounds what it reads errs by about 2^-8, and layers in a row add up like a random walk: this is
#: sqrt(100) * 2^-8, a hundred of them. The 110 layers of NASNet without attention are measured at 1.4e-2.
BF16_TOLERANCE = 10 / 2**8


class ConformanceError(Exception):
    """A network does not do what the harness relies on; the message says what was seen."""


class CheckOutcome(NamedTuple):
    """What a check found: a problem, empty where it passes, and what is worth knowing all the same.

    ``remedy`` is what to do about the problem.
    """

    problem: str = ""
    remark: str = ""
    remedy: str = ""


def check_variant(variant: Variant) -> Iterator[tuple[str, CheckOutcome]]:
    """Run every check, one after the other: its description and what it found.

    :class:`UserError` for a network too large to be built.
    """
    try:
        variant.skeleton()
    except UserError as error:
        if isinstance(error.__cause__, TooLargeError):  # no check could build it either, each after a second
            raise
    for description in CHECKS:
        yield description, run_check(description, variant)


def run_check(description: str, variant: Variant) -> CheckOutcome:
    """Run one of :data:`CHECKS`; whatever it raises is the problem."""
    torch.manual_seed(0)
    try:
        return CheckOutcome(remark=CHECKS[description](variant) or "")
    except FOREIGN as error:  # a network under test may raise anything
        return CheckOutcome(problem=f"{type(error).__name__}: {one_line(error)}", remedy=REMEDIES[description])


def any_size(variant: Variant) -> None:
    """Any image from 1x1 comes back in its own size, finite."""
    network = _build(variant).eval()
    for height, width in SIZES:
        rainy = torch.rand(1, 3, height, width)
        restored = restore(network, rainy, network.size_multiple)
        _require(restored.shape == rainy.shape, f"{tuple(rainy.shape)} became {tuple(restored.shape)}")
        _require(bool(torch.isfinite(restored).all()), f"values that are not finite at {width}x{height}")


def batch_equals_singles(variant: Variant) -> None:
    """An image does not depend on its neighbours in the batch."""
    network, rainy = _build(variant).eval(), torch.rand(3, 3, 16, 13)
    together = restore(network, rainy, network.size_multiple)
    singly = torch.cat([restore(network, one[None], network.size_multiple) for one in rainy])
    _equal(together, singly, "a batch and its single images")


def no_memory(variant: Variant) -> None:
    """The same image gives the same result, whatever came before it."""
    network, rainy = _build(variant).eval(), torch.rand(1, 3, 16, 16)
    first = restore(network, rainy, network.size_multiple)
    restore(network, torch.rand(1, 3, 24, 16), network.size_multiple)
    _equal(first, restore(network, rainy, network.size_multiple), "the first and the third call")


def same_seed_same_network(variant: Variant) -> None:
    """The initial weights depend on the random seed alone."""
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(_build(variant).state_dict())
    _identical(states[0], states[1], "between two builds with one seed")


def same_seed_same_results(variant: Variant) -> None:
    """With one seed the output, the training loss and every gradient are the same twice, to the bit."""
    runs: list[dict[str, Tensor]] = []
    for _ in range(2):
        torch.manual_seed(7)
        batch = _batch(network := _build(variant))
        runs.append({"the output": restore(network.eval(), batch.rainy, network.size_multiple)})
        if variant.method.recipe is not None:
            loss, gradients = _loss_and_gradients(variant, network, batch)
            runs[-1] |= {"the loss": loss.detach()}
            runs[-1] |= {f"the gradient of {name}": value for name, value in gradients.items() if value is not None}
    _identical(runs[0], runs[1], "between two runs with one seed")


def gradients(variant: Variant) -> str | None:
    """The training loss is a finite scalar, and every parameter that is not frozen gets a finite gradient from it.

    Remarks which parameters the network declares inert (``requires_grad=False``).
    """
    if variant.method.recipe is None:
        return None
    network = _build(variant)
    loss, found = _loss_and_gradients(variant, network, _batch(network))
    _require(loss.shape == (), f"the loss has shape {tuple(loss.shape)}, not ()")
    _require(bool(torch.isfinite(loss)), f"the loss is {loss.item()}")
    for name, gradient in found.items():
        if gradient is None:
            raise ConformanceError(f"{name} gets no gradient; where that is meant, set its requires_grad = False")
        _require(bool(torch.isfinite(gradient).all()), f"{name} gets a gradient that is not finite")
    inert = [name for name, _ in network.named_parameters() if name not in found]
    return f"declared inert: {', '.join(inert)}" if inert else None


def meta_device(variant: Variant) -> None:
    """No tensor stays on a fixed device: network and loss run on the meta device, where one would fail."""
    network = _build(variant).to("meta")
    batch = _batch(network, "meta")
    for mode in (network.train(), network.eval()):
        restored = mode(batch.rainy)
        _require(restored.device.type == "meta", f"the output is on {restored.device}")
        _require(restored.shape == batch.rainy.shape, f"the output has shape {tuple(restored.shape)}")
    if variant.method.recipe is not None:
        loss = network.train().training_loss(batch, F.mse_loss)  # the harness's own ask autocast, which has no meta
        _require(loss.device.type == "meta", f"the loss is on {loss.device}")


def bf16_autocast(variant: Variant) -> None:
    """It runs in mixed precision, stays finite, and differs from float32 by roundings only."""
    fabric = choose_engine("cpu", "bf16").fabric
    network = _build(variant).eval()
    rainy = torch.rand(1, 3, *[-(-size // network.size_multiple) * network.size_multiple for size in (16, 24)])
    with torch.inference_mode():
        exact = network(rainy)
        rounded = fabric.setup_module(network)(rainy).float()
    _require(bool(torch.isfinite(rounded).all()), "values that are not finite under bf16")
    difference = float((rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt().clamp(min=1e-6))
    _require(difference <= BF16_TOLERANCE, f"bf16 and float32 differ by {difference:.0%} of the output")


def weights_round_trip(variant: Variant) -> None:
    """All that the output depends on is in the state dict, and a file of weights keeps it to the bit."""
    network, other, rainy = _build(variant).eval(), _build(variant).eval(), torch.rand(1, 3, 16, 16)
    network.on_training_data(torch.tensor([0.3, 0.4, 0.5]), torch.tensor([0.1, 0.2, 0.3]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.safetensors")
        save_weights(path, network)
        other.load_state_dict(read_weights(path))
    _identical(network.state_dict(), other.state_dict(), "after saving and reading it")
    multiple = network.size_multiple
    _equal(restore(network, rainy, multiple), restore(other, rainy, multiple), "the network and its reloaded copy")


def official_names(variant: Variant) -> None:
    """The state dict goes into the authors' layout and comes back the same, to the bit."""
    state, layout = _build(variant).state_dict(), variant.method.official_layout
    returned = from_official(to_official(state, *layout), state, *layout)
    _identical(state, returned, "after a way through the authors' layout")


def stays_within_reach(variant: Variant) -> str | None:
    """An output pixel has no gradient from an input pixel further away than ``Derainer.reach``.

    In float64: a hundred layers make gradients that float32 rounds to zero, and its Winograd convolutions leak
    roundings into neighbours.
    """
    network = _build(variant).eval().double()
    reach, multiple = network.reach, network.size_multiple
    if reach is None:
        return "the whole image, or unknown"
    with torch.no_grad():
        for parameter in network.parameters():  # a layer that starts at zero would hide what lies behind it
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    long, thin = (2 * reach // multiple + 4) * multiple, 4 * multiple  # strips are cheap, and see as far as squares
    seen = max(_farthest_seen(network, *size) for size in ((thin, long), (long, thin)))
    _require(seen <= reach, f"an output pixel depends on one at least {seen} pixels away, and reach is {reach}")
    return f"sees {seen} pixels, {reach} declared"


def exports(variant: Variant) -> str:
    """``torch.export`` takes the network, and the exported program gives the same output.

    Remarks whether height and width stay free in it, or the reason that the network states in ``not_exportable``.
    """
    network = _build(variant).eval()
    if network.not_exportable:
        return f"cannot be: {network.not_exportable}"
    multiple = network.size_multiple
    rainy, larger = torch.rand(1, 3, 2 * multiple, 3 * multiple), torch.rand(1, 3, 5 * multiple, 9 * multiple)
    with torch.no_grad():
        try:
            program = _export(network, rainy, {2: Dim.AUTO, 3: Dim.AUTO})
        except Exception:  # whatever the tracer raises over a size that must be a number
            program = _export(network, rainy, {})
        run = program.module()
        _equal(network(rainy), run(rainy), "the network and its exported program")
        (image,) = (node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs)
        if any(is_concrete_int(size) for size in image.meta["val"].shape[-2:]):
            return "for one size only"
        _equal(network(larger), run(larger), "the network and its exported program at another size")
        return "for any size"


CHECKS: Mapping[str, Callable[[Variant], str | None]] = MappingProxyType(
    {
        check.__name__.replace("_", " "): check
        for check in (
            any_size,
            batch_equals_singles,
            no_memory,
            same_seed_same_network,
            same_seed_same_results,
            gradients,
            meta_device,
            bf16_autocast,
            weights_round_trip,
            official_names,
            stays_within_reach,
            exports,
        )
    }
)


#: What to do where a check fails.
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "any size": "give the class size_multiple = N where sides must be multiples, and return the input's shape",
        "batch equals singles": "in evaluation normalise by an image's own or by kept statistics",
        "no memory": "keep nothing on self in forward; what a recurrence remembers begins anew with each call",
        "same seed same network": "draw initial weights from torch's generator alone, and seed nothing in __init__",
        "same seed same results": "draw noise from torch's generator alone, and seed nothing in forward",
        "gradients": "let training_loss use every parameter, or set requires_grad = False on one that is there for a "
        "file's sake",
        "meta device": "make tensors where the input is, as x.new_zeros(...) does, and keep constants by "
        "register_buffer",
        "bf16 autocast": "do not subtract large numbers that nearly cancel; what must be exact belongs in "
        "torch.autocast(x.device.type, enabled=False)",
        "weights round trip": "keep all that the output depends on in parameters and buffers",
        "official names": "let official_names give every parameter and buffer names of its own",
        "stays within reach": "give a larger reach, or None for the whole image",
        "exports": 'say why in the class, not_exportable = "...", or let forward ask for no value of a tensor and '
        "make no choice by the image's size",
    }
)


def _build(variant: Variant) -> Derainer:
    """The network as the harness lays it out in memory."""
    network = variant.build()
    lay_out(network)
    return network


class _AnyLayer(dict[str, Tensor]):
    """Stands in for whatever layers the method's datasets have."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self._like = like

    def __missing__(self, name: str) -> Tensor:
        return self.setdefault(name, torch.rand_like(self._like[:, :1]))


def _batch(network: Derainer, device: str = "cpu") -> Batch:
    side = 32 + -32 % network.size_multiple
    clean = torch.rand(2, 3, side, side, device=device)
    rainy = (clean + 0.3 * (torch.rand(2, 1, side, side, device=device) > 0.9)).clamp(0, 1)
    return Batch(channels_last(rainy), clean, _AnyLayer(rainy))


def _loss_and_gradients(variant: Variant, network: Derainer, batch: Batch) -> tuple[Tensor, dict[str, Tensor | None]]:
    """The training loss, and its gradient (None: there is none) by each parameter that is not frozen."""
    assert variant.method.recipe is not None
    loss = network.train().training_loss(batch, get_loss(variant.method.recipe.loss, network.own_losses))
    parameters = {name: value for name, value in network.named_parameters() if value.requires_grad}
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return loss, dict(zip(parameters, found, strict=True))


def _farthest_seen(network: Derainer, height: int, width: int) -> int:
    """Distance in pixels (the larger of rows and columns) from an output pixel in the middle to the last it sees."""
    farthest = 0
    for phase in {0, network.size_multiple - 1}:  # where a strided network samples, and as far from it as can be
        row, column = height // 2 + phase, width // 2 + phase
        rainy = torch.rand(1, 3, height, width, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(rainy)[..., row, column].sum(), rainy)
        rows, columns = (gradient != 0).any(dim=1)[0].nonzero(as_tuple=True)
        if len(rows):
            farthest = max(farthest, int((rows - row).abs().max()), int((columns - column).abs().max()))
    return farthest


def _export(network: Derainer, rainy: Tensor, free: dict[int, Any]) -> ExportedProgram:
    """The network as a program for one image; ``free`` are the dimensions of it that need not stay as they are."""
    return torch.export.export(network, (rainy,), dynamic_shapes=(free,), strict=False)


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ConformanceError(problem)


def _equal(first: Tensor, second: Tensor, what: str) -> None:
    difference = float((first - second).abs().max())
    _require(difference <= TOLERANCE, f"{what} differ by {difference:.2g}")


def _identical(first: Mapping[str, Tensor], second: Mapping[str, Tensor], when: str) -> None:
    for name in {**first, **second}:
        same = name in first and name in second and torch.equal(first[name], second[name])
        _require(same, f"{name} differs {when}")
