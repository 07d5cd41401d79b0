"""What is known of a file that others keep: its name, size and hash, and the addresses at which it lies."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: How the names of archives end, which are unpacked; other files stay as they are.
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_DRIVE = ("drive.google.com", "docs.google.com")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Address(_Data):
    """Where a file lies, and how that is known.

    ``read``: the address was read where its authors give it. ``derived``: made of a repository, a commit and a path
    that were read. ``unconfirmed``: from memory or hearsay. None of the three says that the link lives today.
    """

    url: Annotated[str, Field(max_length=2000)]
    state: Literal["read", "derived", "unconfirmed"]

    @field_validator("url")
    @classmethod
    def _can_be_fetched(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, named = parts.hostname, parts.username is not None or parts.password is not None
        except ValueError:
            host, named = None, False
        if not re.fullmatch(r"https?://[!-~]+", url) or not host or named:
            raise ValueError(f"{url[:80]!r} is no address to fetch from; write https://HOST/PATH, without user names")
        return url

    @property
    def on_drive(self) -> bool:
        """Whether Google Drive keeps it, which asks before it gives."""
        return urlsplit(self.url).hostname in _DRIVE

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of Google Drive."""
        return self.on_drive and "/folders/" in urlsplit(self.url).path


class RemoteFile(_Data):
    """A file that others keep. ``addresses`` are tried in their order.

    ``size`` in bytes and ``sha256`` where they are known. ``into``: of a dataset, the folder below the dataset's own in
    which it is unpacked, or laid if it is no archive.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+ -]*$", max_length=150)]
    addresses: Annotated[tuple[Address, ...], Field(min_length=1)]
    size: Annotated[int, Field(ge=1, le=2**50)] | None = None
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    into: Annotated[str, Field(max_length=1000)] = ""

    @field_validator("into")
    @classmethod
    def _stays_below(cls, into: str) -> str:
        path = PurePosixPath(into)
        if path.is_absolute() or ".." in path.parts or not into.isprintable() or "\\" in into or ":" in into:
            raise ValueError(f"{into!r} is no folder below the dataset's; write a relative path without '..'")
        return into

    @property
    def is_archive(self) -> bool:
        """Whether it is to be unpacked."""
        return self.name.lower().endswith(ARCHIVES)


def in_repository(
    repository: str, commit: str, path: str, sha256: str = "", size: int | None = None, name: str = ""
) -> RemoteFile:
    """A file of a public GitHub repository, ``OWNER/NAME``, as it was at a commit: that never becomes another one.

    ``name`` is what it is called here, where that is not the last part of its ``path``.
    """
    url = f"https://raw.githubusercontent.com/{repository}/{commit}/{quote(path)}"
    address = Address(url=url, state="derived")
    return RemoteFile(name=name or PurePosixPath(path).name, addresses=(address,), size=size, sha256=sha256)
