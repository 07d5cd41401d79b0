"""The command ``datasets synth``: what it prints, that its dataset can be run on at once, that a kill loses nothing."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Workshop


@pytest.fixture
def photos(workshop: Workshop) -> Path:
    folder = workshop.folder / "photos"
    folder.mkdir()
    random = np.random.default_rng(1)
    for name in "abcd":
        corners = random.integers(20, 180, (3, 4, 3)).astype(float)
        Image.fromarray(np.kron(corners, np.ones((10, 10, 1))).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def synth(*more: str) -> list[str]:
    return ["datasets", "synth", "--clean", "photos", "--out", "mine", "--workers", "1", *more]


@pytest.mark.parametrize("preset", ["rain100l", "drops", "mist"])
def test_run_takes_it_at_once(workshop: Workshop, photos: Path, preset: str) -> None:
    made = workshop(synth("--preset", preset, "--per-image", "2"))
    assert made.returncode == 0, made.stderr
    assert "8 rainy images made, 0 kept" in made.stdout
    done = workshop(["run", "--methods", "identity", "--datasets", "mine", "--card", "mine/card.toml", "--out", "run"])
    assert done.returncode == 0, done.stderr
    assert "the files are not the ones" not in done.stdout  # the card's input score is that of the files
    assert json.loads((workshop.folder / "run" / "run.json").read_text())["input_checks"][0]["notice"] == ""


def test_prints_what_was_made_beside_the_real_sets(workshop: Workshop, photos: Path) -> None:
    text = workshop(synth("--preset", "rain100h")).stdout
    for words in ("coverage", "direction 5/50/95 %", "mine (4)", "Rain100H, study (10)", "13.60", "Rain100L (100)"):
        assert words in text
    data = json.loads(workshop(synth("--preset", "rain100h", "--json")).stdout)
    assert (data["made"], data["kept"], data["measured_images"], data["model"]) == (0, 4, 4, "streak")
    assert 0.3 < data["measured"]["coverage"]["mean"] < 1
    assert [each["title"] for each in data["beside"]] == ["Rain100H, study", "Rain100L", "Rain100L, study"]
    (photos / "b.png").unlink()
    assert "no longer in photos, their finished pairs stay: b (1)" in workshop(synth("--preset", "rain100h")).stdout


def test_both_splits_of_one_folder(workshop: Workshop, photos: Path) -> None:
    made = workshop(synth("--preset", "rain100l", "--test-share", "0.25"))
    assert made.returncode == 0, made.stderr
    assert "mine: train, 3 rainy images made, 0 kept" in made.stdout
    assert "mine: test, 1 rainy images made, 0 kept" in made.stdout
    assert next_command(made.stdout) == ["run", "--card", "mine/card.toml", "--datasets", "mine", "--methods", "prenet"]
    data = json.loads(workshop(synth("--preset", "rain100l", "--test-share", "0.25", "--json")).stdout)
    assert {split: (each["split"], each["kept"]) for split, each in data.items()} == {
        "train": ("train", 3),
        "test": ("test", 1),
    }
    refused = workshop(synth("--preset", "rain100l", "--test-share", "0.25", "--split", "train"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--split and --test-share contradict each other" in refused.stderr


def test_a_photograph_in_both_splits_is_said(workshop: Workshop, photos: Path) -> None:
    assert "warning" not in workshop(synth("--preset", "rain100l")).stdout
    printed = workshop(synth("--preset", "rain100l", "--split", "train")).stdout
    assert "warning: the same clean images are in test: a, b, c, d (4); scores would be of images seen" in printed


def next_command(printed: str) -> list[str]:
    """The words after "next: derainbench", as a shell would split them."""
    line = next(line for line in printed.splitlines() if line.startswith("next: "))
    assert line.startswith("next: derainbench ")
    return shlex.split(line)[2:]


def test_the_next_command_works_as_typed(workshop: Workshop, photos: Path) -> None:
    """Also from a folder whose name has a space; with a training split, it trains a network."""
    arguments = ["datasets", "synth", "--clean", "photos", "--out", "my rain", "--name", "mine", "--workers", "1"]
    test = next_command(workshop([*arguments, "--preset", "rain100l"]).stdout)
    assert test[-1] == "identity"
    done = workshop([*test, "--out", "run"])
    assert done.returncode == 0, done.stderr
    both = next_command(workshop([*arguments, "--preset", "rain100l", "--split", "train"]).stdout)
    assert both == [*test[:-1], "prenet"]


def test_a_training_split_alone_cannot_be_scored_on(workshop: Workshop, photos: Path) -> None:
    made = workshop(synth("--preset", "rain100l", "--split", "train"))
    assert "next: the same command with --split test" in made.stdout


def test_unfinished_rains_that_go_are_named(workshop: Workshop, photos: Path) -> None:
    workshop(synth("--preset", "rain100l", "--per-image", "2"))
    (photos / "b.png").unlink()
    (workshop.folder / "mine" / "test" / "rainy" / "b-1.png").unlink()
    printed = workshop(synth("--preset", "rain100l", "--per-image", "2")).stdout
    assert "their finished pairs stay: b (1)" in printed
    assert "unfinished, so removed: b-1 (1)" in printed


def test_other_images_of_the_same_names_are_status_2(workshop: Workshop, photos: Path) -> None:
    workshop(synth("--preset", "rain100l"))
    Image.new("RGB", (40, 30)).save(photos / "b.png")
    failed = workshop(synth("--preset", "rain100l"))
    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert "photos/b.png" in failed.stderr


def test_mistakes_are_one_line_and_status_2(workshop: Workshop, photos: Path) -> None:
    for arguments in (synth(), synth("--model", "drop", "--preset", "mist"), synth("--preset", "snow")):
        failed = workshop(arguments)
        assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
        assert failed.stderr.startswith("error: ")
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(photos / "half.png")
    (photos / "half.png").write_bytes((photos / "half.png").read_bytes()[:900])
    broken = workshop(synth("--preset", "rain100l"))
    assert broken.returncode == 2
    assert "4 rainy images made" in broken.stdout
    assert "half.png" in broken.stderr


@pytest.mark.parametrize(
    ("name", "action", "words"),
    [
        ("__name__", "len", "[(1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1)]"),
        ("'__main__'", "len", "`if __name__ == '__main__':`"),
        ("__name__", "die", "a worker process was killed, by lack of memory perhaps"),
    ],
)
def test_why_workers_are_not_there(tmp_path: Path, name: str, action: str, words: str) -> None:
    """A script without a guard is not short of memory, and a worker that is killed had one."""
    script = tmp_path / "script.py"
    script.write_text(f"""
