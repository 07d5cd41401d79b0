"""Where derainbench keeps what it makes and is given: datasets, weights, cards, manifests, decoded images."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def node_cache_folder() -> Path:
    """``DERAINBENCH_NODE_CACHE``, where what is large and quickly made again should lie on a machine's own disk while
    the rest of the cache is shared by many; otherwise :func:`cache_folder`."""
    return Path(os.environ.get("DERAINBENCH_NODE_CACHE") or cache_folder())


def cache_folder() -> Path:
    """``DERAINBENCH_CACHE``, or the system's place for it."""
    return Path(os.environ.get("DERAINBENCH_CACHE") or user_cache_path("derainbench"))
