"""A dataset that is there to be trained on only, and one that is there to be tested on only."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .conftest import Workshop


def split_up(folder: Path) -> None:
    """The tiny dataset as two: one with the training images, one with the test images."""
    text = (folder / "card.toml").read_text()
    for name, other in (("learn", "test"), ("exam", "train")):
        card = re.sub(rf"(?m)^{other} = .*$", "", text).replace('name = "tiny"', f'name = "{name}"', 1)
        (folder / f"{name}.toml").write_text(card)


def test_trained_on_one_and_tested_on_the_other(workshop: Workshop) -> None:
    split_up(workshop.folder)
    arguments = [*workshop.arguments(datasets="learn,exam", card="learn.toml"), "--card", "exam.toml", "--cross"]
    result = workshop(arguments)
    assert result.returncode == 0, result.stderr
    info = json.loads((workshop.folder / "run/run.json").read_text())
    assert [dataset["name"] for dataset in info["datasets"]] == ["exam"]
    assert sorted(info["manifests"]) == ["exam test", "learn train"]
    report = workshop(["report", "run"])
    assert "trained on learn" in report.stdout
    assert report.returncode == 0
    assert "nothing to do: 3 of 3" in workshop(arguments).stderr


def test_what_lacks_a_half_says_what_to_add(workshop: Workshop) -> None:
    split_up(workshop.folder)
    for name, words in (("learn", "no test images"), ("exam", "has test images only")):
        result = workshop(workshop.arguments(datasets=name, card=f"{name}.toml"))
        assert result.returncode == 2
        assert words in result.stderr
        assert "--cross" in result.stderr
