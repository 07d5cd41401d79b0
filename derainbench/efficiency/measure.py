"""Measures networks, each image size in a process of its own: one that runs out of memory takes nothing else along."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from derainbench.efficiency.latency import time_runs
from derainbench.efficiency.macs import described
from derainbench.efficiency.memory import peak_of
from derainbench.efficiency.record import EfficiencyRow, Seconds
from derainbench.engine.device import choose_engine
from derainbench.engine.restore import prepare, restore
from derainbench.errors import FOREIGN, UserError, one_line
from derainbench.plugins.registry import discover
from derainbench.plugins.variant import Variant


@dataclass(frozen=True)
class Conditions:
    """How to measure: ``repeats`` None means as many as fit (:mod:`.latency`); ``threads`` are torch's."""

    device: str
    precision: str
    threads: int
    repeats: int | None = None
    plugins: tuple[Path, ...] = ()


def networks_of(variants: Sequence[Variant]) -> list[Variant]:
    """The networks of some variants, each once, without their weights: the values of weights cost nothing."""
    plain = [Variant(variant.method, variant.options) for variant in variants]
    return list({variant.name: variant for variant in plain}.values())


def measured(
    variants: Sequence[Variant], sizes: Sequence[tuple[int, int]], conditions: Conditions
) -> Iterator[EfficiencyRow]:
    """A row for each network and size (width, height), as they are ready; what fails is a row with its error."""
    for variant in networks_of(variants):
        for width, height in sizes:
            row = _counted(variant, width, height)
            yield row if row.error else row.model_copy(update=_in_new_process(row, conditions))


def _counted(variant: Variant, width: int, height: int) -> EfficiencyRow:
    common: dict[str, Any] = {"method": variant.name, "title": variant.title, "width": width, "height": height}
    try:
        parameters = variant.parameters()
    except UserError as error:
        return EfficiencyRow(**common, parameters=None, error=str(error))
    macs = described(variant, height, width)
    return EfficiencyRow(**common, parameters=parameters, macs=None if macs is None else macs["macs"])


def _in_new_process(row: EfficiencyRow, conditions: Conditions) -> dict[str, Any]:
    """What :func:`costs` finds, in a fresh process; what becomes of a process that dies is an ``error``."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send, args=(sender, row, conditions), daemon=True)
    with closing(receiver):
        process.start()
        sender.close()  # the other end is the process's alone, so that its death is seen here
        try:
            found: dict[str, Any] = receiver.recv()
        except EOFError:
            process.join()
            return {"error": _death(process.exitcode or 0)}
        finally:
            process.kill()  # at the latest when this is interrupted; it has nothing to put in order
            process.join()
    return found


def _death(status: int) -> str:
    if status == -9:  # SIGKILL, which Windows' Python has no name for
        return "its process was killed, most likely for want of memory"
    return f"its process died (signal {-status})" if status < 0 else f"its process ended with status {status}"


def _send(sender: Connection, row: EfficiencyRow, conditions: Conditions) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C goes to all; this one says nothing about it
    try:
        found = costs(row.method, row.width, row.height, conditions)
    except FOREIGN as error:  # whatever a network raises, or its device
        found = {"error": reason(error)}
    sender.send(found)


def costs(name: str, width: int, height: int, conditions: Conditions) -> dict[str, Any]:
    """Memory and time of one image through the network called ``name``, whole and as a run restores it, for a row.

    The weights are random: their values change nothing. Meant for a fresh process, whose memory tells something.
    """
    torch.set_num_threads(conditions.threads)
    torch.manual_seed(0)
    engine = choose_engine(conditions.device, conditions.precision)
    derainer = discover(conditions.plugins).variant(name).build()
    network = prepare(engine.fabric, derainer)
    rainy = torch.rand(1, 3, height, width).to(engine.device)

    def run() -> object:
        return restore(network, rainy, derainer.size_multiple)

    peak = peak_of(run, engine.device)
    timing = time_runs(run, engine.device, conditions.repeats)
    return {
        "seconds": Seconds(**timing._asdict()),
        "peak_bytes": peak.peak,
        "before_bytes": peak.before,
        "peak_missing": peak.why_not,
    }


def reason(error: BaseException) -> str:
    """Why a network could not be measured, in one line; want of memory without the allocator's own figures."""
    text = one_line(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "out of memory"
    return f"{type(error).__name__}: {text}"
