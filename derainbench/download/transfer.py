"""One address to one file over HTTP: gone on with where the connection was cut, never more than was expected."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import requests
import urllib3

from derainbench import __version__
from derainbench.support.atomic import storage_error

#: Told how many more bytes are here (fewer than none where it begins anew), and how many there will be, if known.
OnBytes = Callable[[int, int | None], None]

#: Seconds without a byte after which a connection counts as dead.
PATIENCE = 30.0

#: So often in a row a connection may bring nothing new before the address counts as dead; seconds before the second.
ATTEMPTS, PAUSE = 4, 0.5

_CHUNK = 2**18

_HEADERS = {"User-Agent": f"derainbench/{__version__}", "Accept-Encoding": "identity"}

#: Answers after which the same question may well be answered.
_BUSY = (408, 425, 429, 500, 502, 503, 504)


class DeadLinkError(Exception):
    """An address does not give the file. The message says what it does instead."""


class _CutError(Exception):
    """A connection ended too early; another one may bring the rest."""


class Transfer:
    """Pooch's downloader: writes what is at an address into a file, in several connections if need be.

    ``size`` is what the file must hold, if known, ``most`` what it may. What comes is written into ``begun``, after
    what is there already, and stays there if the transfer fails or the process is killed.
    """

    def __init__(self, begun: Path, size: int | None, most: int, on_bytes: OnBytes, patience: float = PATIENCE) -> None:
        self._begun, self._size, self._most = begun, size, most
        self._on_bytes, self._patience = on_bytes, patience
        self._version = ""  # what the server calls the file that it sends: another one is not gone on with

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """:class:`DeadLinkError` where the address does not give the file."""
        try:
            self._begun.touch()
            self._connect_until_whole(url, self._begun)
            self._begun.replace(output_file)
        except OSError as error:
            raise storage_error(self._begun, error) from error

    def _connect_until_whole(self, url: str, path: Path) -> None:
        best, idle = _held(path), 0
        while True:
            try:
                self._connect(url, path)
            except _CutError as cut:
                idle = 0 if _held(path) > best else idle + 1
                best = max(best, _held(path))
                if idle == ATTEMPTS:
                    raise DeadLinkError(str(cut)) from cut
                time.sleep(PAUSE * 2 ** max(idle - 1, 0))
            else:
                return

    def _connect(self, url: str, path: Path) -> None:
        """One connection: :class:`_CutError` where another may go on, :class:`DeadLinkError` where none will."""
        have = _held(path)
        headers = dict(_HEADERS)
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._version:
                headers["If-Range"] = self._version
        try:
            answer = requests.get(url, stream=True, headers=headers, timeout=self._patience)
        except requests.RequestException as error:
            if have and isinstance(error, requests.ConnectionError | requests.Timeout):
                raise _CutError(f"was cut off, and now {_reason(error)}") from error
            raise DeadLinkError(_reason(error)) from error
        with answer:
            _check_kind(url, answer)
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._check_nothing_is_missing(answer, path, have)
                return
            start = _start(answer, have)
            if start < have:  # it cannot go on, and begins anew
                self._on_bytes(-have, None)
            self._receive(answer, path, start)

    def _check_nothing_is_missing(self, answer: requests.Response, path: Path, have: int) -> None:
        """The file has no byte after those that are here: either they are all, or they are of another file."""
        if answer.headers.get("Content-Range", "").removeprefix("bytes */") == str(have):
            return
        path.write_bytes(b"")
        self._on_bytes(-have, None)
        self._version = ""
        raise _CutError("has another file than the one that was begun")

    def _receive(self, answer: requests.Response, path: Path, start: int) -> None:
        total = _total(answer, start)
        if self._size is not None and total not in (None, self._size):
            raise DeadLinkError(f"sends {total:,} bytes, where {self._size:,} are expected")
        if total is not None and total > self._most:
            raise DeadLinkError(f"sends {total:,} bytes; at most {self._most:,} are taken")
        tag = answer.headers.get("ETag", "")
        self._version = answer.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
        limit, have = self._most if self._size is None else self._size, start
        with path.open("r+b") as file:
            file.truncate(start)
            file.seek(start)
            while chunk := _next(answer, have, total or self._size):
                have += len(chunk)
                if have > limit:
                    file.truncate(0)
                    raise DeadLinkError(f"sends more than {limit:,} bytes")
                file.write(chunk)
                file.flush()  # so that a kill leaves it
                self._on_bytes(len(chunk), total or self._size)
        if have < (total or self._size or 0):
            _cut(have, total or self._size)


def asked_size(url: str, patience: float = 5.0) -> int | None:
    """How many bytes a server says that a file has; None where it does not say. Nothing of the file is sent."""
    try:
        answer = requests.head(url, headers=_HEADERS, timeout=patience, allow_redirects=True)
    except requests.RequestException:
        return None
    return _total(answer, 0) if answer.status_code == requests.codes.ok else None


def _held(path: Path) -> int:
    return path.stat().st_size


def _check_kind(url: str, answer: requests.Response) -> None:
    status = answer.status_code
    if status in _BUSY:
        raise _CutError(f"answers {status} ({answer.reason})")
    if status not in (
        requests.codes.ok,
        requests.codes.partial_content,
        requests.codes.requested_range_not_satisfiable,
    ):
        raise DeadLinkError(f"answers {status} ({answer.reason})")
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise DeadLinkError("redirects from https to http")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise DeadLinkError("sends the file compressed, which was not asked for")


def _start(answer: requests.Response, have: int) -> int:
    """The place in the file from which on the answer is to be written: its beginning, where the server cannot go on."""
    if answer.status_code == requests.codes.ok:
        return 0
    if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise DeadLinkError("sends another part of the file than was asked for")
    return have


def _total(answer: requests.Response, start: int) -> int | None:
    """How many bytes the whole file has, if the answer says so."""
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def _next(answer: requests.Response, have: int, total: int | None) -> bytes:
    """The next bytes, as many as have come; none at the end. :class:`_CutError` where the connection breaks."""
    try:
        chunk: bytes = answer.raw.read1(_CHUNK, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if isinstance(error, urllib3.exceptions.ReadTimeoutError | TimeoutError):
            raise _CutError(f"sends nothing more after {have:,} bytes") from error
        _cut(have, total)
    return chunk


def _cut(have: int, total: int | None) -> NoReturn:
    raise _CutError(f"ends after {have:,} bytes" + (f" of {total:,}" if total else ""))


def _reason(error: requests.RequestException) -> str:
    """What is wrong with an address, in a few words: requests tells it in many."""
    if isinstance(error, requests.exceptions.SSLError):
        return "has no valid certificate"
    if isinstance(error, requests.Timeout):
        return "does not answer"
    if isinstance(error, requests.TooManyRedirects):
        return "redirects without end"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return f"cannot be fetched ({type(error).__name__})"
