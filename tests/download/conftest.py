"""A server with every fault, for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from derainbench.download import transfer
from tests.helpers.faulty_server import FaultyServer, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A faulty server, of which connections that were cut are tried again at once."""
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    with serving() as here:
        yield here
