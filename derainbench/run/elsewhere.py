"""A cell carried out in another process, or on another machine, than the one that planned it: from words and paths."""

from __future__ import annotations

from derainbench.errors import StorageError, UserError
from derainbench.run.cell_file import CellFile, folder_of
from derainbench.run.job import Job, Words
from derainbench.run.work import Ending, carry_out
from derainbench.support.lock import locked


def carry_out_elsewhere(
    job: Job, name: str, words: Words, device: str, threads: int | None = None, patience: float = 0.0
) -> Ending:
    """Find everything again and do the cell, on a device of this machine, under the cell's own lock.

    ``name`` is the cell's; ``patience`` are the seconds for which another process's hold of it is waited out. What is
    done by then is not done again: whoever did it had no time to say so. :class:`StorageError` where the disk refuses,
    :class:`.stopping.Stopped` where a signal ends it; what a cell tells of itself is in its file
    (:class:`.cell_file.CellFile`).
    """
    import torch  # takes seconds: whoever only submits cells need not have it

    from derainbench.engine.device import choose_engine
    from derainbench.plugins.registry import discover
    from derainbench.run.choices import dataset_finder
    from derainbench.run.job import cell_of
    from derainbench.run.store import Store

    folder = words.folder
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with locked(folder_of(folder, name), patience):
            store = Store(folder)
            cell = cell_of(job, discover(words.plugin), dataset_finder(words.card, words.data_root))
            if store.status(cell).state == "done":
                return Ending(0.0)  # a scheduler may begin again what it did not see end
            teller = CellFile(folder, name, device)
            return carry_out(cell, store, choose_engine(device, job.precision), words.aside, teller)
    except StorageError:
        raise
    except UserError as mistake:
        return Ending(0.0, str(mistake))
