"""The batches of a training, loaded in this process or in others, whatever becomes of those."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from derainbench.engine.mixup import Mixing
from derainbench.engine.patches import Levels, Patches
from derainbench.errors import UserError
from derainbench.plugins.method import Batch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Where processes share memory on Linux.
SHARED_MEMORY = Path("/dev/shm")


def training_batches(
    patches: Patches, start: int, workers: int, fabric: Fabric, say: Callable[[str], None]
) -> Generator[Batch, None, None]:
    """The batch of each step from ``start`` on, on Fabric's device, loaded by so many ``workers`` (0: in this process).

    Where there is too little shared memory the workers send copies instead, and ``say`` is told. :class:`UserError` for
    a mistake in the files, and where a worker was killed (see also :func:`deaths_of_workers_told`). Its ``close`` ends
    the workers.
    """
    loader: DataLoader[_Item] = DataLoader(
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
    warned, batches = False, iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, UserError):
                raise batch
            if isinstance(batch, _Copied) and not warned:
                warned = True
                say(_little_memory(workers))
            levels: Levels = fabric.to_device(batch.levels() if isinstance(batch, _Copied) else batch)
            yield levels.batch()
    except (ConnectionError, EOFError, FileNotFoundError) as error:  # what is left of one: its end of a pipe or socket
        if not workers:
            raise
        raise _killed() from error
    finally:
        _end_workers(batches)


def _end_workers(batches: Any) -> None:
    """Now, and not when the last exception that knows of them is forgotten: until then torch would raise the death of a
    worker wherever the program is."""
    if hasattr(batches, "_shutdown_workers"):
        with contextlib.suppress(RuntimeError):  # such a death
            batches._shutdown_workers()


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
        raise _killed() from error


def _killed() -> UserError:
    return UserError(
        "a process that loads training data was killed, by lack of memory perhaps; give fewer --workers (0 for none) "
        "and run the same command again, which goes on from the last checkpoint"
    )


class _Copied(NamedTuple):
    """Levels as arrays, which travel to another process through a pipe."""

    rainy: NDArray[np.uint8]
    clean: NDArray[np.uint8]
    layers: dict[str, NDArray[np.float32]]
    mixing: tuple[NDArray[np.int64], NDArray[np.float32]] | None

    def levels(self) -> Levels:
        """As tensors again."""
        layers = {name: torch.from_numpy(layer) for name, layer in self.layers.items()}
        mixing = None if self.mixing is None else Mixing(*map(torch.from_numpy, self.mixing))
        return Levels(torch.from_numpy(self.rainy), torch.from_numpy(self.clean), layers, mixing)


#: What a step's place in the loader holds.
_Item = Levels | _Copied | UserError


def _as_it_is(item: _Item) -> _Item:
    """Torch would make tensors of arrays, which it then sends through shared memory again."""
    return item


class _Delivered(Dataset[_Item]):
    """The patches, or the mistake found in their files: raised in a worker, it would arrive as a traceback.

    ``shared`` puts them into shared memory here. Torch would do it in a thread of the worker, where a failure is lost
    and the training waits for ever.
    """

    def __init__(self, patches: Patches, shared: bool) -> None:
        self._patches, self._shared, self._full = patches, shared, False

    def __getitem__(self, step: int) -> _Item:
        try:
            batch = self._patches.levels(step)
        except UserError as error:
            return error
        if not self._shared:
            return batch
        if self._full:
            return _copied(batch)
        try:
            for tensor in (batch.rainy, batch.clean, *batch.layers.values(), *(batch.mixing or ())):
                tensor.share_memory_()
        except RuntimeError:
            self._full = True
            return _copied(batch)
        return batch


def _copied(batch: Levels) -> _Copied:
    layers = {name: layer.numpy() for name, layer in batch.layers.items()}
    mixing = None if batch.mixing is None else (batch.mixing.partners.numpy(), batch.mixing.share.numpy())
    return _Copied(batch.rainy.numpy(), batch.clean.numpy(), layers, mixing)


def _little_memory(workers: int) -> str:
    free = f" ({shutil.disk_usage(SHARED_MEMORY).free >> 20} MiB free)" if SHARED_MEMORY.is_dir() else ""
    return (
        f"too little shared memory in {SHARED_MEMORY}{free} for the batches of {workers} workers: they are copied, "
        "which is slower; make it larger (docker run --shm-size 2g), or give fewer --workers"
    )
