"""Folders and patterns as a card may spell them: nothing that no disk takes, or no terminal should print."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator


def _printable(text: str) -> str:
    if re.search("[\x00-\x1f\x7f]", text):
        raise ValueError(f"{text!a} holds a control character; remove it")
    return text


def checked_path(text: str) -> str:
    """A path without control characters or overlong names; ValueError otherwise."""
    if any(len(part.encode()) > 255 for part in PurePosixPath(_printable(text)).parts):
        raise ValueError("a name in it is longer than 255 bytes, which no disk takes; shorten it")
    return text


#: A pattern of :mod:`.patterns`.
PatternText = Annotated[str, AfterValidator(_printable)]


def files_of(pattern: str) -> str:
    """A pattern without the kinds of its fields: two that differ in them alone mean the same files."""
    return re.sub(r"\{(\w+)[^}]*\}", r"{\1}", pattern)


def _below_the_root(folder: str) -> str:
    path = PurePosixPath(checked_path(folder))
    if path.is_absolute() or ".." in path.parts or "\\" in folder:
        raise ValueError(f"folder {folder!r} leaves the data root; folders are relative to it, with /")
    return folder


#: The name of a folder below the data root.
Folder = Annotated[str, AfterValidator(_below_the_root)]
