"""Restoring one image: derainbench's networks against plain transcriptions of the same, at equal output.

The plain networks run as written under ``torch.inference_mode``; ours through what the product uses (Fabric,
``restore``), in float32 and in bf16. Each round runs all of them once and multiplies two float32 matrices, by each
library there is: the faster is what the device can do at most, of which the networks reach a fraction. Their arithmetic
is counted on the plain network, for ours too, although ours leaves some of it out. Where the processor has no bf16
(torch emulates it, at twenty times the time), bf16 is compared and not timed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.networks import build_published, fitting, gmac, rainy_photograph
from benchmarks.timing import interleaved, machine, matrix_products, parse, parser, refuse_unequal, table
from derainbench.engine.device import Precision, choose_engine
from derainbench.engine.restore import prepare, restore
from derainbench.methods._irnn import irnn
from derainbench.methods.ddn import base
from derainbench.plugins.method import Derainer
from tests.oracles.ddn import guided
from tests.oracles.spanet import SpacialIRNN

#: Height and width of the image, up to the next that a network takes. NASNet and JORDER-E, 1 and 0.6 TMAC at 321x481,
#: have a ninth of it, so that the benchmark ends in time.
SIZES = {
    "prenet": (321, 481),
    "rescan": (321, 481),
    "spanet": (321, 481),
    "nasnet": (107, 161),
    "ddn": (321, 481),
    "jorder": (321, 481),
    "jordere": (107, 161),
    "dgnl": (321, 481),
    "didmdn": (321, 481),
    "deraindrop": (321, 481),
    "dafnet": (321, 481),
    "drn": (321, 481),
    "brn": (321, 481),
}
QUICK_SIZE = (24, 33)
RECURRENCE_SIDE = 256
RECURRENCE_WIDTH = 32
#: Of the largest output, between two orders of float32 operations.
TOLERANCE = 1e-4

HEADERS = (
    "network",
    "size",
    "weights",
    "GMAC",
    "plain ms",
    "ours ms",
    "ratio",
    "matrix GMAC/s",
    "plain, of it",
    "ours, of it",
    "bf16 ms",
    "bf16 ratio",
    "bf16 agrees to dB",
)
DIGITS = (None, None, None, 1, 0, 0, 2, 0, 2, 2, 0, 2, 1)


def ready(ours: Derainer, device: str, precision: Precision, rainy: Tensor) -> Callable[[], Tensor]:
    """A network as the product runs it."""
    network = prepare(choose_engine(device, precision).fabric, copy.deepcopy(ours))
    return lambda: restore(network, rainy, ours.size_multiple)


def has_bf16(device: str) -> bool:
    """Whether the device computes in bf16 by itself."""
    # torch.cpu tells this of AVX-512 and AMX only; oneDNN, whose kernels these are, of every processor.
    return device.startswith("cuda") or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def measure_network(name: str, size: tuple[int, int], repeats: int, device: str) -> tuple[object, ...]:
    """A row of the table."""
    (ours, plain), weights = build_published(name)
    plain.to(device)
    size = fitting(ours, size)
    rainy = rainy_photograph(*size).to(device)

    def run_plain() -> Tensor:
        with torch.inference_mode():
            return plain.restore(rainy)

    run, run_bf16 = (ready(ours, device, precision, rainy) for precision in ("fp32", "bf16"))
    products, product_gmac = matrix_products(device)
    restored = run()
    refuse_unequal(name, restored, run_plain().clamp(0, 1), TOLERANCE)
    agreement = -10 * math.log10(float((run_bf16() - restored).square().mean()))
    timed = {"plain": run_plain, "ours": run} | ({"bf16": run_bf16} if has_bf16(device) else {})
    ms = interleaved({**timed, **products}, repeats, device)
    work, rate = gmac(plain, *size), product_gmac / min(ms[name] for name in products)
    fractions = (work / ms["plain"] / rate, work / ms["ours"] / rate)
    return (
        name,
        "x".join(map(str, size)),
        weights,
        work,
        ms["plain"],
        ms["ours"],
        ms["plain"] / ms["ours"],
        1e3 * rate,
        *fractions,
        ms.get("bf16"),
        ms["ours"] / ms["bf16"] if "bf16" in ms else None,
        agreement,
    )


def measure_recurrence(side: int, repeats: int, device: str) -> tuple[object, ...]:
    """SPANet's recurrence alone, in four directions; each side from the layout that its network has."""
    torch.manual_seed(0)
    plain = SpacialIRNN(RECURRENCE_WIDTH).to(device)
    convs = (plain.up_weight, plain.right_weight, plain.down_weight, plain.left_weight)
    weight = torch.stack([conv.weight.detach().flatten() for conv in convs])
    bias = torch.stack([conv.bias.detach() for conv in convs if conv.bias is not None])
    x = torch.randn(1, RECURRENCE_WIDTH, side, side, device=device)
    x_channels_last = x.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run_plain() -> tuple[Tensor, ...]:
        gathered: tuple[Tensor, ...] = plain(x)
        return gathered

    @torch.inference_mode()
    def run() -> tuple[Tensor, ...]:
        return irnn(x_channels_last, weight, bias)

    refuse_unequal("recurrence", torch.cat(run(), 1), torch.cat(run_plain(), 1), TOLERANCE)
    ms = interleaved({"plain": run_plain, "ours": run}, repeats, device)
    return f"{side}x{side}", RECURRENCE_WIDTH, ms["plain"], ms["ours"], ms["plain"] / ms["ours"]


def measure_filter(size: tuple[int, int], repeats: int, device: str) -> tuple[object, ...]:
    """DDN's guided filter alone."""
    rainy = rainy_photograph(*size).to(device)
    filters = {"plain": partial(guided, rainy), "ours": partial(base, rainy)}
    with torch.inference_mode():
        refuse_unequal("filter", filters["ours"](), filters["plain"](), 1e-6)
        ms = interleaved(filters, repeats, device)
    return "x".join(map(str, size)), ms["plain"], ms["ours"], ms["plain"] / ms["ours"]


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N (default: %(default)s)")
    known.add_argument("--networks", nargs="+", choices=SIZES, help="which (default: all; with --quick two)")
    options = parse(known)
    # The whole name of the device, and what Fabric sets on first use (no TF32), for both sides.
    engine = choose_engine(options.device, "fp32")
    device = str(engine.fabric.device)

    rows = [
        measure_network(name, QUICK_SIZE if options.quick else SIZES[name], options.repeats, device)
        for name in options.networks or list(SIZES)[: 2 if options.quick else None]
    ]
    side = 32 if options.quick else RECURRENCE_SIDE
    recurrence = measure_recurrence(side, options.repeats if options.quick else 3 * options.repeats, device)
    print(f"One image, batch 1, float32; medians of {options.repeats} interleaved rounds; ratio = plain / ours.")
    print(f"{machine(device)}.\n")
    print(table(rows, HEADERS, DIGITS))
    print("\nSPANet's recurrence in four directions against a loop over rows and columns:\n")
    headers = ("size", "channels", "loop ms", "ours ms", "ratio")
    print(table([recurrence], headers, (None, None, 2, 2, 2)))
    print("\nDDN's guided filter against one by differences of cumulative sums in float64:\n")
    size = QUICK_SIZE if options.quick else SIZES["ddn"]
    row = measure_filter(size, options.repeats if options.quick else 3 * options.repeats, device)
    print(table([row], ("size", "sums ms", "ours ms", "ratio"), (None, 2, 2, 2)))


if __name__ == "__main__":
    main()
