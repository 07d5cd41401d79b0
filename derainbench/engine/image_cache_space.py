"""How much disk decoded images may take, and which of them go to make room for others."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from derainbench.engine.image_cache_file import TOUCH_EVERY
from derainbench.errors import UserError
from derainbench.support.cache import node_cache_folder

#: The most that all decoded images take together, in GiB; the environment's ``DERAINBENCH_DECODED_GIB`` replaces it.
LIMIT_GIB = 64.0

SUFFIX = ".images"


def decoded_folder() -> Path:
    """Where decoded images are kept; it may be deleted at any time."""
    return node_cache_folder() / "decoded"


def limit_bytes() -> int:
    """The most that all decoded images may take together; 0: none are kept. :class:`UserError` on a bad setting."""
    text = os.environ.get("DERAINBENCH_DECODED_GIB") or str(LIMIT_GIB)
    try:
        limit = int(float(text) * 2**30)
    except (ValueError, OverflowError):
        limit = -1
    if limit < 0:
        raise UserError(
            f"DERAINBENCH_DECODED_GIB is {text!r}; set it to a number of GiB, or to 0 to keep no decoded images"
        )
    return limit


def make_room(path: Path, size: int) -> bool:
    """Whether a file may grow to ``size`` bytes at ``path``; the least recently used others are removed if it then may.

    It may where all files together stay within the limit and it takes at most half of what is free on the disk. Files
    that somebody is using stay, and count as long as they will be; the others count what they take.
    """
    limit = limit_bytes()
    if size > limit or not hasattr(os, "pwrite"):  # Windows has neither that nor files that are sparse by themselves
        return False
    idle: list[tuple[float, int, Path]] = []
    others, present = 0, 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        for file in path.parent.glob(f"*{SUFFIX}"):
            try:
                facts = file.stat()
            except FileNotFoundError:  # another process made room, too
                continue
            taken = facts.st_blocks * 512
            if file == path:
                present = taken
            elif time.time() - facts.st_mtime < 2 * TOUCH_EVERY:
                others += facts.st_size
            else:
                others += taken
                idle.append((facts.st_mtime, taken, file))
        idle.sort()
        for going in range(len(idle) + 1):
            if others + size <= limit and size - present <= free // 2:
                for _, _, file in idle[:going]:
                    file.unlink(missing_ok=True)
                return True
            if going < len(idle):
                taken = idle[going][1]
                others, free = others - taken, free + taken
    except OSError:  # a folder that cannot be made, listed or cleared is one not to use
        return False
    return False
