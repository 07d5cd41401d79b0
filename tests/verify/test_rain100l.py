"""The real Rain100L: sound as it is, and each damage named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def verified(data_root: Path, cache: Path, *more: str) -> tuple[int, str]:
    """Exit status and output of ``derainbench datasets verify rain100l``."""
    command = [sys.executable, "-m", "derainbench", "datasets", "verify", "rain100l", "--data-root", str(data_root)]
    environment = {**os.environ, "DERAINBENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *more], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.slow
def test_it_is_usable(shared: Path, tmp_path: Path) -> None:
    status, out = verified(shared / "data", tmp_path)
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[:2] == ["rain100l: usable", f"layout 'PReNet' in {shared / 'data'}"]
    score = "input 26.901 dB / 0.8384 under y (the card: 26.901 / 0.8384)"
    assert lines[2] == f"test: 100 pairs, 91 scenes, {score}"
    groups = "3=4, 5=14, 6=25, 7=36, 8=47, 9=58, 10=69, 11=80, 12=91"
    assert lines[3] == f"9 repeated backgrounds, by the images: {groups}"
    assert lines[-1] == "absent: train images are not here"


def resaved(original: Path, folder: Path, change: Callable[[Image.Image], Image.Image]) -> list[dict[str, Any]]:
    """The problems of a copy whose every image was changed."""
    for path in sorted(original.rglob("*.png")):
        copy = folder / "Rain100L" / path.relative_to(original)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            change(image.convert("RGB")).save(copy, compress_level=0)
    status, out = verified(folder, folder, "--json")
    assert status == 1
    (split,) = json.loads(out)["datasets"][0]["splits"]
    assert split["pairs"] == 100
    found: list[dict[str, Any]] = split["problems"]
    return found


@pytest.mark.slow
def test_the_copy_cropped_to_480x320_is_told(shared: Path, tmp_path: Path) -> None:
    (problem,) = resaved(
        shared / "data/Rain100L", tmp_path, lambda image: image.crop((0, 0, image.width - 1, image.height - 1))
    )
    assert problem["kind"] == "sizes"
    assert "66 of 480x320 and 34 of 320x480; the card says 66 of 481x321 and 34 of 321x481" in problem["message"]
    assert ": a cropped copy;" in problem["message"]


@pytest.mark.slow
def test_the_copy_with_its_portraits_turned_is_told(shared: Path, tmp_path: Path) -> None:
    (problem,) = resaved(
        shared / "data/Rain100L",
        tmp_path,
        lambda image: image.transpose(Image.Transpose.ROTATE_90) if image.height > image.width else image,
    )
    assert problem["kind"] == "sizes"
    assert "are 100 of 481x321; the card says" in problem["message"]
    assert ": some are turned by 90 degrees;" in problem["message"]


@pytest.mark.slow
def test_every_damage_is_named(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Rain100L"
    shutil.copytree(shared / "data" / "Rain100L", folder, copy_function=shutil.copyfile)

    def exchange(one: str, other: str) -> None:
        first, second = (folder / one).read_bytes(), (folder / other).read_bytes()
        (folder / one).write_bytes(second)
        (folder / other).write_bytes(first)

    truncated = folder / "rainy/rain-010.png"
    truncated.write_bytes(truncated.read_bytes()[:90_000])
    (folder / "norain-020.png").unlink()
    (folder / "rainy/rain-050.png").unlink()
    exchange("rainy/rain-030.png", "norain-030.png")
    exchange("rainy/rain-005.png", "rainy/rain-007.png")

    status, out = verified(tmp_path / "data", tmp_path, "--json")
    assert status == 1
    (split,) = json.loads(out)["datasets"][0]["splits"]
    found: list[dict[str, Any]] = split["problems"]
    assert {(each["kind"], *(file.removeprefix("Rain100L/") for file in each["files"])) for each in found} == {
        ("count",),
        ("unreadable", "rainy/rain-010.png"),
        ("no partner", "rainy/rain-020.png"),
        ("orphan", "norain-050.png"),
        ("swapped", "rainy/rain-030.png", "norain-030.png"),
        ("mis-paired", "rainy/rain-005.png", "norain-005.png", "norain-007.png"),
        ("mis-paired", "rainy/rain-007.png", "norain-007.png", "norain-005.png"),
    }
    messages = " ".join(each["message"] for each in found)
    assert "Rain100L/rainy/rain-005.png shows Rain100L/norain-007.png, not Rain100L/norain-005.png" in messages
