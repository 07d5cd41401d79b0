"""The device and the precision that networks run in: Lightning Fabric, made the same way everywhere."""

from __future__ import annotations

import os
import platform
from typing import Any, Literal

import torch
from lightning_fabric import Fabric

from derainbench.errors import UserError

Precision = Literal["fp32", "bf16"]
_FABRIC_PRECISION: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(device: str = "auto", precision: str = "auto") -> tuple[Fabric, Precision]:
    """A Fabric on one device, and the precision it runs in.

    ``device`` is ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``precision`` is ``fp32``,
    ``bf16`` (mixed) or ``auto``: bf16 on a GPU that has it, otherwise fp32. :class:`UserError` for what is not there.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda", "gpu", "mps") or (index and not index.isdigit()):
        raise UserError(f"no device is called {device!r}; known: auto, cpu, cuda, cuda:N, mps")
    if kind in ("cuda", "gpu") and int(index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"there is no device {device!r} here ({torch.cuda.device_count()} CUDA devices); use --device cpu"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("there is no device 'mps' here; use --device cpu")
    if precision not in ("auto", *_FABRIC_PRECISION):
        raise UserError(f"no precision is called {precision!r}; known: auto, fp32, bf16")
    on_gpu = kind in ("cuda", "gpu") or (kind == "auto" and torch.cuda.is_available())
    if precision == "auto":
        precision = "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "fp32"
    _repeat_exactly()
    devices: Any = [int(index)] if index else 1
    accelerator = "cuda" if kind == "gpu" else kind
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=_FABRIC_PRECISION[precision])
    return fabric, "bf16" if precision == "bf16" else "fp32"


def gpu_here() -> bool:
    """Whether there is a GPU to run on."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def describe_machine(fabric: Fabric) -> dict[str, Any]:
    """What a result was computed on, for ``run.json``."""
    device = fabric.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "device": str(device),
        "name": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
    }


def _repeat_exactly() -> None:
    """The same numbers on every run of the same machine, where the device's kernels allow it."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
