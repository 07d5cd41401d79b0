"""Where derainbench keeps what it makes and is given: datasets, weights, cards, manifests, decoded images."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """``DERAINBENCH_CACHE``, or the system's place for it."""
    return Path(os.environ.get("DERAINBENCH_CACHE") or user_cache_path("derainbench"))
