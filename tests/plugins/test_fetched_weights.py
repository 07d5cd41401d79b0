"""The addresses that weights carry: of the files whose hashes are known; several files at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from derainbench.download.remote import Address
from derainbench.plugins.fetched_weights import fetch_weights, files_of, weights_to_fetch
from derainbench.plugins.registry import Registry, discover
from derainbench.plugins.variant import Variant, tagged
from derainbench.plugins.weights_store import place
from tests.helpers.faulty_server import FaultyServer, serving


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server."""
    with serving() as here:
        yield here


def with_files(registry: Registry) -> list[Variant]:
    """All published weights that can be fetched."""
    variants = [variant for name in registry.names() for variant in tagged(registry.get(name))]
    return [variant for variant in variants if variant.weights is not None and variant.weights.files]


def test_addresses_are_of_files_as_they_were_at_a_commit() -> None:
    found = [file for variant in with_files(discover([])) for file in files_of(variant)]
    assert len(found) >= 28
    for file in found:
        assert file.sha256
        assert file.size
        for address in file.addresses:
            assert address.state == "derived"
            host, owner, name, commit, *path = address.url.removeprefix("https://").split("/")
            assert host == "raw.githubusercontent.com"
            assert len(commit) == 40
            assert owner, name
            assert path


def test_sizes_are_those_of_the_files(shared: Path) -> None:
    lines = (shared / "weights" / "SHA256SUMS").read_text().splitlines()
    sizes = {sha256: (shared / "weights" / path).stat().st_size for sha256, path in (line.split() for line in lines)}
    for variant in with_files(discover([])):
        for file in files_of(variant):
            assert sizes.get(file.sha256, file.size) == file.size, file.name


@pytest.mark.slow
def test_a_checkpoint_of_two_files(
    shared: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path))
    registry = discover([])
    variant = weights_to_fetch(registry, "ddn@rain1400")
    assert variant.weights is not None
    local = []
    for file in files_of(variant):
        theirs = shared / "weights" / "ddn" / f"ddn_tf_official_{file.name}"
        server.files[file.name] = theirs.read_bytes()
        address = Address(url=server.url("cut", file.name), state="read")
        local.append(file.model_copy(update={"addresses": (address,)}))
    variant = replace(variant, weights=replace(variant.weights, files=tuple(local)))
    added = fetch_weights(registry, variant)
    assert place(added.variant).state == "here"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "ddn@rain1400.json",
        "ddn@rain1400.safetensors",
    ]
