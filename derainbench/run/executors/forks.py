"""The process whose forks carry out cells: it has loaded all that they need, and computed nothing."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext, SpawnContext

#: What a cell needs and takes seconds to load.
LOADED = (
    "lightning_fabric",
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "derainbench.engine.evaluate",
    "derainbench.engine.training",
    "derainbench.plugins.registry",
    "derainbench.run.choices",
    "derainbench.run.elsewhere",
    "derainbench.run.store",
)


def context() -> SpawnContext | ForkServerContext:
    """How processes are begun: as such forks where the system has them; otherwise each loads everything anew."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(LOADED))
    return found


def begin_to_load() -> None:
    """Have that process load while this one still finds out what there is to do."""
    if isinstance(context(), ForkServerContext):
        from multiprocessing import forkserver  # which not every system has

        forkserver.ensure_running()
