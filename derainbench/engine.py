"""The device and the precision that networks run in: Lightning Fabric, made the same way everywhere."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch

from derainbench.errors import UserError
from derainbench.names import whole_number

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["fp32", "bf16"]
_FABRIC_PRECISION: dict[Precision, Any] = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Engine:
    """One device and one precision, chosen; Fabric is imported and made when something is to be computed."""

    device: torch.device
    precision: Precision

    @cached_property
    def fabric(self) -> Fabric:
        """The Fabric that owns the device; the process is set up to give the same numbers on every run, and fast."""
        from lightning_fabric import Fabric  # takes two seconds, too long for a run that has nothing to do

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its precision each time
        _repeat_exactly()
        if self.device.type == "cpu":
            _keep_freed_memory()
        devices: Any = [self.device.index] if self.device.index is not None else 1
        return Fabric(accelerator=self.device.type, devices=devices, precision=_FABRIC_PRECISION[self.precision])


def choose_engine(device: str = "auto", precision: str = "auto") -> Engine:
    """The engine that a user's words ask for. :class:`UserError` for what is not there.

    ``device`` is ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``precision`` is ``fp32``,
    ``bf16`` (mixed) or ``auto``: bf16 on a CUDA device that has it, otherwise fp32.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (
        index and not (kind == "cuda" and whole_number(index, 999) is not None)
    ):
        raise UserError(f"no device is called {device!r}; known: auto, cpu, cuda, cuda:N, mps")
    if precision not in ("auto", *_FABRIC_PRECISION):
        raise UserError(f"no precision is called {precision!r}; known: auto, fp32, bf16")
    cuda_devices = torch.cuda.device_count()
    if kind == "cuda" and int(index or 0) >= cuda_devices:
        raise UserError(f"there is no device {device!r} here ({cuda_devices} CUDA devices); use --device cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("there is no device 'mps' here; use --device cpu")
    if kind == "auto":
        kind = "cuda" if cuda_devices else "mps" if torch.backends.mps.is_available() else "cpu"
    chosen = torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device(kind)
    bf16 = precision == "bf16" or (precision == "auto" and kind == "cuda" and _computes_bf16(chosen))
    return Engine(chosen, "bf16" if bf16 else "fp32")


def describe_machine(engine: Engine) -> dict[str, Any]:
    """What a result was computed on, for ``run.json``."""
    device = engine.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "device": str(device),
        "name": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
    }


def _computes_bf16(device: torch.device) -> bool:
    """Whether the GPU itself does (Ampere and later); older ones only emulate it, slowly."""
    return torch.cuda.get_device_capability(device)[0] >= 8


def _repeat_exactly() -> None:
    """The same numbers on every run of the same machine, where the device's kernels allow it."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: convolutions would otherwise keep 10 bits of 23
    torch.use_deterministic_algorithms(True, warn_only=True)


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
