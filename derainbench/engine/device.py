"""The device and the precision that networks run in: Lightning Fabric, made the same way everywhere."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from derainbench.errors import UserError
from derainbench.support.words import whole_number

if TYPE_CHECKING:
    from lightning_fabric import Fabric
from torch import Tensor, nn

#: ``fp32``: all in float32. ``tf32``: the same, but convolutions and matrix products of an Ampere GPU or later keep 10
#: of 23 bits. ``bf16`` and ``fp16``: these, and most that lies between them, in 16 bits; weights and losses in float32.
Precision = Literal["fp32", "tf32", "bf16", "fp16"]

_SIXTEEN_BITS: Mapping[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Engine:
    """One device and one precision, chosen; Fabric is imported and made when something is to be computed."""

    device: torch.device
    precision: Precision
    together: tuple[str, ...] = ()
    """The devices of all processes that train one network together, this one's among them; see :mod:`.ranks`."""

    @cached_property
    def fabric(self) -> Fabric:
        """The Fabric that owns the device; the process is set up to give the same numbers on every run, and fast."""
        from lightning_fabric import Fabric  # takes two seconds, too long for a run that has nothing to do

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its precision each time
        _repeat_exactly()
        # By themselves convolutions would be tf32 and matrix products not: fp32 means fp32 here.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = self.precision == "tf32"
        if self.device.type == "cpu":
            _keep_freed_memory()
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment

        # Named, so that Fabric does not look for a scheduler, and on a cluster start what nobody asked of it.
        plugins: list[Any] = [LightningEnvironment()]
        if self.precision in _SIXTEEN_BITS:
            from derainbench.engine.mixed_precision import MixedPrecision

            plugins.append(MixedPrecision(self.precision, self.device.type))
        devices: Any = [self.device.index] if self.device.index is not None else 1
        if not self.together:
            return Fabric(accelerator=self.device.type, devices=devices, plugins=plugins)
        from derainbench.engine.ranks import shared_training

        devices = [int(name.partition(":")[2]) for name in self.together if ":" in name] or len(self.together)
        strategy = shared_training(self.device.type)
        return Fabric(accelerator=self.device.type, devices=devices, strategy=strategy, plugins=plugins)

    def autocast(self) -> AbstractContextManager[Any]:
        """In this block operations run in the engine's precision, as in a network that Fabric has set up."""
        dtype = _SIXTEEN_BITS.get(self.precision)
        return contextlib.nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)


def choose_engine(device: str = "auto", precision: str = "auto", together: tuple[str, ...] = ()) -> Engine:
    """The engine that a user's words ask for. :class:`UserError` for what is not there.

    ``device`` is ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``precision`` is one of
    :data:`Precision`, or ``auto``: bf16 on a CUDA device that has it, otherwise fp32. ``together``: :class:`Engine`.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (
        index and not (kind == "cuda" and whole_number(index, 999) is not None)
    ):
        raise UserError(f"no device is called {device!r}; known: auto, cpu, cuda, cuda:N, mps")
    if precision not in ("auto", *get_args(Precision)):
        raise UserError(f"no precision is called {precision!r}; known: auto, {', '.join(get_args(Precision))}")
    cuda_devices = torch.cuda.device_count()
    if kind == "cuda" and int(index or 0) >= cuda_devices:
        raise UserError(f"there is no device {device!r} here ({cuda_devices} CUDA devices); use --device cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("there is no device 'mps' here; use --device cpu")
    if kind == "auto":
        kind = "cuda" if cuda_devices else "mps" if torch.backends.mps.is_available() else "cpu"
    chosen = torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device(kind)
    ampere = kind == "cuda" and _is_ampere(chosen)
    if precision == "tf32" and not ampere:  # it would compute in fp32, and be recorded as something else
        raise UserError(f"{chosen} has no tf32, which needs a GPU of Ampere or later; use --precision fp32 or fp16")
    named: dict[str, Precision] = {name: name for name in get_args(Precision)}
    return Engine(chosen, named.get(precision, "bf16" if ampere else "fp32"), together)


def engine_elsewhere(device: str, precision: str) -> Engine:
    """The engine of cells that other machines carry out: what ``auto`` means there is decided here, for all of them.

    ``device`` is ``cpu`` or ``cuda``; a GPU without bf16 then says so, instead of computing something else.
    """
    if device == "cpu":
        return choose_engine(device, precision)
    named: dict[str, Precision] = {name: name for name in get_args(Precision)}
    if precision not in ("auto", *named):
        raise UserError(f"no precision is called {precision!r}; known: auto, {', '.join(named)}")
    return Engine(torch.device(device), named.get(precision, "bf16"))


def describe_machine(engine: Engine) -> dict[str, Any]:
    """What a result was computed on, for ``run.json``."""
    device = engine.device
    if device.type == "cuda":  # planned here, it may be another machine's
        name = torch.cuda.get_device_name(device) if torch.cuda.is_available() else "another machine's"
    else:
        name = platform.processor() or platform.machine()
    return {
        "device": " + ".join(engine.together) or str(device),
        "name": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
    }


def _is_ampere(device: torch.device) -> bool:
    """Whether the GPU itself computes bf16 and tf32 (Ampere and later); older ones only emulate the former, slowly."""
    return torch.cuda.get_device_capability(device)[0] >= 8


def _repeat_exactly() -> None:
    """The same numbers on every run of the same machine, where the device's kernels allow it."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    # By itself that also writes NaN into all new memory, to show who reads it unwritten: an eighth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _keep_freed_memory() -> None:
    """Have glibc keep up to a gibibyte of the memory of freed tensors for the next ones.

    By default it gives every buffer above 32 MiB back to the system, which then hands out the next one page by page:
    on a photograph that takes longer than the convolution that fills it. The price is that the process stays about as
    large as its largest image made it. Whoever sets one of glibc's own ``MALLOC_`` variables decides instead.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return  # another system, or another C library
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    trim_threshold, mmap_max = -1, -4  # names in malloc.h
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**30)


def channels_last(images: Tensor) -> Tensor:
    """The same (B, C, H, W) images in this layout."""
    return images.contiguous(memory_format=torch.channels_last)


def fastest_layout(fabric: Fabric, training: bool = False) -> torch.memory_format:
    """The layout in which convolutions are fastest: channels last, with two exceptions.

    The float32 of GPUs has few kernels for channels last: NASNet's training took three times as long
    (benchmarks/GPU.md). And on processors without AVX-512 gradients are slow in it: PReNet's training took 1.3 times
    as long, its restoring was faster all the same.
    """
    float32 = fabric.strategy.precision.precision == "32-true" and not torch.backends.cudnn.allow_tf32
    plain_gpu = fabric.device.type == "cuda" and float32
    plain_cpu = fabric.device.type == "cpu" and training and torch.backends.cpu.get_cpu_capability() == "AVX2"
    return torch.contiguous_format if plain_gpu or plain_cpu else torch.channels_last


def lay_out(network: nn.Module, layout: torch.memory_format = torch.channels_last) -> None:
    """Bring the network's two-dimensional convolutions into this layout, in place."""
    # Not nn.Module.to, which would turn every parameter of four dimensions, and refuse one of five.
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = module.weight.data.contiguous(memory_format=layout)


def laid_out(images: Tensor, network: nn.Module) -> Tensor:
    """The same (B, C, H, W) images in the layout of the network's convolutions."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = module.weight
            if weight.is_contiguous() != weight.is_contiguous(memory_format=torch.channels_last):  # of one it is both
                return images.contiguous() if weight.is_contiguous() else channels_last(images)
    return channels_last(images)
