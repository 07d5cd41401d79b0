"""Runs over broken files: an end, one line with the file's name, no traceback, and the rest of the run done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from .conftest import Workshop

Break = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def as_jpeg(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
    image.save(path, format="JPEG")


BROKEN: dict[str, tuple[Break, str]] = {
    "cut": (cut, "cannot be read as an image (image file is truncated"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("<html>"), "cannot be read as an image"),
    "other size": (lambda path: Image.new("RGB", (5, 5)).save(path), "is 5x5 but its partner"),
}


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.rename(path.with_name("z.png"))
    path.mkdir()


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("gone.png")


#: Told before anything runs, since such files cannot be hashed.
NO_FILE: dict[str, tuple[Break, str]] = {
    "pipe": (pipe, "no regular file"),
    "dangling link": (link, "no such file"),
    "line break": (lambda path: path.rename(path.with_name("x\n.png")), "not text"),
    "folder": (folder, "no partner"),
}


@pytest.mark.parametrize("name", [*BROKEN, *NO_FILE])
def test_verify_says_so_and_fails(workshop: Workshop, name: str) -> None:
    change, _ = {**BROKEN, **NO_FILE}[name]
    change(workshop.folder / "data/test/rainy/x.png")
    result = workshop(["datasets", "verify", "tiny", "--card", "card.toml", "--workers", "1"])
    said = result.stdout + result.stderr
    if name != "line break":  # which may be met while the dataset is looked for, as a mistake (2)
        assert result.returncode == 1
        assert "NOT usable" in result.stdout
    assert result.returncode in (1, 2)
    assert [line for line in said.splitlines() if "rainy/x" in line or "rainy/z" in line]
    assert "Traceback" not in said


@pytest.mark.parametrize("name", NO_FILE)
def test_what_is_no_file_is_refused_before_the_run(workshop: Workshop, name: str) -> None:
    change, said = NO_FILE[name]
    change(workshop.folder / "data/test/rainy/x.png")
    result = workshop(workshop.arguments(methods="identity"))
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_test_image_fails_its_cell_in_one_line(workshop: Workshop, name: str) -> None:
    change, said = BROKEN[name]
    path = workshop.folder / "data/test/rainy/x.png"
    change(path)
    result = workshop(workshop.arguments(methods="identity"))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if str(path) in line]
    assert [said in line for line in lines] == [True]
    report = workshop(["report", "run"])
    assert report.returncode == 0
    assert "failed" in report.stdout


def test_odd_but_whole_files_are_evaluated(workshop: Workshop) -> None:
    rainy, clean = (workshop.folder / "data/test" / kind for kind in ("rainy", "clean"))
    as_jpeg(rainy / "x.png")
    with Image.open(clean / "y.png") as image:
        image.quantize(16).save(clean / "y.png")
    for folder in (rainy, clean):
        shutil.copy(folder / "x.png", folder / "--é x.png")
        Image.new("L", (1, 1), 90).save(folder / "dot.png")
    with pytest.warns(UserWarning, match="SSIM is undefined"):  # of a single pixel
        result = workshop(workshop.arguments(methods="identity"))
    assert result.returncode == 0, result.stderr
    scores = pd.read_parquet(workshop.folder / "run/eval/identity/untrained/seed0/tiny/scores.parquet")
    assert set(scores["image"]) == {"x", "y", "--é x", "dot"}
    assert scores.loc[scores["image"] != "dot", ["psnr", "ssim"]].notna().all(axis=None)
