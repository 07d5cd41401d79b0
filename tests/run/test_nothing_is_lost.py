"""What a run has, it keeps, and what it shows is what it says: exchanged files, other processes, odd methods."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from derainbench.results.run_info import SeenInfo
from derainbench.run import command as run_command
from derainbench.run.console import look_at_training_sets
from derainbench.run.execute import RunOutcome, execute
from derainbench.support.run_folder import image_file

from .conftest import Workshop

HEAD = (
    "import torch, sys\nfrom derainbench.plugins.method import Derainer, Method\n"
    "from derainbench.plugins.recipe import Recipe\n"
)


def odd(workshop: Workshop, body: str) -> list[str]:
    """A plugin with a network of that body, and the arguments to run it together with another method."""
    text = f"{HEAD}class Odd(Derainer):\n    {body}\nODD = Method(name='odd', title='Odd', network=Odd)\n"
    (workshop.folder / "odd.py").write_text(text)
    return [*workshop.arguments("odd,tinycnn"), "--plugin", "odd.py"]


def evaluation(workshop: Workshop, method: str = "identity", trained_on: str = "untrained") -> Path:
    return workshop.folder / "run/eval" / method / trained_on / "seed0/tiny"


@pytest.mark.parametrize("keep_times", [False, True])
def test_test_images_exchanged_while_a_training_runs(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, keep_times: bool
) -> None:
    """Same names, other images, even of one size and time: no score under the digest of the old ones."""
    rainy = workshop.folder / "data/test/rainy"
    for path in rainy.iterdir():  # of one size in bytes
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    workshop.edit("card.toml", lambda text: text.replace("test/rainy/{scene}.png", "test/rainy/{scene}.bmp"))

    for place in (workshop.folder / "data").rglob("*"):
        os.utime(place, (1_600_000_000, 1_600_000_000))  # long ago: what was just changed is hashed at every start

    def exchange(*arguments: Any, **more: Any) -> RunOutcome:
        path = rainy / "x.bmp"
        facts, content = path.stat(), path.read_bytes()
        path.write_bytes(content[:54] + bytes(byte ^ 8 for byte in content[54:]))
        if keep_times:
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return execute(*arguments, **more)

    monkeypatch.setattr(run_command, "execute", exchange)
    result = workshop(workshop.arguments("identity"))
    assert result.returncode == 2
    assert "x.bmp changed after this run had read it" in result.stderr
    assert not (evaluation(workshop) / "scores.parquet").exists()
    monkeypatch.undo()
    if keep_times:
        assert "datasets verify" in workshop(workshop.arguments("identity")).stderr
        workshop(["datasets", "verify", "tiny", "--card", "card.toml", "--workers", "1"])
    assert workshop(workshop.arguments("identity")).returncode == 0


def test_what_another_process_finished_meanwhile_is_kept(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a plan and its lock a second process may do everything."""

    def finish_it_first(*arguments: Any) -> list[SeenInfo]:
        monkeypatch.setattr(run_command, "look_at_training_sets", look_at_training_sets)
        other = workshop.process(workshop.arguments("tinycnn", protocols="y,y-u8"))
        assert other.returncode == 0, other.stderr
        return look_at_training_sets(*arguments)

    monkeypatch.setattr(run_command, "look_at_training_sets", finish_it_first)
    result = workshop(workshop.arguments("tinycnn", protocols="y"))
    assert result.returncode == 0, result.stderr
    assert "nothing to do: 3 of 3 cells are up to date" in result.stderr
    assert not (workshop.folder / "run/superseded").exists()
    assert set(pd.read_parquet(evaluation(workshop) / "scores.parquet")["protocol"]) == {"y", "y-u8"}


