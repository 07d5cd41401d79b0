"""``derainbench score``: restored images that somebody has are rows like any other, whatever they are called."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from derainbench.results.load import load_run
from tests.run.conftest import Workshop, save

CARD = """
name = "seven"
title = "Seven"
rain_model = "streak"
kind = "synthetic"
root = "seven"
counts = { test = 7 }
[[layouts]]
name = "one"
test = { rainy = "rainy/rain-{id:d}.png", clean = "norain-{id:d}.png" }
"""

#: A network whose output is in float, so that its files are not what it was scored on.
PLUGIN = """
import torch.nn.functional as F
from derainbench import Derainer, Method

class Blur(Derainer):
    reach = 1
    def forward(self, rainy):
        return F.avg_pool2d(rainy, 3, 1, 1, count_include_pad=False)

BLUR = Method(name="blur", title="Blur", network=Blur)
"""

PROTOCOLS = "y,y-u8,rgb,rgb-float-u7,rgb-zeropad"
EIGHT_BIT = ["y", "y-u8", "rgb"]
NAMES: dict[str, Callable[[int], str]] = {
    "rain": lambda number: f"rain-{number:03}.png",
    "norain": lambda number: f"norain-{number:03}.png",
    "scaled": lambda number: f"norain-{number:03}x2.png",
    "plain": lambda number: f"{number}.png",
    "nested": lambda number: f"results/Seven/{number:03}_derained.png",
}


@pytest.fixture
def blurred(workshop: Workshop) -> Workshop:
    """A workshop with seven test pairs, the run of a network on them in ``run``, and its images in ``made``."""
    random = np.random.default_rng(3)
    for number in range(1, 8):
        clean = np.kron(random.integers(30, 200, (5, 6, 3)), np.ones((4, 4, 1)))
        streaks = 50 * (random.random((20, 24, 1)) > 0.9)
        save(workshop.folder / f"seven/norain-{number:03}.png", clean.astype(np.uint8))
        save(workshop.folder / f"seven/rainy/rain-{number:03}.png", (clean + streaks).astype(np.uint8))
    (workshop.folder / "seven.toml").write_text(CARD)
    (workshop.folder / "blur.py").write_text(PLUGIN)
    done = run(workshop, "blur", protocols=PROTOCOLS)
    assert done.returncode == 0, done.stderr
    kept = workshop.folder / "run/eval/blur/untrained/seed0/seven/images"
    for name, called in NAMES.items():
        for number in range(1, 8):
            target = workshop.folder / "made" / name / called(number)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept / f"{number:03}.png", target)
    for number in range(1, 8):
        target = workshop.folder / "made/jpeg" / f"{number:03}.jpg"
        target.parent.mkdir(exist_ok=True)
        Image.open(kept / f"{number:03}.png").save(target, quality=95)
    return workshop


def run(workshop: Workshop, methods: str, out: str = "run", **more: str) -> CompletedProcess[str]:
    """``derainbench run`` on the seven pairs."""
    return workshop(
        workshop.arguments(methods, out, **{"datasets": "seven", "card": "seven.toml", "plugin": "blur.py", **more})
    )


def score(workshop: Workshop, *words: str, out: str = "run") -> CompletedProcess[str]:
    """``derainbench score`` on the seven pairs."""
    told = () if "--clean" in words else ("--dataset", "seven", "--card", "seven.toml")
    return workshop(["score", *words, *told, "--out", out, "--device", "cpu"])


def values(workshop: Workshop, out: str = "run") -> pd.DataFrame:
    """Scores by image, protocol and metric, a column a method."""
    scores = load_run(workshop.folder / out).scores
    return scores.pivot_table(index=["protocol", "metric", "image"], columns="method", values="value")


def test_images_score_as_the_network_that_made_them(blurred: Workshop) -> None:
    done = score(blurred, *(f"{name}=made/{name}" for name in [*NAMES, "jpeg"]))
    assert done.returncode == 0, done.stderr
    assert (
        "nested on seven: 7 PNG in made/nested, paired as their names suggest, by results/Seven/{id:d}" in done.stdout
    )
    found = values(blurred)
    of_network, first = found["blur"], found["images[name=rain]"]
    for name in NAMES:
        of_files = found[f"images[name={name}]"]
        assert (of_files == first).all(), "what files are called changes no score, under no protocol"
        assert (of_files.loc[EIGHT_BIT] == of_network.loc[EIGHT_BIT]).all()
    floats = first.drop(index=EIGHT_BIT, level="protocol") - of_network.drop(index=EIGHT_BIT, level="protocol")
    assert 0 < floats.abs().max() < 0.1, "a float protocol sees the 8 bits of a file"
    assert (found["images[name=jpeg]"] != of_network).any()
    notes = " ".join(done.stdout.split())
    assert "jpeg on Seven: scored from files, 7 JPEG (7 of them compressed with losses" in notes
    assert "rain on Seven: the same images as those of Blur, by the score of every one." in notes
    assert "jpeg on Seven: the same" not in notes


def test_run_takes_the_same_images_among_its_methods(blurred: Workshop) -> None:
    score(blurred, "rain=made/rain", out="scored")
    word = "images[folder=made/scaled,name=rain,pattern=norain-{id:d}x2.png]"
    done = run(blurred, f"blur,{word}", out="ran", devices="cpu:2", device="")
    assert done.returncode == 0, done.stderr
    one, other = (values(blurred, out)["images[name=rain]"] for out in ("scored", "ran"))
    assert (one == other.loc[one.index]).all()
    assert run(blurred, f"blur,{word}", out="ran").returncode == 0
    assert "paired by the given norain-{id:d}x2.png" in run(blurred, word, out="ran").stdout


def test_a_changed_image_is_scored_again_and_nothing_else_is(blurred: Workshop) -> None:
    assert "1 done, 1 kept" in score(blurred, "mine=made/plain").stdout
    assert "0 done, 2 kept" in score(blurred, "mine=made/plain").stdout
    assert "0 done, 2 kept" in score(blurred, "mine=made/rain").stdout, "the same images under other names"
    before = values(blurred)["images[name=mine]"]
    image = np.asarray(Image.open(blurred.folder / "made/plain/4.png")).copy()
    image[3, 3] ^= 1
    save(blurred.folder / "made/plain/4.png", image)
    done = score(blurred, "mine=made/plain")
    assert "1 done, 1 kept" in done.stdout
    assert "images changed" in done.stderr
    after = values(blurred)["images[name=mine]"]
    assert {image for _, _, image in before.index[before != after]} == {"004"}
    assert (blurred.folder / "run/superseded/1/eval/images[name=mine]").is_dir()


def test_what_nobody_says_is_unknown_and_no_zero(blurred: Workshop) -> None:
    (blurred.folder / "p.bib").write_text("@article{x, title = {On Rain}, author = {A. Author}, year = 2020}")
    said = ["--title", "Net & <b>", "--parameters", "1234", "--trained-on", "Rain100H", "--paper", "p.bib"]
    assert score(blurred, "known=made/rain", *said).returncode == 0
    done = score(blurred, "mine=made/jpeg")
    assert " – " in next(line for line in done.stdout.splitlines() if line.startswith("images[name=mine]"))
    assert "what it was trained on is unknown" in done.stdout
    formats = "html,latex,markdown,csv,json"
    reported = blurred(["report", "run", "--format", formats])
    assert reported.returncode == 0, reported.stderr
    report = json.loads((blurred.folder / "run/report/results.json").read_text())
    methods = {each["name"]: each for each in report["methods"]}
    assert methods["images[name=mine]"]["parameters"] is None
    assert methods["images[name=known]"]["parameters"] == 1234
    assert methods["images[name=known]"]["title"] == "Net & <b>"
    assert "On Rain" in methods["images[name=known]"]["paper"]["bibtex"]
    page = (blurred.folder / "run/report/index.html").read_text()
    assert "Net &amp; &lt;b&gt;" in page
    assert "trained on rain100h" in page
    # What was said once stays said.
    assert "images[name=known] (trained on rain100h)" in score(blurred, "known=made/rain", "--limit", "6").stdout


def test_the_input_and_the_ground_truth_are_noticed(blurred: Workshop) -> None:
    notes = " ".join(score(blurred, "input=seven/rainy", "--pattern", "rain-{id:d}.png").stdout.split())
    assert "input on Seven: the same images as those of Rainy input" in notes
    shutil.copytree(blurred.folder / "seven", blurred.folder / "truth", ignore=shutil.ignore_patterns("rainy"))
    notes = " ".join(score(blurred, "truth=truth").stdout.split())
    assert "truth on Seven: its images are the ground truth itself." in notes


def test_a_part_is_labelled(blurred: Workshop) -> None:
    shutil.copytree(blurred.folder / "made/plain", blurred.folder / "three")
    for number in (1, 4, 6, 7):
        (blurred.folder / f"three/{number}.png").unlink()
    done = score(blurred, "mine=three", out="part")
    assert done.returncode == 2
    assert "no image of pair 001, nor of 3 pairs more" in done.stderr
    (blurred.folder / "list.txt").write_text("rain-002.png\n# one more\n\nnorain-3\r\n5\n")
    done = score(blurred, "mine=three", "--list", "list.txt", out="part")
    assert done.returncode == 0, done.stderr
    assert "Seven (3 of 7, listed in list)" in done.stdout
    assert set(values(blurred, "part").index.get_level_values("image")) == {"002", "003", "005"}
    done = score(blurred, "mine=made/plain", "--limit", "2", out="part")
    assert "Seven (first 2 of 7)" in done.stdout
    assert set(load_run(blurred.folder / "part").scores["dataset"]) == {"seven-first-2", *_listed(blurred)}
    (blurred.folder / "list.txt").write_text("8")
    done = score(blurred, "mine=three", "--list", "list.txt", out="part")
    assert (done.returncode, "line 1: '8' names no test pair of seven" in done.stderr) == (2, True)


def _listed(workshop: Workshop) -> set[str]:
    names = {dataset.name for dataset in load_run(workshop.folder / "part").datasets}
    return {name for name in names if name.startswith("seven-list-")}


def test_without_a_card_there_is_the_ground_truth_alone(blurred: Workshop) -> None:
    shutil.copytree(blurred.folder / "seven", blurred.folder / "truth", ignore=shutil.ignore_patterns("rainy"))
    score(blurred, "mine=made/plain", "--protocols", "y", out="carded")
    done = score(blurred, "mine=made/plain", "--clean", "truth", "--protocols", "y", out="clean")
    assert done.returncode == 0, done.stderr
    one = values(blurred, "carded")["images[name=mine]"].to_numpy()
    assert (values(blurred, "clean")["images[name=mine]"].to_numpy() == one).all()
    assert "Rainy input" not in done.stdout
    assert blurred(["report", "clean", "--format", "html,latex,json"]).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine"], "NAME=FOLDER"),
        (["mine=made/plain", "mine=made/rain"], "both be called 'mine'"),
        (["mine=made/plain", "Mine=made/rain"], "both be called"),
        (["a=made/plain", "b=made/rain", "--title", "x"], "describe one row"),
        (["a=made/plain", "--limit", "2", "--list", "x"], "--limit and --list"),
        (["a=made/plain", "--clean", "seven", "--dataset", "seven"], "either --dataset"),
        (["a=made/plain", "--clean", "nothing"], "--clean nothing is no folder"),
        (["a=made/plain", "--clean", "seven"], "images in folders below"),
        (["a=made/plain", "--paper", "p.pdf"], "--paper 'p.pdf'"),
        (["a=made/plain", "--paper", "gone.bib"], "no such BibTeX file"),
        (["a=made/plain", "--trained-on", "../x"], "--trained-on"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(blurred: Workshop, words: list[str], said: str) -> None:
    done = score(blurred, *words, out="new")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (blurred.folder / "new").exists()


def test_images_under_shifted_names_leave_no_folder(blurred: Workshop) -> None:
    for number in range(1, 8):
        source, target = blurred.folder / f"made/plain/{number}.png", blurred.folder / f"shifted/{number % 7 + 1}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
    done = score(blurred, "mine=shifted", out="new")
    assert done.returncode == 2
    assert "7 of 7 images in shifted fit another pair's ground truth better" in done.stderr
    assert not (blurred.folder / "new").exists()


def test_a_file_that_is_damaged_behind_its_header(blurred: Workshop) -> None:
    path = blurred.folder / "made/plain/4.png"
    path.write_bytes(path.read_bytes()[:-200])
    done = score(blurred, "mine=made/plain", out="new")
    assert done.returncode == 2
    assert "4.png cannot be read as an image" in done.stderr
    assert not (blurred.folder / "new").exists()


def test_two_folders_of_one_name(blurred: Workshop) -> None:
    Path(blurred.folder / "other").mkdir()
    shutil.copytree(blurred.folder / "made/plain", blurred.folder / "other/plain")
    done = run(blurred, "images[folder=made/plain],images[folder=other/plain]", out="new")
    assert (done.returncode, "both be called 'plain'" in done.stderr) == (2, True)
