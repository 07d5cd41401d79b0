"""Runs that train on a union, and suites of today's tables, from the outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.trees import TREES

from .conftest import Workshop

UNION = """
name = "both"
title = "Both"
rain_model = "mixed"
kind = "synthetic"
[union]
members = ["tiny", "other"]
shares = { tiny = 1, other = 3 }
"""


def prepared(workshop: Workshop) -> list[str]:
    """A second set beside the tiny one and a union of the two; the cards' arguments."""
    shutil.copytree(workshop.folder / "data", workshop.folder / "data2")
    card = (workshop.folder / "card.toml").read_text()
    other = card.replace('name = "tiny"', 'name = "other"').replace('root = "data"', 'root = "data2"')
    assert other.count("other") == 1
    assert "data2" in other
    (workshop.folder / "other.toml").write_text(other)
    (workshop.folder / "both.toml").write_text(UNION)
    return ["--card", "other.toml", "--card", "both.toml"]


def info(folder: Path, out: str = "run") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / out / "run.json").read_text())
    return found


def test_a_union_is_trained_once_and_tested_on_its_members(workshop: Workshop) -> None:
    cards = prepared(workshop)
    arguments = [*workshop.arguments(datasets="both", methods="tinycnn"), *cards]
    result = workshop(arguments)
    assert result.returncode == 0, result.stderr
    said = info(workshop.folder)
    assert sorted(cell["folder"] for cell in said["cells"] if cell["method"] == "tinycnn") == [
        "eval/tinycnn/both/seed0/other",
        "eval/tinycnn/both/seed0/tiny",
        "train/tinycnn/both/seed0",
    ]
    assert said["unions"] == [{"name": "both", "title": "Both", "members": ["tiny", "other"], "shares": [0.25, 0.75]}]
    assert [dataset["name"] for dataset in said["datasets"]] == ["tiny", "other"]
    assert (workshop.folder / "run" / said["manifests"]["both train"]["file"]).is_file()
    before = (workshop.folder / "run/train/tinycnn/both/seed0/weights.safetensors").read_bytes()
    again = workshop(arguments)
    assert "0 done, 5 kept, 0 failed" in again.stdout
    fresh = workshop([*workshop.arguments(datasets="both", methods="tinycnn", out="fresh"), *cards])
    assert fresh.returncode == 0
    assert (workshop.folder / "fresh/train/tinycnn/both/seed0/weights.safetensors").read_bytes() == before


def test_test_scenes_are_looked_for_in_every_member(workshop: Workshop) -> None:
    cards = prepared(workshop)
    shutil.copy(workshop.folder / "data2/train/clean/b.png", workshop.folder / "data/test/clean/y.png")
    shutil.copy(workshop.folder / "data2/train/rainy/b-1.png", workshop.folder / "data/test/rainy/y.png")
    result = workshop([*workshop.arguments(datasets="both", methods="tinycnn"), *cards])
    assert result.returncode == 0, result.stderr
    (entry,) = [each for each in info(workshop.folder)["seen_in_training"] if each["test"] == "tiny"]
    assert (entry["train"], entry["exact"], entry["total"]) == ("both", 1, 2)


def test_a_union_lacks_a_member(workshop: Workshop) -> None:
    cards = prepared(workshop)
    shutil.rmtree(workshop.folder / "data2")
    result = workshop([*workshop.arguments(datasets="both", methods="tinycnn"), *cards])
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert "'both' is made of tiny (25 %) and other (75 %)" in line
    assert "the training images of other are not" in line
    assert not (workshop.folder / "run").exists()


def test_lists_and_verify_look_through_a_union(workshop: Workshop) -> None:
    cards = prepared(workshop)
    given = ["--card", "card.toml", *cards]
    listed = {each["name"]: each for each in json.loads(workshop(["datasets", "--json", *given]).stdout)["datasets"]}
    assert (listed["both"]["train"], listed["both"]["test"]) == (None, 0), "as many as its members say: nothing"
    assert (listed["demo-all"]["train"], listed["both"]["union"]) == (108, ["tiny", "other"])
    assert listed["both"]["here"] == "all of tiny and other"
    assert "union" not in listed["tiny"]
    shown = workshop(["datasets", "show", "both", *given]).stdout
    assert "of tiny (25 %) and other (75 %)" in shown
    verified = workshop(["datasets", "verify", "both", *given])
    heads = [line.partition(":")[0] for line in verified.stdout.splitlines()]
    assert [head for head in heads if head in ("tiny", "other", "both")] == ["tiny", "other"], verified.stdout


@pytest.mark.slow
def test_the_plans_of_today_s_tables_on_trees_as_they_are_packed(workshop: Workshop) -> None:
    rain13k = {
        "rain13k": "MPRNet, Restormer",
        **dict.fromkeys(("test100", "rain100h", "rain100l", "test2800", "test1200"), "Rain13K"),
    }
    for tree in TREES:
        if rain13k.get(tree.card) == tree.layout:
            tree.plant(workshop.folder / "rain13k")
        if tree.layout == "DRSformer":
            tree.plant(workshop.folder / "drsformer")
    root = workshop.folder / "drsformer"
    shutil.copytree(root / "Datasets", root, dirs_exist_ok=True)
    for suite, cells in (("rain13k", 18), ("drsformer", 30)):
        result = workshop(["run", "--suite", suite, "--dry-run", "--recipe", "quick", "--data-root", suite])
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert sum(line.startswith("  missing") for line in lines) >= cells
        assert not any("no data" in line for line in lines)
    assert "drsformer/1 PReNet (trained on each set)" in lines
    assert any(line.endswith("train/prenet/rain1400/seed0") for line in lines)