def test_weights_that_are_not_finite_are_no_result(workshop: Workshop) -> None:
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 1").replace("lr = 5e-3", "lr = 1e308"))
    result = workshop(workshop.arguments("tinycnn"))
    assert result.returncode == 2
    assert "a weight is not finite at step 1 of 1" in result.stderr
    assert "lower lr" in result.stderr
    assert not list((workshop.folder / "run").rglob("weights.safetensors"))


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("torch.nn.functional.pad(rainy, (0, 1, 0, 1))", "made (1, 3, 21, 25) of (1, 3, 20, 24)"),
        ("rainy[:, :1]", "made (1, 1, 20, 24) of (1, 3, 20, 24)"),
        ("rainy.to(torch.complex64)", "returned torch.complex64"),
        ("rainy > 0.5", "returned torch.bool"),
        ("(255 * rainy).to(torch.uint8)", "returned torch.uint8"),
        ("(rainy,)", "returned a tuple"),
    ],
)
def test_an_output_that_is_no_image_is_not_scored(workshop: Workshop, output: str, said: str) -> None:
    result = workshop(odd(workshop, f"def forward(self, rainy): return {output}"))
    assert result.returncode == 2
    assert said in result.stderr
    assert not (evaluation(workshop, "odd") / "scores.parquet").exists()
    assert (evaluation(workshop, "tinycnn", "tiny") / "done.json").exists(), "the others go on"


@pytest.mark.parametrize(
    "body",
    [
        "def forward(self, rainy): sys.exit(0)",
        "def forward(self, rainy): raise GeneratorExit",
        "def forward(self, rainy): raise ValueError('half of a pair: \\udc80')",
        "def forward(self, rainy): raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
        "def forward(self, rainy): raise type('E', (Exception,), {'__str__': lambda self: sys.exit(0)})()",
    ],
    ids=["exit", "generator", "surrogate", "str raises", "str exits"],
)
def test_whatever_a_method_raises_is_its_own_cells_failure(workshop: Workshop, body: str) -> None:
    result = workshop(odd(workshop, body))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert json.loads((evaluation(workshop, "odd") / "failed.json").read_text())["error"]
    assert (evaluation(workshop, "tinycnn", "tiny") / "done.json").exists(), "the others go on"
    assert workshop(["report", "run"]).returncode == 0


def test_a_constructor_that_ends_the_program(workshop: Workshop) -> None:
    result = workshop(odd(workshop, "def __init__(self): sys.exit(0)"))
    assert result.returncode == 2
    assert "odd cannot be built (SystemExit" in result.stderr


def interrupted(workshop: Workshop) -> Path:
    """The checkpoint after step 30 of 40, of a training that ended before its weights were written."""
    from derainbench.engine import training as train

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "save_weights", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        workshop(workshop.arguments("tinycnn"))
    (checkpoint,) = (workshop.folder / "run").rglob("checkpoint.pt")
    return checkpoint


@pytest.mark.parametrize("step", [10**9, 40, 0, -1, "3", True, 2.0])
def test_a_planted_checkpoint_completes_nothing(workshop: Workshop, step: object) -> None:
    checkpoint = interrupted(workshop)
    torch.save({**torch.load(checkpoint, weights_only=True), "step": step}, checkpoint)
    result = workshop(workshop.arguments("tinycnn"))
    assert result.returncode == 2
    assert re.search(r"checkpoint\.pt cannot be read \((it is of step|step: Input should be)", result.stderr)
    assert not checkpoint.with_name("weights.safetensors").exists()


def test_scores_that_were_edited_are_not_shown_and_measured_again(workshop: Workshop) -> None:
    assert workshop(workshop.arguments("identity")).returncode == 0
    table = evaluation(workshop) / "scores.parquet"
    before = table.read_bytes()
    pd.read_parquet(table).assign(psnr=99.0).to_parquet(table)
    report = workshop(["report", "run"])
    assert "99.00" not in report.stdout
    assert "scores.parquet was changed or damaged since" in (workshop.folder / "run/report/report.md").read_text()
    assert workshop(workshop.arguments("identity")).returncode == 0
    assert table.read_bytes() == before


