"""``weights fetch``, ``datasets fetch`` and ``run --fetch`` from a server with every fault: whole files or none."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from derainbench.download import transfer
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import save_weights
from tests.helpers.faulty_server import FaultyServer, serving

from .conftest import Workshop

PLUGIN = """
from dataclasses import replace

from derainbench import Address, RemoteFile, Weights

TINY = replace(
    TINY,
    weights=(
        Weights(
            tag="theirs",
            trained_on="elsewhere",
            source="https://example.org/their-page",
            sha256="{sha256}",
            licence="for research",
            options={{"width": 4}},
            files=(
                RemoteFile(
                    name="theirs.safetensors",
                    addresses=tuple(Address(url=url, state="read") for url in {urls!r}),
                ),
            ),
        ),
    ),
)
"""

CARD = """
name = "rained"
title = "Rained"
rain_model = "streak"
kind = "synthetic"
source = "https://example.org/the-page"
licence = "CC BY 4.0"
folders = ["Rained"]
counts = {{ train = 0, test = 3 }}
[[layouts]]
name = "theirs"
test = {{ rainy = "rain/{{id:d}}.png", clean = "clean/{{id:d}}.png" }}
[[layouts.files]]
name = "rained.zip"
sha256 = "{sha256}"
addresses = [{addresses}]
"""

#: What each fault is said to be, where the hash is known.
FAULTS = {
    "missing": "answers 404",
    "gone": "answers 410",
    "other": "other bytes than those that are known",
    "page": "other bytes than those that are known",
    "loop": "redirects without end",
    "cut+no-range": "ends after",
    "cut+no-length": "other bytes than those that are known",
}
FINE = ("plain", "slow", "redirect", "cut", "no-length", "no-range", "cut-once+no-range")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A faulty server, of which connections that were cut are tried again at once."""
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    with serving() as here:
        yield here


def archive(top: str = "deep/Rained/", numbers: int = 3) -> bytes:
    """A zip archive of a dataset, its folder within others."""
    random, made = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for n in range(1, numbers + 1):
            clean = random.integers(0, 200, (16, 24, 3), dtype=np.uint8)
            for folder, image in (("clean", clean), ("rain", clean + random.integers(0, 55, (16, 24, 1), np.uint8))):
                png = io.BytesIO()
                Image.fromarray(image).save(png, "png")
                packed.writestr(zipfile.ZipInfo(f"{top}{folder}/{n}.png"), png.getvalue())
    return made.getvalue()


def with_dataset(
    workshop: Workshop, server: FaultyServer, *faults: str, content: bytes = b"", known: bool = True
) -> None:
    """A card in the workshop, whose archive is at addresses with these faults."""
    server.files["rained.zip"] = content or archive()
    urls = ", ".join(f'{{ url = "{server.url(fault, "rained.zip")}", state = "read" }}' for fault in faults)
    sha256 = hashlib.sha256(server.files["rained.zip"]).hexdigest() if known else ""
    (workshop.folder / "rained.toml").write_text(CARD.format(sha256=sha256, addresses=urls))


def with_weights(workshop: Workshop, server: FaultyServer, *faults: str) -> None:
    """A plugin in the workshop, whose weights are at addresses with these faults."""
    path = workshop.folder / "their-own.safetensors"
    save_weights(path, discover([Path(__file__).parents[1] / "plugin_method.py"]).variant("tinycnn[width=4]").build())
    server.files["net"] = path.read_bytes()
    path.unlink()
    urls = [server.url(fault, "net") for fault in faults]
    tiny = (Path(__file__).parents[1] / "plugin_method.py").read_text()
    sha256 = hashlib.sha256(server.files["net"]).hexdigest()
    (workshop.folder / "theirs.py").write_text(tiny + PLUGIN.format(sha256=sha256, urls=urls))


def fetch_weights(workshop: Workshop, *more: str) -> subprocess.CompletedProcess[str]:
    """``derainbench weights fetch``."""
    return workshop(["weights", "fetch", "tinycnn[width=4]@theirs", "--plugin", "theirs.py", *more])


