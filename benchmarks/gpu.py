"""Every network on a GPU, training and restoring, in each precision: ``python -m benchmarks.gpu``.

Each row is one network in one precision. The plain transcription and ours take turns with a matrix product in that
precision, the most that the device was seen to compute; "of it" is the fraction that each reaches, by the arithmetic of
the plain network. With ``--compile`` only training is measured, ours also as ``derainbench run --compile`` has it.
Waits are the times that this process waited for the device in one training step of ours.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.networks import METHODS, Pair, build, fitting, gmac, rainy_photograph
from benchmarks.timing import MATRIX_SIDE, interleaved, machine, parse, parser, refuse_unequal, table
from benchmarks.training_step import PLAIN_LOSSES, patches, plain_step, recipe_of
from derainbench.engine.compiled import compile_training
from derainbench.engine.device import Engine, Precision, choose_engine
from derainbench.engine.restore import prepare, restore
from derainbench.engine.trainer import Trainer
from derainbench.metrics.losses import get_loss

#: Height and width of Rain100L's images, and the patches and batches of the recipes.
IMAGE, QUICK_IMAGE, QUICK_PATCH, QUICK_BATCH = (321, 481), (24, 33), 16, 1
PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
#: Of the largest output: between two orders of float32 operations.
TOLERANCE = 1e-4

HEADERS = (
    "network",
    "what",
    "precision",
    "GMAC",
    "plain ms",
    "ours ms",
    "ratio",
    "plain, of it",
    "ours, of it",
    "compiled ms",
    "waits",
)
DIGITS = (None, None, None, 0, 1, 1, 2, 2, 2, 1, 0)

Calls = dict[str, Callable[[], object]]


class Task(NamedTuple):
    """Something that both networks do: in how much arithmetic, by which calls, and how often ours waits."""

    what: str
    work: float
    calls: Calls
    waits: int | None = None


def restoring(name: str, pair: Pair, engine: Engine, quick: bool) -> Task:
    """One image, batch 1."""
    size = fitting(pair.ours, QUICK_IMAGE if quick else IMAGE)
    device = str(engine.fabric.device)
    rainy, plain = rainy_photograph(*size).to(device), copy.deepcopy(pair.plain).to(device)

    def run_plain() -> torch.Tensor:
        with torch.inference_mode(), engine.autocast():
            return plain.restore(rainy)

    prepared = prepare(engine.fabric, copy.deepcopy(pair.ours))

    def run() -> torch.Tensor:
        return restore(prepared, rainy, pair.ours.size_multiple)

    calls: Calls = {"plain": run_plain, "ours": run}
    if engine.precision == "fp32":
        refuse_unequal(name, run(), run_plain().float().clamp(0, 1), TOLERANCE)
    return Task(f"restore {size[0]}x{size[1]}", gmac(copy.deepcopy(pair.plain), *size), calls)


def training(name: str, pair: Pair, engine: Engine, quick: bool, compiled: bool) -> Task:
    """One step of the authors' recipe."""
    recipe = recipe_of(name)
    side, size = (QUICK_PATCH, QUICK_BATCH) if quick else (recipe.patch, recipe.batch)
    side, _ = fitting(pair.ours, (side, side))
    device = str(engine.fabric.device)
    batch = patches(side, size, device)
    step = plain_step(name, copy.deepcopy(pair.plain).to(device), recipe, batch)

    def run_plain() -> None:
        with engine.autocast():
            step()

    def ours(compile_it: bool) -> Callable[[], torch.Tensor]:
        network = copy.deepcopy(pair.ours).train()
        if compile_it:
            compile_training(network)
        trainer = Trainer(engine.fabric, network, recipe, steps=1_000_000)
        return lambda: trainer.step(0, batch)

    run = ours(False)
    calls: Calls = {"plain": run_plain, "ours": run}
    if compiled:
        calls["compiled"] = ours(True)
    return Task(f"train {size}x{side}x{side}", step_gmac(name, pair, side, size), calls, waits(run, device))


def step_gmac(name: str, pair: Pair, side: int, size: int) -> float:
    """1e9 multiply-accumulates of the plain network's loss and its gradients, counted on few pixels of one patch."""
    few = 32
    plain, batch = copy.deepcopy(pair.plain).train(), patches(few, 1, "cpu")
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(PLAIN_LOSSES[name](plain, batch, get_loss(recipe_of(name).loss)))
    return float(counter.get_total_flops() / 2e9 * size * side**2 / few**2)


def waits(step: Callable[[], object], device: str) -> int | None:
    """How often a step waits for the GPU, as torch tells it; None elsewhere."""
    step()
    if not device.startswith("cuda"):
        return None
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing" in str(each.message) for each in caught)


def product(engine: Engine, quick: bool) -> tuple[Callable[[], object], float]:
    """A matrix product in the engine's precision, and its size in GMAC."""
    device = engine.fabric.device
    side = 256 if quick else MATRIX_SIDE[device.type]
    dtype = torch.bfloat16 if engine.precision == "bf16" else torch.float32
    a, b = torch.rand(2, side, side, device=device).to(dtype).unbind()
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out), side**3 / 1e9


def row(name: str, precision: Precision, task: Task, ms: Mapping[str, float], rate: float) -> tuple[object, ...]:
    plain, ours = ms["plain"], ms["ours"]
    of_it = (task.work / plain / rate, task.work / ours / rate)
    return name, task.what, precision, task.work, plain, ours, plain / ours, *of_it, ms.get("compiled"), task.waits


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--device", default="cuda", help="cuda, cuda:N, cpu (default: %(default)s)")
    known.add_argument("--networks", nargs="+", choices=METHODS, default=list(METHODS), help="which (default: all)")
    known.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS), help="(default: all)")
    known.add_argument("--compile", action="store_true", help="training alone, compiled too: minutes a network")
    options = parse(known)
    rows, rates, device = [], list[str](), options.device
    for precision in options.precisions:
        engine = choose_engine(options.device, precision)
        device = str(engine.fabric.device)
        multiply, size = product(engine, options.quick)
        for _ in range(3):
            multiply()
        for name in options.networks:
            pair = build(name)
            tasks = [] if options.compile else [restoring(name, pair, engine, options.quick)]
            for task in [*tasks, training(name, pair, engine, options.quick, options.compile)]:
                for call in task.calls.values():
                    call()
                    call()
                ms = interleaved({**task.calls, "product": multiply}, options.repeats, device)
                rows.append(row(name, precision, task, ms, size / ms["product"]))
                print(*rows[-1], flush=True)
        rates.append(f"{precision} {size / ms['product']:.0f}")
    rows.sort(key=lambda each: (options.networks.index(each[0]), str(each[1])))
    print(f"\nMedians of {options.repeats} interleaved rounds; ratio = plain / ours. {machine(device)}.")
    print(f"A matrix product, in TMAC/s: {', '.join(rates)}.\n")
    print(table(rows, HEADERS, DIGITS))


if __name__ == "__main__":
    main()
