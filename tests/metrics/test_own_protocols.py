"""A user's own way of measuring, as a TOML file; and the line that says how a number was measured."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from derainbench.metrics.field_protocols import FIELD
from derainbench.metrics.protocol import Protocol
from derainbench.metrics.protocols import PROTOCOLS, get_protocol, is_own, own_of, read_protocol, version_of
from derainbench.metrics.scores import score
from derainbench.metrics.signature import signature

Refused = Callable[..., AbstractContextManager[None]]

MINE = 'name = "y-mine"\ncolour = "y"\nborder = 2\nssim = { window = "uniform 11", border = "reflect" }\n'


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_a_protocol(tmp_path: Path) -> None:
    mine = read_protocol(written(tmp_path, MINE))
    assert get_protocol("y-mine") is mine
    assert is_own("y-mine")
    assert own_of(["y", "y-mine"]) == (mine,)
    assert version_of(mine) == mine.digest
    assert version_of(PROTOCOLS["y"]) == 1
    assert mine.title == "y-mine"
    random = torch.Generator().manual_seed(0)
    clean, restored = torch.rand(2, 1, 3, 20, 24, generator=random, dtype=torch.float64)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert float(score(restored, clean, "y-mine").psnr) == pytest.approx(
        float(score(restored[inner], clean[inner], "y").psnr), abs=1e-12
    )


@pytest.mark.parametrize("protocol", FIELD, ids=lambda each: each.name)
def test_the_fields_own_written_as_a_file_measure_alike(protocol: Protocol) -> None:
    """Nothing of a record is beyond what a file can say."""
    said = protocol.model_dump(mode="json", exclude_defaults=True)
    again = Protocol.model_validate(said)
    assert again == protocol
    assert again.digest == protocol.digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 3", ["name", "string"]),
        ("title = 'x'", ["name", "required"]),
        ("name = 'Upper Case'", ["name"]),
        ("name = 'all'", ["--protocols"]),
        ("name = 'a'\nwindo = 'x'", ["windo", "no such key"]),
        ("name = 'a'\nssim = { windw = 'gaussian 11' }", ["ssim.windw", "did you mean 'window'?"]),
        ("name = 'a'\nssim = { window = 'gaussian 9' }", ["ssim.window", "uniform 7"]),
        ('name = "a"\ntitle = "\\u001b[2J"', ["title", "cannot be shown"]),
        ("name = 'a'\ncolour = 'lab'", ["colour", "y-full"]),
        ("name = 'a'\nclamped = false", ["clamped", '"wrap"']),
        ("name = 'a'\nluma_rounding = 'half-up'", ["luma_rounding", "rgb"]),
        ("name = 'a'\ncolour = 'y'\nluma_rounding = 'cv2'", ["luma_rounding", "y-full"]),
        ("name = 'a'\nlevels = 'none'\ngeometry = { multiple = 16, longest = 99 }", ["geometry", "round"]),
        ("name = 'a'\ngeometry = { multiple = 0 }", ["geometry", "greater than or equal to 1"]),
        ("name = 'a'\nborder = 99999999999999999999999", ["border"]),
        ("name = 'a'\nssim = { axes = 3 }", ["axes", "replicate"]),
        ("name = 'a'\nssim = { data_range = nan }", ["data_range"]),
        ("name = 'a'\npsnr = { peak = 0 }", ["peak"]),
        ("name = 'y'\ncolour = 'y-full'", ["'y'", "the field's", "another name"]),
        ("not toml", ["is not TOML"]),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, refused: Refused, text: str, words: list[str]) -> None:
    path = written(tmp_path, text)
    with refused(str(path), *words):
        read_protocol(path)


def test_no_file_and_no_regular_file(tmp_path: Path, refused: Refused) -> None:
    with refused("cannot be read", "check the path"):
        read_protocol(tmp_path / "nothing.toml")
    with refused("cannot be read"):
        read_protocol(tmp_path)


def test_one_name_is_one_way_of_measuring(tmp_path: Path, refused: Refused) -> None:
    first = read_protocol(written(tmp_path, MINE))
    assert read_protocol(written(tmp_path, MINE + "title = 'In other words'\n", "again.toml")) is first
    other = written(tmp_path, MINE.replace("border = 2", "border = 3"), "other.toml")
    with refused(str(other), "'y-mine'", "another name"):
        read_protocol(other)


def test_a_resize_is_told_from_a_crop(tmp_path: Path) -> None:
    crop = read_protocol(written(tmp_path, "name = 'a'\ngeometry = { multiple = 8, anchor = 'centre' }"))
    resize = read_protocol(written(tmp_path, "name = 'b'\ngeometry = { multiple = 8, longest = 512 }", "b.toml"))
    assert "size:crop8-centre" in signature(crop)
    assert "size:lanczos8-longest512" in signature(resize)


def test_a_signature_tells_all_protocols_apart(tmp_path: Path) -> None:
    mine = read_protocol(written(tmp_path, MINE))
    lines = [signature(each).split("|") for each in (*FIELD, mine)]
    assert len({tuple(line[2:]) for line in lines}) == len(lines), "by what they do, without name and revision"
    assert all(line[-1].startswith("derainbench:") for line in lines)
    assert lines[0][:2] == ["y", "rev:1"]
    assert lines[-1][:2] == ["y-mine", f"hash:{mine.digest}"]
