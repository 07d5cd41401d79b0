"""The batches of a training, loaded in this process or in others, whatever becomes of those."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from derainbench.errors import UserError
from derainbench.method import Batch
from derainbench.pairs import Patches

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Where processes share memory on Linux.
SHARED_MEMORY = Path("/dev/shm")


def training_batches(
    patches: Patches, start: int, workers: int, fabric: Fabric, say: Callable[[str], None]
) -> Iterator[Batch]:
    """The batch of each step from ``start`` on, on Fabric's device, loaded by so many ``workers`` (0: in this process).

    Where there is too little shared memory the workers send copies instead, and ``say`` is told. :class:`UserError` for
    a mistake in the files.
    """
    loader: DataLoader[Batch | _Copied | UserError] = DataLoader(
        _Delivered(patches, shared=workers > 0),
        batch_size=None,  # an item is a batch
        collate_fn=_as_it_is,  # type: ignore[arg-type]
        sampler=range(start, patches.steps),
        num_workers=workers,
        # A generator of its own: the loader draws a number when it starts, which would shift the global state.
        generator=torch.Generator(),
        pin_memory=fabric.device.type == "cuda",
        persistent_workers=False,
    )
    warned, batches = False, fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    for batch in cast("Iterable[Batch | _Copied | UserError]", batches):
        if isinstance(batch, UserError):
            raise batch
        if isinstance(batch, _Copied):
            if not warned:
                say(_little_memory(workers))
            warned, copied = True, batch.batch()
            yield fabric.to_device(copied)
        else:
            yield batch


@contextlib.contextmanager
def deaths_of_workers_told() -> Iterator[None]:
    """In this block the death of a worker is a :class:`UserError`.

    Torch raises it wherever the program is when the system reports it, in the midst of a step too.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):  # as torch says it, in two ways
            raise
        raise UserError(
            "a process that loads training data was killed, by lack of memory perhaps; give fewer --workers (0 for "
            "none) and run the same command again, which goes on from the last checkpoint"
        ) from error


def _as_it_is(item: Batch | _Copied | UserError) -> Batch | _Copied | UserError:
    """Torch would make tensors of arrays, which it then sends through shared memory again."""
    return item


class _Copied(NamedTuple):
    """A batch as arrays, which travel to another process through a pipe."""

    rainy: NDArray[np.float32]
    clean: NDArray[np.float32]
    layers: dict[str, NDArray[np.float32]]

    def batch(self) -> Batch:
        """As tensors again."""
        layers = {name: torch.from_numpy(layer) for name, layer in self.layers.items()}
        return Batch(torch.from_numpy(self.rainy), torch.from_numpy(self.clean), layers)


class _Delivered(Dataset[Batch | _Copied | UserError]):
    """The patches, or the mistake found in their files: raised in a worker, it would arrive as a traceback.

    ``shared`` puts them into shared memory here. Torch would do it in a thread of the worker, where a failure is lost
    and the training waits for ever.
    """

    def __init__(self, patches: Patches, shared: bool) -> None:
        self._patches, self._shared, self._full = patches, shared, False

    def __getitem__(self, step: int) -> Batch | _Copied | UserError:
        try:
            batch = self._patches[step]
        except UserError as error:
            return error
        if not self._shared:
            return batch
        if self._full:
            return _copied(batch)
        try:
            for tensor in (batch.rainy, batch.clean, *batch.layers.values()):
                tensor.share_memory_()  # type: ignore[no-untyped-call]
        except RuntimeError:
            self._full = True
            return _copied(batch)
        return batch


def _copied(batch: Batch) -> _Copied:
    return _Copied(batch.rainy.numpy(), batch.clean.numpy(), {n: each.numpy() for n, each in batch.layers.items()})


def _little_memory(workers: int) -> str:
    free = f" ({shutil.disk_usage(SHARED_MEMORY).free >> 20} MiB free)" if SHARED_MEMORY.is_dir() else ""
    return (
        f"too little shared memory in {SHARED_MEMORY}{free} for the batches of {workers} workers: they are copied, "
        "which is slower; make it larger (docker run --shm-size 2g), or give fewer --workers"
    )
