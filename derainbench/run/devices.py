"""Which devices the words of ``--devices`` name."""

from __future__ import annotations

import torch

from derainbench.errors import UserError
from derainbench.support.words import split_list, whole_number

#: The most processes that ``cpu:N`` may ask for.
MOST = 256


def parse_devices(words: str) -> list[str]:
    """``all`` GPUs, ``0,1,3`` of them, ``cpu:2`` for two processes on the processor: a name each, with repetitions.

    :class:`UserError` for anything else, and for a GPU that is not here.
    """
    here = torch.cuda.device_count()
    if words == "all":
        if not here:
            raise UserError("--devices all: there is no CUDA device here; give cpu:N for N processes")
        return [f"cuda:{number}" for number in range(here)]
    kind, _, count = words.partition(":")
    if kind == "cpu":
        processes = whole_number(count or "1", MOST)
        if not processes:
            raise UserError(f"--devices {words!r}: give cpu:N, with N from 1 to {MOST}")
        return ["cpu"] * processes
    numbers = [whole_number(part.removeprefix("cuda:"), 999) for part in split_list(words)]
    known = [number for number in numbers if number is not None]
    if not known or len(known) < len(numbers):
        raise UserError(f"--devices {words!r}: give all, numbers of GPUs such as 0,1,3, or cpu:N")
    if max(known) >= here:
        raise UserError(f"--devices {words!r}: there is no GPU {max(known)} here ({here} CUDA devices)")
    return [f"cuda:{number}" for number in known]
