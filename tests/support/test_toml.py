"""Files that people write: read whole, or refused at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.support.toml import LARGEST, read_toml

Refused = Callable[..., AbstractContextManager[None]]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfname = 'x'\r\n")
    assert read_toml(tmp_path / "a.toml", "card") == {"name": "x"}


@pytest.mark.parametrize(
    "text",
    [
        'a = "' + "." * 1000 + '"',
        "a = '''\n" + ".\n" * 1000 + "'''",
        "# " + "." * 1000 + "\na = 1",
        "a = [" + "0.5, " * 1000 + "]",
        '"' + "." * 1000 + '" = 1',
        "\n".join(f"a.b{i}.c = 0.5" for i in range(1000)),
    ],
)
def test_dots_that_make_no_long_key_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    assert read_toml(tmp_path / "a.toml", "card")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (".".join("a" * 100_000) + " = 1", ["32 dots"]),
        ("[" + " . ".join("a" * 100_000) + "]", ["32 dots"]),
        ("a = {" + ".".join(['"a"'] * 50_000) + " = 1}", ["32 dots"]),
        ("a = 0x" + "f" * 5000, ["4,000 digits"]),
        ("a = [[1], [{b = 0x" + "f" * 5000 + "}]]", ["4,000 digits"]),
        ("#" * (LARGEST + 1), [f"{LARGEST + 1:,} bytes"]),
        ("a = " + "[" * 100_000, ["not TOML"]),
    ],
)
def test_what_would_take_ages_is_refused(tmp_path: Path, text: str, words: list[str], refused: Refused) -> None:
    (tmp_path / "a.toml").write_text(text)
    with refused(str(tmp_path / "a.toml"), *words):
        read_toml(tmp_path / "a.toml", "card")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_not_opened(tmp_path: Path, refused: Refused) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with refused("card", "pipe.toml is no regular file"):
        read_toml(tmp_path / "pipe.toml", "card")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    with refused("recipe", "zero.toml is no regular file"):
        read_toml(tmp_path / "zero.toml", "recipe")
