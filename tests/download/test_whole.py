"""Files from addresses with faults: whole and as they are known, or not there, and one line that says why."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from derainbench.download.remote import Address, RemoteFile, in_repository
from derainbench.download.whole import Told, fetched
from derainbench.errors import UserError
from tests.helpers.faulty_server import FaultyServer

Refused = Callable[..., AbstractContextManager[None]]

DATA = random.Random(0).randbytes(300_000)  # of all processes the same, whose tests are called by its hash
SHA = hashlib.sha256(DATA).hexdigest()


class Heard(Told):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bytes: dict[str, int] = {}

    def line(self, text: str) -> None:
        self.lines.append(text)

    def bytes_of(self, name: str) -> Callable[[int, int | None], None]:
        self.bytes[name] = 0

        def more(number: int, total: int | None) -> None:
            self.bytes[name] += number

        return more


def file(server: FaultyServer, *faults: str, sha256: str = SHA, size: int | None = None) -> RemoteFile:
    """The file at addresses with these faults."""
    server.files["net.pth"] = DATA
    addresses = tuple(Address(url=server.url(fault, "net.pth"), state="read") for fault in faults)
    return RemoteFile(name="net.pth", addresses=addresses, sha256=sha256, size=size)


def fetch(one: RemoteFile, folder: Path, heard: Told | None = None, patience: float = 5.0) -> bytes:
    """What is fetched, read while it is there."""
    with fetched([one], folder / "net", "the page", heard, patience=patience) as here:
        assert [path.name for path in here.iterdir()] == ["net.pth"]
        return (here / "net.pth").read_bytes()


@pytest.mark.parametrize("known", [SHA, ""])
@pytest.mark.parametrize(
    "fault", ["plain", "slow", "redirect", "cut", "cut-once+no-range", "no-length", "no-range", "no-length+slow"]
)
def test_a_file_that_comes_is_whole_and_nothing_else_is_left(
    server: FaultyServer, tmp_path: Path, fault: str, known: str
) -> None:
    heard = Heard()
    assert fetch(file(server, fault, sha256=known), tmp_path, heard) == DATA
    assert heard.bytes == {"net.pth": len(DATA)}
    assert [*tmp_path.iterdir()] == []


def test_what_was_cut_off_is_gone_on_with(server: FaultyServer, tmp_path: Path) -> None:
    assert fetch(file(server, "cut"), tmp_path) == DATA
    assert [span for _, _, span in server.asked] == ["", "bytes=100000-", "bytes=200000-"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "answers 404 (Not Found)"),
        ("gone", "answers 410 (Gone)"),
        ("busy", "answers 503"),
        ("other", "other bytes than those that are known"),
        ("page", "other bytes than those that are known"),
        ("longer", "other bytes than those that are known"),
        ("loop", "redirects without end"),
        ("cut+no-range", "ends after 100,000 bytes of 300,000"),
        ("cut+no-length", "other bytes than those that are known"),
    ],
)
def test_a_dead_link_says_so_and_leaves_nothing(
    server: FaultyServer, tmp_path: Path, refused: Refused, fault: str, said: str
) -> None:
    with refused("net.pth was not fetched", server.url(fault, "net.pth"), said, "the page"):
        fetch(file(server, fault), tmp_path)
    assert [path for path in tmp_path.rglob("*") if not path.name.endswith((".part", ".begun"))] == []
    if "cut" not in fault:
        assert [*tmp_path.iterdir()] == []


def test_a_size_that_is_known_is_expected(server: FaultyServer, tmp_path: Path, refused: Refused) -> None:
    with refused("sends 300,004 bytes, where 300,000 are expected"):
        fetch(file(server, "longer", size=len(DATA)), tmp_path)
    with refused("sends more than 300,000 bytes"):
        fetch(file(server, "longer+no-length", size=len(DATA)), tmp_path)
    assert fetch(file(server, "cut+no-length", size=len(DATA), sha256=""), tmp_path) == DATA
    assert [*tmp_path.iterdir()] == []


def test_never_more_than_is_taken(server: FaultyServer, tmp_path: Path, refused: Refused) -> None:
    for fault, said in (("plain", "at most 1,000 are taken"), ("no-length", "sends more than 1,000 bytes")):
        with refused(said), fetched([file(server, fault)], tmp_path / "net", most=1000):
            pass
    assert [*tmp_path.iterdir()] == []


def test_nobody_waits_for_ever(server: FaultyServer, tmp_path: Path, refused: Refused) -> None:
    with refused("sends nothing more after 150,000 bytes", "150 kB of it are kept"):
        fetch(file(server, "stuck"), tmp_path, patience=0.2)


def test_mirrors_are_tried_in_their_order_and_go_on_where_one_ended(server: FaultyServer, tmp_path: Path) -> None:
    heard = Heard()
    mirrors = file(server, "missing", "stuck", "plain")
    assert fetch(mirrors, tmp_path, heard, patience=0.2) == DATA
    first, second, third = (address.url for address in mirrors.addresses)
    assert heard.lines[0] == f"{first} answers 404 (Not Found); trying {second}"
    assert heard.lines[1].endswith(f"; trying {third}")
    assert server.asked[-1][2] == "bytes=150000-"
    assert heard.bytes == {"net.pth": len(DATA)}


def test_every_address_that_failed_is_named(server: FaultyServer, tmp_path: Path, refused: Refused) -> None:
    mirrors = file(server, "missing", "other", "loop")
    with refused(*(address.url for address in mirrors.addresses)):
        fetch(mirrors, tmp_path)


def test_bytes_of_unknown_hash_are_not_mixed(server: FaultyServer, tmp_path: Path) -> None:
    assert fetch(file(server, "stuck", "plain", sha256=""), tmp_path, patience=0.2) == DATA
    assert server.asked[-1][2] == ""


def test_a_host_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    address = Address(url="http://127.0.0.1:9/net.pth", state="unconfirmed")
    with refused("http://127.0.0.1:9/net.pth cannot be reached"):
        fetch(RemoteFile(name="net.pth", addresses=(address,)), tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("damaged", [False, True])
def test_another_process_goes_on_with_what_one_left(server: FaultyServer, tmp_path: Path, damaged: bool) -> None:
    stuck = file(server, "stuck")
    child = os.fork()
    if child == 0:
        try:
            fetch(stuck, tmp_path, patience=0.2)
        except UserError:
            os._exit(3)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    (begun,) = tmp_path.rglob("*.begun")
    assert begun.read_bytes() == DATA[:150_000]
    if damaged:
        begun.write_bytes(bytes(150_000))
    server.asked.clear()
    assert fetch(file(server, "plain"), tmp_path) == DATA
    spans = [span for _, _, span in server.asked]
    assert spans == (["bytes=150000-", ""] if damaged else ["bytes=150000-"])
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "url",
    ["ftp://host/x", "file:///etc/passwd", "https://", "https://a b", "https://me:word@host/x", "https://host/\n", "x"],
)
def test_only_addresses_of_the_net(url: str) -> None:
    with pytest.raises(ValueError, match="no address to fetch from"):
        Address(url=url, state="read")


@pytest.mark.parametrize("into", ["..", "a/../..", "/etc", "a\\b", "C:", "a\nb"])
def test_a_file_stays_below_its_dataset(into: str) -> None:
    with pytest.raises(ValueError, match="no folder below"):
        RemoteFile(name="a.zip", addresses=(Address(url="https://host/a.zip", state="read"),), into=into)


def test_a_file_in_a_repository() -> None:
    one = in_repository("csdwren/PReNet", "0" * 40, "logs/a b/net.pth", name="Net.pth")
    assert one.name == "Net.pth"
    assert one.addresses[0].url == f"https://raw.githubusercontent.com/csdwren/PReNet/{'0' * 40}/logs/a%20b/net.pth"
    assert one.addresses[0].state == "derived"