def test_names_too_long_for_a_disk_are_shortened(workshop: Workshop) -> None:
    """401 bytes, from a folder and a file of 200 each."""
    data, random = workshop.folder / "data/long", np.random.default_rng(0)
    for scene in ("é" * 98 + "a", "é" * 98 + "b"):
        for kind in ("rainy", "clean"):
            path = data / kind / ("s" * 200) / f"{scene}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(path)
    pattern = 'test = { rainy = "long/rainy/{set}/{scene}.png", clean = "long/clean/{set}/{scene}.png" }'
    workshop.edit("card.toml", lambda text: text[: text.index("train =")] + pattern)
    result = workshop(workshop.arguments("identity"))
    assert result.returncode == 0, result.stderr
    scores = pd.read_parquet(evaluation(workshop) / "scores.parquet")
    files = {image_file(evaluation(workshop), image) for image in scores["image"]}
    assert len(files) == 2
    assert set((evaluation(workshop) / "images").iterdir()) == files
    assert max(len(path.name.encode()) for path in files) <= 255
    assert workshop(["report", "run"]).returncode == 0
    assert "nothing to do" in workshop(workshop.arguments("identity")).stderr


def test_an_interrupted_evaluation_goes_on_where_it_was(workshop: Workshop) -> None:
    """A network that draws random numbers, and fails on the second image the first time."""
    body = (
        "def forward(self, rainy):\n"
        "        from pathlib import Path\n"
        "        count = Path('count'); n = len(count.read_text()) if count.exists() else 0\n"
        "        if n == 1 and not Path('again').exists(): raise ValueError('interrupted')\n"
        "        count.write_text('x' * (n + 1)) if rainy.device.type == 'cpu' else None\n"
        "        return rainy + 0.1 * torch.rand_like(rainy)"
    )
    command = odd(workshop, body)
    assert workshop(command).returncode == 1
    kept = evaluation(workshop, "odd") / "scores.partial.jsonl"
    assert len(kept.read_text().splitlines()) == 2
    (workshop.folder / "again").touch()
    result = workshop(command)
    assert result.returncode == 0, result.stderr
    assert "eval/odd/untrained/seed0/tiny goes on after 1 of 2 images" in result.stderr
    assert not kept.exists()
    assert (workshop.folder / "count").read_text() == "xx", "the first image was not restored again"
    resumed = (evaluation(workshop, "odd") / "scores.parquet").read_bytes()
    shutil.rmtree(workshop.folder / "run/eval")
    assert workshop(command).returncode == 0
    assert (evaluation(workshop, "odd") / "scores.parquet").read_bytes() == resumed


def test_a_finished_cell_keeps_nothing_for_going_on(workshop: Workshop) -> None:
    """A kill may come after a cell was finished and before it was tidied."""
    assert workshop(workshop.arguments("tinycnn")).returncode == 0
    for path in (
        workshop.folder / "run/train/tinycnn/tiny/seed0/checkpoint.pt",
        evaluation(workshop) / "scores.partial.jsonl",
    ):
        path.write_bytes(b"left")
        assert "nothing to do" in workshop(workshop.arguments("tinycnn")).stderr
        assert not path.exists()


def test_a_log_says_from_which_step_a_training_goes_on(workshop: Workshop) -> None:
    interrupted(workshop)
    result = workshop(workshop.arguments("tinycnn"))
    assert result.returncode == 0, result.stderr
    assert "train/tinycnn/tiny/seed0 goes on after 30 of 40 steps" in result.stderr


def test_a_checkpoints_network_restores_photographs(workshop: Workshop) -> None:
    """Of a training that is not at its end yet."""
    checkpoint = interrupted(workshop)
    photo = workshop.folder / "data/test/rainy/x.png"
    plugin = workshop.arguments()[workshop.arguments().index("--plugin") + 1]
    command = ["derain", str(photo), "--method", "tinycnn", "--plugin", plugin, "--out", ".", "--device", "cpu"]
    result = workshop([*command, "--weights", str(checkpoint)])
    assert result.returncode == 0, result.stderr
    assert (workshop.folder / "x-tinycnn.png").exists()