def fetch_dataset(workshop: Workshop, *more: str) -> subprocess.CompletedProcess[str]:
    """``derainbench datasets fetch``."""
    return workshop(["datasets", "fetch", "rained", "--card", "rained.toml", "--data-root", "sets", *more])


def run(workshop: Workshop, *more: str) -> subprocess.CompletedProcess[str]:
    """``derainbench run --fetch``."""
    words = [
        "run",
        "--methods",
        "tinycnn[width=4]@theirs",
        "--datasets",
        "rained",
        "--plugin",
        "theirs.py",
        "--out",
        "out",
    ]
    words += ["--card", "rained.toml", "--data-root", "sets", "--device", "cpu", "--protocols", "rgb", "--fetch"]
    return workshop([*words, *more])


def there(workshop: Workshop) -> list[str]:
    """What the commands have made, without debris that is known as such and folders."""
    return sorted(
        path.relative_to(workshop.folder).as_posix()
        for folder in ("sets", "cache/weights", "cache/downloads", "out")
        for path in (workshop.folder / folder).rglob("*")
        if path.is_file() and not any(re.fullmatch(r"\..*\.part", part) for part in path.parts)
    )


def one_line(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command was refused, in one line with these words."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert [word for word in words if word not in result.stderr] == [], result.stderr


WEIGHTS = [f"cache/weights/tinycnn/tinycnn[width=4]@theirs.{suffix}" for suffix in ("json", "safetensors")]
IMAGES = [f"sets/Rained/{folder}/{n}.png" for folder in ("clean", "rain") for n in (1, 2, 3)]


@pytest.mark.parametrize("fault", FINE)
def test_weights_come_whole(workshop: Workshop, server: FaultyServer, fault: str) -> None:
    with_weights(workshop, server, fault)
    result = fetch_weights(workshop, "--yes")
    assert result.returncode == 0, result.stderr
    assert "licence: for research" in result.stdout
    assert f"{server.url(fault, 'net')} (read)" in result.stdout
    assert re.search(r"theirs\.safetensors, (?:[\d.]+ kB|size unknown), known by its sha256", result.stdout)
    assert "fetched and added (verified)" in result.stdout
    assert there(workshop) == WEIGHTS
    asked = len(server.asked)
    again = fetch_weights(workshop)
    assert (again.returncode, again.stdout) == (0, "tinycnn[width=4]@theirs: is here\n")
    assert len(server.asked) == asked


@pytest.mark.parametrize("fault", FAULTS)
def test_or_no_weights(workshop: Workshop, server: FaultyServer, fault: str) -> None:
    with_weights(workshop, server, fault)
    one_line(
        fetch_weights(workshop, "--yes"), server.url(fault, "net"), FAULTS[fault], "https://example.org/their-page"
    )
    assert there(workshop) == []


@pytest.mark.parametrize("fault", FINE)
def test_a_dataset_comes_whole(workshop: Workshop, server: FaultyServer, fault: str) -> None:
    with_dataset(workshop, server, fault)
    result = fetch_dataset(workshop, "--yes")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "to fetch: rained, into sets/Rained; licence: CC BY 4.0" in result.stdout
    assert "rained: fetched, sets/Rained (layout 'theirs')" in result.stdout
    assert "3 pairs" in result.stdout  # as datasets verify counts
    assert there(workshop) == IMAGES
    assert [path.name for path in (workshop.folder / "sets").iterdir()] == ["Rained"]
    again = fetch_dataset(workshop)
    assert (again.returncode, again.stdout) == (0, "rained: is here, sets/Rained\n")


@pytest.mark.parametrize("fault", FAULTS)
def test_or_no_dataset(workshop: Workshop, server: FaultyServer, fault: str) -> None:
    with_dataset(workshop, server, fault)
    one_line(fetch_dataset(workshop, "--yes"), server.url(fault, "rained.zip"), FAULTS[fault], "/the-page")
    assert there(workshop) == []


@pytest.mark.parametrize(("fault", "said"), [("page", "is a web page"), ("cut+no-length", ""), ("other", "")])
def test_nor_one_of_unknown_hash(workshop: Workshop, server: FaultyServer, fault: str, said: str) -> None:
    with_dataset(workshop, server, fault, known=False)
    result = fetch_dataset(workshop, "--yes")
    one_line(result, "rained.zip", said)
    assert "no hash of it is known" in result.stdout
    assert there(workshop) == []
    assert [*(workshop.folder / "sets").iterdir()] == []


@pytest.mark.parametrize("fault", ["plain", "slow", "redirect", "cut"])
def test_a_run_fetches_what_it_lacks(workshop: Workshop, server: FaultyServer, fault: str) -> None:
    with_weights(workshop, server, fault)
    with_dataset(workshop, server, fault)
    result = run(workshop, "--yes")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("to fetch: ") == 2
    assert "2 done, 0 kept, 0 failed" in result.stdout
    assert {*WEIGHTS, *IMAGES} < {*there(workshop)}
    again = run(workshop)
    assert again.returncode == 0, again.stderr
    assert "to fetch" not in again.stdout
    assert "0 done, 2 kept, 0 failed" in again.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_or_does_not_begin(workshop: Workshop, server: FaultyServer, fault: str) -> None:
    with_weights(workshop, server, "plain")
    with_dataset(workshop, server, fault)
    one_line(run(workshop, "--yes"), server.url(fault, "rained.zip"), FAULTS[fault])
    assert there(workshop) == WEIGHTS  # which had come, whole, before
    with_weights(workshop, server, fault)
    (workshop.folder / WEIGHTS[0]).unlink()
    (workshop.folder / WEIGHTS[1]).unlink()
    one_line(run(workshop, "--yes"), server.url(fault, "net"), FAULTS[fault])
    assert there(workshop) == []


@pytest.mark.parametrize("command", [fetch_weights, fetch_dataset, run])
def test_nothing_is_fetched_unasked(
    workshop: Workshop,
    server: FaultyServer,
    command: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_weights(workshop, server, "plain")
    with_dataset(workshop, server, "plain")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal
    result = command(workshop)
    one_line(result, "nothing was fetched", "--yes")
    assert "to fetch: " in result.stdout
    assert {method for method, _, _ in server.asked} <= {"HEAD"}
    assert there(workshop) == []


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals")
@pytest.mark.parametrize(("answer", "fetched"), [("y", True), ("n", False), ("", False)])
def test_a_terminal_is_asked(
    workshop: Workshop, server: FaultyServer, answer: str, fetched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_weights(workshop, server, "plain")
    master, slave = os.openpty()
    os.write(master, f"{answer}\n".encode())
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        result = fetch_weights(workshop)
    os.close(master)
    assert result.returncode == (0 if fetched else 2), result.stderr
    assert ("nothing was fetched" in result.stderr) is not fetched
    assert there(workshop) == (WEIGHTS if fetched else [])


def test_a_dry_run_fetches_nothing(workshop: Workshop, server: FaultyServer) -> None:
    with_weights(workshop, server, "plain")
    with_dataset(workshop, server, "plain")
    result = run(workshop, "--dry-run")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("to fetch: ") == 2
    assert {method for method, _, _ in server.asked} == {"HEAD"}
    assert there(workshop) == []


def test_no_file_says_yes(workshop: Workshop) -> None:
    (workshop.folder / "run.toml").write_text("fetch = true\nyes = true\n")
    one_line(workshop(["run", "--config", "run.toml"]), "no option 'yes'")


def test_a_dead_link_names_the_next(workshop: Workshop, server: FaultyServer) -> None:
    with_weights(workshop, server, "missing", "plain")
    result = fetch_weights(workshop, "--yes")
    assert result.returncode == 0, result.stderr
    assert (
        f"{server.url('missing', 'net')} answers 404 (Not Found); trying {server.url('plain', 'net')}" in result.stdout
    )
    with_dataset(workshop, server, "missing", "gone")
    one_line(fetch_dataset(workshop, "--yes"), server.url("missing", "rained.zip"), server.url("gone", "rained.zip"))


def test_what_is_in_the_way_stays(workshop: Workshop, server: FaultyServer) -> None:
    with_dataset(workshop, server, "plain")
    mine = workshop.folder / "sets" / "Rained" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    one_line(fetch_dataset(workshop, "--yes"), "sets/Rained is in the way")
    assert mine.read_text() == "mine"
    assert [method for method, _, _ in server.asked if method == "GET"] == []


def test_a_set_that_is_packed_otherwise_is_not_kept(workshop: Workshop, server: FaultyServer) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("elsewhere/in/1.png", b"1")
    with_dataset(workshop, server, "plain", content=made.getvalue())
    one_line(fetch_dataset(workshop, "--yes"), "not packed as its card knows", "elsewhere/in/1.png")
    assert there(workshop) == []
    assert [*(workshop.folder / "sets").iterdir()] == []


def test_folders_beside_each_other(workshop: Workshop, server: FaultyServer) -> None:
    with_dataset(workshop, server, "plain", content=archive(top=""))
    workshop.edit("rained.toml", lambda text: text.replace('name = "theirs"\n', 'name = "theirs"\nfolders = ["."]\n'))
    (workshop.folder / "sets" / "rain").mkdir(parents=True)
    one_line(fetch_dataset(workshop, "--yes"), "sets/rain is in the way")
    (workshop.folder / "sets" / "rain").rmdir()
    result = fetch_dataset(workshop, "--yes")
    assert result.returncode == 0, result.stdout + result.stderr
    assert there(workshop) == [path.replace("Rained/", "") for path in IMAGES]


def test_a_set_with_other_numbers_is_said_to_have_them(workshop: Workshop, server: FaultyServer) -> None:
    with_dataset(workshop, server, "plain", content=archive(numbers=2))
    verified = ["datasets", "verify", "rained", "--card", "rained.toml", "--data-root", "sets"]
    fetched = fetch_dataset(workshop, "--yes")
    result = workshop(verified)
    assert result.stdout in fetched.stdout
    assert fetched.returncode == result.returncode


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["datasets", "fetch", "demo-mist", "--yes"], "is made on first use"),
        (["datasets", "fetch", "rain100l", "--yes"], "no address of the files of dataset 'rain100l' is known"),
        (["datasets", "fetch", "rain12", "--yes"], "give --data-root"),
        (["datasets", "fetch", "rain13", "--yes"], "no dataset is called 'rain13'"),
        (["datasets", "fetch", "rain12", "--layout", "none", "--data-root", ".", "--yes"], "no layout 'none'"),
        (["weights", "fetch", "prenet", "--yes"], "names no weights"),
        (["weights", "fetch", "prenet@none", "--yes"], "nothing is published as prenet@none; known: prenet@rain100h"),
        (["weights", "fetch", "ddn[shortcut=global]@rain200l", "--yes"], "no address of the file"),
        (["run", "--methods", "identity", "--datasets", "demo", "--yes"], "--yes answers what --fetch asks"),
    ],
)
def test_what_cannot_be_fetched(workshop: Workshop, words: list[str], said: str) -> None:
    one_line(workshop(words), said)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_killed_fetch_is_gone_on_with(workshop: Workshop, server: FaultyServer) -> None:
    with_dataset(workshop, server, "stuck")
    words = ["datasets", "fetch", "rained", "--card", "rained.toml", "--data-root", "sets", "--yes"]
    process = workshop.popen(words)
    half = len(server.files["rained.zip"]) // 2
    end = time.monotonic() + 60
    while time.monotonic() < end and not any(
        path.is_file() and path.stat().st_size >= half for path in (workshop.folder / "sets").rglob("*")
    ):
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert there(workshop) == []
    with_dataset(workshop, server, "plain")
    result = fetch_dataset(workshop, "--yes")
    assert ("GET", "/plain/rained.zip", f"bytes={half}-") in server.asked
    assert result.returncode == 0, result.stdout + result.stderr
    assert there(workshop) == IMAGES
    assert [path.name for path in (workshop.folder / "sets").iterdir()] == ["Rained"]
