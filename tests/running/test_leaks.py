"""What a run says of test scenes that were in a training set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from derainbench.overlap import image_sets, leaks
from derainbench.registry import discover
from derainbench.weights import save_weights

PLUGIN = Path(__file__).parents[1] / "plugin_method.py"
NOTICE = (
    "tiny train has 1 of the 2 clean test images of tiny (first: test/clean/y.png): scores there of what was trained "
    "on it are too good; see derainbench datasets overlap tiny:train tiny:test."
)


def leak(data: Path) -> None:
    """Make the test scene y the training scene b, a little brighter."""
    clean = np.asarray(Image.open(data / "train/clean/b.png")) + np.uint8(3)
    Image.fromarray(clean).save(data / "test/clean/y.png")
    Image.fromarray(clean + np.uint8(9)).save(data / "test/rainy/y.png")


def entries(folder: Path) -> list[dict[str, Any]]:
    """What a run's description says under seen_in_training."""
    found: list[dict[str, Any]] = json.loads((folder / "run/run.json").read_text())["seen_in_training"]
    return found


def test_a_report_says_that_test_scenes_were_in_the_training_set(workshop) -> None:
    """The notice appears in the run's output and its report; it is gone once the files are mended."""
    honest = (
        (workshop.folder / "data/test/clean/y.png").read_bytes(),
        (workshop.folder / "data/test/rainy/y.png").read_bytes(),
    )
    leak(workshop.folder / "data")
    result = workshop(workshop.arguments())
    assert result.returncode == 0, result.stderr
    assert f"note: {NOTICE}" in result.stdout.splitlines()
    assert entries(workshop.folder) == [{"train": "tiny", "test": "tiny", "shared": 1, "total": 2, "notice": NOTICE}]
    workshop(["report", "run"])
    assert "tiny train has 1 of the 2 clean test images" in (workshop.folder / "run/report/report.md").read_text()
    for role, content in zip(("clean", "rainy"), honest, strict=True):
        (workshop.folder / f"data/test/{role}/y.png").write_bytes(content)
    assert "clean test images of" not in workshop(workshop.arguments()).stdout
    assert entries(workshop.folder) == [{"train": "tiny", "test": "tiny", "shared": 0, "total": 2, "notice": ""}]
    workshop(["report", "run"])
    assert "clean test images of" not in (workshop.folder / "run/report/report.md").read_text()


def test_what_never_trained_says_nothing(workshop) -> None:
    leak(workshop.folder / "data")
    assert "clean test images of" not in workshop(workshop.arguments("identity")).stdout
    assert entries(workshop.folder) == []


def test_published_weights_count_where_their_training_set_is_here(workshop) -> None:
    """Nothing is trained in this run; the weights say what they were trained on."""
    leak(workshop.folder / "data")
    torch.manual_seed(0)
    save_weights(workshop.folder / "mine.safetensors", discover([PLUGIN]).variant("tinycnn").build())
    for tag, trained_on in (("mine", "tiny"), ("theirs", "elsewhere")):
        options = ("--trust-unknown", "--trained-on", trained_on, "--plugin", str(PLUGIN))
        added = workshop(["weights", "add", f"tinycnn@{tag}", "mine.safetensors", *options])
        assert added.returncode == 0, added.stderr
    assert f"note: {NOTICE}" in workshop(workshop.arguments("tinycnn@mine")).stdout.splitlines()
    assert "clean test images of" not in workshop(workshop.arguments("tinycnn@theirs", out="other")).stdout


def test_a_large_training_set_is_not_read_unasked(workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so; once the overlap was looked for, the answer is known."""
    leak(workshop.folder / "data")
    monkeypatch.setattr(leaks, "MOST", 2)
    arguments = workshop.arguments("tinycnn")
    out = workshop(arguments).stdout
    assert "whether tiny train has test scenes of tiny was not looked at: it has 3 images" in out
    workshop(["datasets", "overlap", "tiny:train", "tiny:test", "--card", "card.toml"])
    assert f"note: {NOTICE}" in workshop(arguments).stdout.splitlines()


def test_a_second_run_reads_no_image_for_it(workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    leak(workshop.folder / "data")
    workshop(workshop.arguments())
    monkeypatch.setattr(image_sets, "fingerprint", None)
    assert f"note: {NOTICE}" in workshop(workshop.arguments()).stdout.splitlines()
