"""What a run says of test scenes that were in a training set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from derainbench.overlap import compare as overlap
from derainbench.overlap import image_sets
from derainbench.plugins.registry import discover
from derainbench.plugins.weights import save_weights
from derainbench.run import leaks

from .conftest import Workshop

PLUGIN = Path(__file__).parents[1] / "plugin_method.py"
SETS = {"train": "tiny", "test": "tiny"}
COMMAND = "derainbench datasets overlap tiny:train tiny:test --card card.toml"
NOTICE = (
    "tiny train has 1 exact of the 2 clean test images of tiny (first: train/clean/b.png = test/clean/y.png); scores "
    f"there of what was trained on it are too good; see {COMMAND}."
)
SAID = (
    "Copies of test images are in training sets: 1 (exact) of 2 of Tiny streaks in tiny. Such scores are too good: "
    "they are marked ‡ and are neither best nor second."
)


def leak(data: Path, near: int = 0) -> None:
    """Make the test scene y the training scene b, or a little brighter."""
    clean = np.asarray(Image.open(data / "train/clean/b.png")) + np.uint8(near)
    Image.fromarray(clean).save(data / "test/clean/y.png")
    Image.fromarray(clean + np.uint8(9)).save(data / "test/rainy/y.png")


def entries(folder: Path) -> list[dict[str, Any]]:
    """What a run's description says under seen_in_training."""
    found: list[dict[str, Any]] = json.loads((folder / "run/run.json").read_text())["seen_in_training"]
    return found


def test_a_report_says_that_test_scenes_were_in_the_training_set(workshop: Workshop) -> None:
    """The notice appears in the run's output and its report; it is gone once the files are mended."""
    honest = (
        (workshop.folder / "data/test/clean/y.png").read_bytes(),
        (workshop.folder / "data/test/rainy/y.png").read_bytes(),
    )
    leak(workshop.folder / "data")
    result = workshop(workshop.arguments())
    assert result.returncode == 0, result.stderr
    assert NOTICE not in result.stdout, "said under the table"
    assert entries(workshop.folder) == [
        {"train": "tiny", "test": "tiny", "shared": 1, "exact": 1, "total": 2, "notice": NOTICE}
    ]
    assert SAID in result.stdout.splitlines()
    assert SAID in workshop(["report", "run"]).stdout
    assert "Copies of test images are in training sets" in (workshop.folder / "run/report/tables.tex").read_text()
    assert "tiny train has 1 exact of the 2 clean test images" in (workshop.folder / "run/report/report.md").read_text()
    for role, content in zip(("clean", "rainy"), honest, strict=True):
        (workshop.folder / f"data/test/{role}/y.png").write_bytes(content)
    assert "opies of test images" not in workshop(workshop.arguments()).stdout
    assert entries(workshop.folder) == [
        {"train": "tiny", "test": "tiny", "shared": 0, "exact": 0, "total": 2, "notice": ""}
    ]
    workshop(["report", "run"])
    assert "clean test images" not in (workshop.folder / "run/report/report.md").read_text()


def test_what_never_trained_says_nothing(workshop: Workshop) -> None:
    leak(workshop.folder / "data")
    assert "opies of test images" not in workshop(workshop.arguments("identity")).stdout
    assert entries(workshop.folder) == []


def test_published_weights_count_where_their_training_set_is_here(workshop: Workshop) -> None:
    """Nothing is trained in this run; the weights say what they were trained on."""
    leak(workshop.folder / "data")
    torch.manual_seed(0)
    save_weights(workshop.folder / "mine.safetensors", discover([PLUGIN]).variant("tinycnn").build())
    for tag, trained_on in (("mine", "tiny"), ("theirs", "elsewhere")):
        options = ("--trust-unknown", "--trained-on", trained_on, "--plugin", str(PLUGIN))
        added = workshop(["weights", "add", f"tinycnn@{tag}", "mine.safetensors", *options])
        assert added.returncode == 0, added.stderr
    assert (
        "Copies of test images are in training sets here: 1 (exact) of 2 of Tiny streaks in tiny; whether published "
        "weights were trained on those files is not known."
    ) in workshop(workshop.arguments("tinycnn@mine")).stdout.splitlines()
    both = workshop(workshop.arguments("tinycnn,tinycnn@mine", out="both")).stdout
    assert "Such scores are too good" in both
    assert "whether published weights were trained on those files is not known" in both
    assert "opies of test images" not in workshop(workshop.arguments("tinycnn@theirs", out="other")).stdout


def test_near_copies_are_told_as_likely_and_small_ones_not_at_all(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(workshop.folder / "data", near=3)
    assert "opies of test images" not in workshop(workshop.arguments()).stdout
    monkeypatch.setattr(overlap, "LEAST_SIDE", 8)
    assert (
        "Near copies of test images are in training sets: 1 (near) of 2 of Tiny streaks in tiny; likely, not certain: "
        "look at them."
    ) in workshop(workshop.arguments()).stdout.splitlines()


def test_a_large_training_set_is_not_read_unasked(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so; once the overlap was looked for, the answer is known."""
    leak(workshop.folder / "data")
    monkeypatch.setattr(leaks, "MOST", 2)
    arguments = workshop.arguments("tinycnn")
    out = workshop(arguments).stdout
    assert "whether tiny train has test scenes of tiny was not looked at: it has 3 images" in out
    workshop(["datasets", "overlap", "tiny:train", "tiny:test", "--card", "card.toml"])
    assert SAID in workshop(arguments).stdout.splitlines()


def test_what_the_card_says_is_told_only_where_files_were_not_counted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card of very many images, three of them here: a run that trains on them knows."""
    leak(workshop.folder / "data")
    card = workshop.folder / "card.toml"
    card.write_text("counts = { train = 638492 }\n" + card.read_text())
    torch.manual_seed(0)
    save_weights(workshop.folder / "mine.safetensors", discover([PLUGIN]).variant("tinycnn").build())
    options = ("--trust-unknown", "--trained-on", "tiny", "--plugin", str(PLUGIN))
    assert workshop(["weights", "add", "tinycnn@mine", "mine.safetensors", *options]).returncode == 0
    out = workshop(workshop.arguments("tinycnn@mine", out="theirs")).stdout
    assert "was not looked at: its card says it has 638,492 images, and" in out
    assert SAID in workshop(workshop.arguments("tinycnn")).stdout.splitlines()


def test_a_second_run_reads_no_image_for_it(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    leak(workshop.folder / "data")
    workshop(workshop.arguments())
    monkeypatch.setattr(image_sets, "fingerprint", None)
    assert SAID in workshop(workshop.arguments()).stdout.splitlines()
