"""The protocols are data: cards and commands that name one need no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from derainbench.errors import UserError
from derainbench.metrics.protocols import DEFAULT_PROTOCOLS, PROTOCOLS, get_protocol

TORCH_FREE = (
    "catalogue.cards",
    "catalogue.locate",
    "catalogue.pairing",
    "catalogue.manifest",
    "cli.datasets",
    "images.decode",
    "metrics.protocols",
    "results.load",
    "stats",
    "reports.write",
)


def test_what_describes_finds_and_reports_imports_no_torch() -> None:
    code = f"import sys; [__import__('derainbench.' + name) for name in {TORCH_FREE}]; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_descriptions_fit_a_table() -> None:
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert protocol.revision >= 1
        assert 0 < len(protocol.title) < 70
        assert protocol.description
        assert protocol.used_by


def test_the_default_ones_exist() -> None:
    assert [get_protocol(name).name for name in DEFAULT_PROTOCOLS] == list(DEFAULT_PROTOCOLS)


def test_an_unknown_protocol_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="rgb-u7") as caught:
        get_protocol("rgb-u7")
    message = str(caught.value)
    assert "\n" not in message
    assert "did you mean" in message
    assert all(name in message for name in PROTOCOLS)
