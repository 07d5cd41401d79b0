"""A server of files on this machine that does what servers do: it is slow, cuts off, lies, sends elsewhere."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FaultyServer:
    """Files by name, at ``/FAULT/NAME``; ``asked`` is what was asked of it: method, path and ``Range``.

    Faults, which may be joined by ``+``: ``plain``; ``slow`` (in dribs); ``stuck`` (half, then nothing more); ``cut``
    (each connection ends after a third of the file); ``cut-once``; ``other`` (other bytes, as many); ``longer``;
    ``redirect``; ``loop``; ``missing`` (404); ``gone`` (410); ``busy`` (503); ``no-length``; ``no-range``; ``page`` (a
    web page in its place).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, fault: str, name: str) -> str:
        """The address of a file that comes with a fault."""
        return f"{self.address}/{fault}/{name}"


@contextlib.contextmanager
def serving() -> Iterator[FaultyServer]:
    """A server, as long as the block runs."""
    here = FaultyServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            self.close_connection = True
            here.asked.append((self.command, self.path, self.headers.get("Range", "")))
            _, word, name = self.path.split("/", 2)
            faults, data = set(word.split("+")), here.files[name]
            if status := {"missing": 404, "gone": 410, "busy": 503}.get(word):
                self.send_error(status)
                return
            if faults & {"redirect", "loop"}:
                self.send_response(302)
                self.send_header("Location", here.url("loop" if "loop" in faults else "plain", name))
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                return
            if "page" in faults:
                data = b"<!DOCTYPE html><title>Sign in</title>"
            if "other" in faults:
                data = bytes(255 - byte for byte in data)
            if "longer" in faults:
                data += b"more"
            start = 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if asked and "no-range" not in faults:
                start = int(asked[1])
                self.send_response(206 if start < len(data) else 416)
                span = f"{start}-{len(data) - 1}" if start < len(data) else "*"
                self.send_header("Content-Range", f"bytes {span}/{len(data)}")
            else:
                self.send_response(200)
            if "no-length" not in faults:
                self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Connection", "close")
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')
            self.end_headers()
            if body:
                with contextlib.suppress(OSError):  # whoever asked has gone
                    self._send(data, start, faults)

        def _send(self, data: bytes, start: int, faults: set[str]) -> None:
            before = [path for method, path, _ in here.asked if method == "GET" and path == self.path]
            end = len(data)
            if "cut" in faults or ("cut-once" in faults and len(before) == 1):
                end = min(end, start + len(data) // 3)
            if "stuck" in faults:
                end = min(end, max(start, len(data) // 2))
            pieces = 8 if "slow" in faults else 1
            size = max(1, -(-(end - start) // pieces))
            for place in range(start, end, size):
                self.wfile.write(data[place : min(end, place + size)])
                self.wfile.flush()
                if "slow" in faults:
                    time.sleep(0.05)
            if "stuck" in faults:
                here.ended.wait(20)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    here.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield here
    finally:
        here.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
