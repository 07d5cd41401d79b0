"""Google Drive, which asks before it gives: files and folders by gdown, the extra ``drive``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from derainbench.download.transfer import PATIENCE, DeadLinkError
from derainbench.errors import one_line

_ABSENT = "is on Google Drive, for which gdown is needed: pip install 'derainbench[drive]'"


class DriveTransfer:
    """Pooch's downloader for one file of Google Drive."""

    def __init__(self, most: int, patience: float = PATIENCE) -> None:
        self._most, self._patience = most, patience

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """:class:`DeadLinkError` where Drive does not give the file."""
        with _said_in_a_line():
            _gdown().download(url=url, output=output_file, quiet=True, use_cookies=False, timeout=self._patience)
        if Path(output_file).stat().st_size > self._most:
            raise DeadLinkError(f"sends more than {self._most:,} bytes")


def fetch_folder(url: str, into: Path, patience: float = PATIENCE) -> None:
    """All files of a folder of Google Drive; those that are there already are kept.

    :class:`DeadLinkError` where Drive does not give it.
    """
    with _said_in_a_line():
        _gdown().download_folder(
            url=url, output=str(into), quiet=True, use_cookies=False, resume=True, timeout=patience, retries=2
        )
    inside = into.resolve()
    for folder, _, files in os.walk(into):
        for name in files:
            path = Path(folder, name)
            if path.is_symlink() or not path.resolve().is_relative_to(inside):
                raise DeadLinkError(f"holds {name!r}, which leads out of its folder")


def _gdown() -> Any:
    try:
        import gdown
    except ImportError:
        raise DeadLinkError(_ABSENT) from None
    return gdown


@contextlib.contextmanager
def _said_in_a_line() -> Iterator[None]:
    """What gdown raises, as a dead link: what Drive says is many lines long."""
    try:
        yield
    except DeadLinkError:
        raise
    except Exception as error:  # gdown's own, those of requests and of the page that it reads
        raise DeadLinkError(f"does not give it ({one_line(error)[:150] or type(error).__name__})") from error