import os, signal, sys
from derainbench.errors import UserError
from derainbench.support.workers import in_chunks

def die(items):
    os.kill(os.getpid(), signal.SIGKILL)

if {name} == "__main__":
    try:
        print([part for part in in_chunks({action}, range(8), 2)])
    except UserError as error:
        sys.exit(str(error))
""")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    # not the last line for sure: multiprocessing's trackers may add warnings of their own after it
    assert words in done.stdout + done.stderr


def test_workers_do_without_torch() -> None:
    code = (
        "import sys, derainbench.synth.one_rain, derainbench.synth.sources, derainbench.synth.measured\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_and_no_half_file(workshop: Workshop, photos: Path) -> None:
    """SIGKILL while two workers write; then the same command: byte for byte as if it had run through."""
    arguments = synth("--preset", "rain100l", "--per-image", "50", "--workers", "2")
    process = workshop.popen(arguments)
    rainy = workshop.folder / "mine" / "test" / "rainy"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (rainy.is_dir() and len(list(rainy.iterdir())) > 10):
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)  # returns when the last worker, too, has let go of standard output
    assert 10 < len(list(rainy.iterdir())) < 200

    resumed = workshop(arguments)
    assert resumed.returncode == 0, resumed.stderr
    whole = workshop([*synth("--preset", "rain100l", "--per-image", "50", "--name", "mine"), "--out", "whole"])
    assert whole.returncode == 0, whole.stderr
    files = {path.relative_to(workshop.folder / "whole") for path in (workshop.folder / "whole").rglob("*.*")}
    assert len(files) > 400
    for path in files - {Path(".lock")}:
        assert (workshop.folder / "mine" / path).read_bytes() == (workshop.folder / "whole" / path).read_bytes(), path
    assert not list((workshop.folder / "mine").rglob("*.part"))
