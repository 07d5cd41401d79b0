"""Google Drive by gdown, whose requests are led to a server here; and what is said where gdown is not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from derainbench.download.remote import Address, RemoteFile
from derainbench.download.whole import fetched
from tests.helpers.faulty_server import FaultyServer

Refused = Callable[..., AbstractContextManager[None]]

FOLDER, FIRST, SECOND = "F" * 33, "1" * 33, "2" * 33
PAGE = f"""<!DOCTYPE html><html><head><title>Rained</title></head><body>
<a href="https://drive.google.com/file/d/{FIRST}/view">1.txt</a>
<a href="https://drive.google.com/file/d/{SECOND}/view">{{name}}</a></body></html>"""


@pytest.fixture
def drive(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> FaultyServer:
    """A Drive of two files in a folder."""
    pytest.importorskip("gdown")
    server.files |= {FIRST: b"one" * 100, SECOND: b"two" * 100, FOLDER: PAGE.format(name="2.txt").encode()}
    send = requests.adapters.HTTPAdapter.send

    def led(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **more: object
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        if parts.hostname is not None and parts.hostname.endswith("google.com"):
            name = parse_qs(parts.query).get("id", [parts.path.split("/")[-2]])[0]
            request.url = server.url("drive" if name in server.files else "missing", name)
        return send(self, request, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", led)
    return server


def of_drive(url: str, name: str = "files") -> RemoteFile:
    """A file of which Drive has a copy."""
    return RemoteFile(name=name, addresses=(Address(url=url, state="unconfirmed"),))


def test_a_folder(drive: FaultyServer, tmp_path: Path) -> None:
    folder = of_drive(f"https://drive.google.com/drive/folders/{FOLDER}?usp=sharing")
    with fetched([folder], tmp_path / "set") as here:
        found = {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()}
        assert found == {"files/1.txt": b"one" * 100, "files/2.txt": b"two" * 100}
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_lacks_a_file(drive: FaultyServer, tmp_path: Path, refused: Refused) -> None:
    del drive.files[SECOND]
    with (
        refused("files was not fetched", "does not give it"),
        fetched([of_drive(f"https://drive.google.com/drive/folders/{FOLDER}")], tmp_path / "set"),
    ):
        pass
    assert [*tmp_path.iterdir()] == []


def test_no_name_leads_out(drive: FaultyServer, tmp_path: Path) -> None:
    drive.files[FOLDER] = PAGE.format(name="../../../2.txt").encode()
    with fetched([of_drive(f"https://drive.google.com/drive/folders/{FOLDER}")], tmp_path / "a" / "b" / "set") as here:
        assert {path.parent.name for path in tmp_path.rglob("*") if path.is_file()} == {"files"}
        assert len([*here.rglob("*.txt")]) == 2


def test_without_gdown(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    for url in (f"https://drive.google.com/drive/folders/{FOLDER}", f"https://drive.google.com/uc?id={FIRST}"):
        with refused("pip install 'derainbench[drive]'"), fetched([of_drive(url)], tmp_path / "set"):
            pass
    assert [*tmp_path.iterdir()] == []
