"""One network trained by several processes, a device each: every one has its rows of a batch, and all the same weights.

The processes are started by whoever carries out the cell (:mod:`derainbench.run.ranks`), never by Fabric, which would
run the command line again. The batch is the recipe's and shared out; gradients are averaged, so that a step is that of
one process but for the order in which numbers are added.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, MutableMapping
from typing import Any

from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.parallel import DistributedDataParallel


def shared_training(device: str) -> DDPStrategy:
    """How gradients travel. Buffers do not: all processes work out the same ones."""
    backend = "nccl" if device == "cuda" else "gloo"
    known = inspect.signature(DistributedDataParallel).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # from torch 2.13 on
    settings: dict[str, Any] = {buffers: False}
    return DDPStrategy(process_group_backend=backend, **settings)


def become_rank(rank: int, count: int, port: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Have Fabric take this process for one of ``count``, which meet at a port of this machine."""
    said: Mapping[str, object] = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "NODE_RANK": 0,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": count,
    }
    environment.update({name: str(value) for name, value in said.items()})
