"""How many threads torch computes with."""

from __future__ import annotations

import os

from derainbench.support.threads import available_cores, threads_note


def use_threads(asked: int | None = None) -> str:
    """Compute with so many threads: as asked, or as ``OMP_NUM_THREADS`` says, or at most the available cores.

    What is to be said of that many on this machine (:func:`.support.threads.threads_note`), or nothing.
    """
    import torch  # which --help does not wait for

    if asked is not None:
        torch.set_num_threads(asked)
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), available_cores()))
    return threads_note(torch.get_num_threads())
