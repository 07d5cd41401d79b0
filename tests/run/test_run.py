"""``derainbench run`` from the outside: what it does, what it keeps, and what it says when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from .conftest import Workshop


def one_line(result: subprocess.CompletedProcess[str], *words: str) -> str:
    """The single error line of a command that failed on a mistake, checked for its essential words."""
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in lines[0]
    return lines[0]


def scores(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.glob("eval/**/scores.parquet")}


def test_the_whole_way(workshop: Workshop) -> None:
    """Train, evaluate, report; then nothing is left to do; then a changed recipe is done again and says why."""
    result = workshop.process(workshop.arguments())
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("recipe tiny")
    assert "not comparable with published numbers" in result.stdout
    run = workshop.folder / "run"
    cell = run / "eval" / "tinycnn[dropout=0.1]" / "tiny" / "seed0" / "tiny"
    table = pd.read_parquet(cell / "scores.parquet")
    assert sorted(table["image"].unique()) == ["x", "y"]
    assert sorted(table["protocol"].unique()) == ["rgb", "rgb-float-u7", "y"]
    with Image.open(cell / "images" / "x.png") as image:
        assert image.size == (24, 20)
    log = [
        json.loads(line) for line in (run / "train/tinycnn[dropout=0.1]/tiny/seed0/log.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in log if "loss" in line] == list(range(1, 41))
    assert [line["step"] for line in log if "validation_psnr_y" in line] == [20, 40]
    info = json.loads((run / "run.json").read_text())
    assert [method["name"] for method in info["methods"]] == ["identity", "tinycnn[dropout=0.1]"]
    assert {"method": "tinycnn", "field": "length", "paper": "1,000 steps", "here": "40 steps"} in info["recipe"][
        "changes"
    ]

    report = workshop(["report", "run"])
    assert report.returncode == 0, report.stderr
    assert report.stdout.splitlines()[-1] == "run/report/index.html"
    one_line(workshop(["report", "run", "--protocol", "rbg"]), "'rbg' in run; did you mean 'rgb'?")
    one_line(workshop(["report", "run", "--protocol", "psnr"]), "known: rgb, rgb-float-u7, y")
    assert (workshop.folder / "run/report/index.html").is_file()

    before = scores(run)
    again = workshop(workshop.arguments())
    assert "nothing to do: 3 of 3 cells are up to date" in again.stderr
    assert scores(run) == before

    workshop.edit("tiny.toml", lambda text: text.replace("lr = 5e-3", "lr = 1e-3"))
    changed = workshop(workshop.arguments())
    assert changed.returncode == 0, changed.stderr
    assert "recipe.lr 0.005 -> 0.001" in changed.stderr
    assert "training changed" in changed.stderr
    assert scores(run) != before
    assert list((run / "superseded").glob("1/train/*/tiny/seed0/weights.safetensors"))


def test_two_workers_give_the_same_bytes(workshop: Workshop) -> None:
    for name, workers in (("none", "0"), ("two", "2")):
        result = workshop(workshop.arguments(out=name, workers=workers))
        assert result.returncode == 0, result.stderr
    assert scores(workshop.folder / "none") == scores(workshop.folder / "two")


def test_cross_evaluation_and_seeds(workshop: Workshop) -> None:
    """With ``--cross`` a training on one dataset is tested on the other; the report shows where it was trained."""
    workshop.edit("card.toml", lambda text: text)
    other = (workshop.folder / "card.toml").read_text().replace('"tiny"', '"other"')
    (workshop.folder / "other.toml").write_text(other)
    arguments = workshop.arguments("tinycnn", datasets="tiny,other", seeds="0,1")
    result = workshop([*arguments, "--card", "other.toml", "--cross", "--dry-run"])
    assert result.returncode == 0, result.stderr
    assert "eval/tinycnn/tiny/seed1/other" in result.stdout
    assert result.stdout.splitlines()[-1] == "14 cells, 14 to do"
    assert not (workshop.folder / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"methods": "tincnn"}, ("tincnn", "did you mean 'tinycnn'")),
        ({"methods": "tinycnn[widht=4]"}, ("widht", "did you mean 'width'")),
        ({"methods": "tinycnn[width=wide]"}, ("width", "wide", "tinycnn")),
        ({"methods": "prenet[recurrence=lstn]"}, ("recurrence", "lstn", "did you mean 'lstm'")),
        ({"methods": "prenet[stages=0]"}, ("stages", "greater than or equal to 1")),
        ({"methods": "tinycnn["}, ("tinycnn[", "NAME[option=value,...]")),
        ({"methods": "prenet@rain300h"}, ("rain300h", "prenet@rain100h")),
        ({"methods": ","}, ("no method is chosen",)),
        ({"datasets": "tinny"}, ("tinny", "did you mean 'tiny'")),
        ({"protocols": "psnr"}, ("psnr", "rgb-zeropad")),
        ({"recipe": "papre"}, ("papre", "paper, quick")),
        ({"recipe": "missing.toml"}, ("missing.toml", "check the path")),
        ({"device": "gpux"}, ("gpux", "auto, cpu, cuda")),
        ({"device": "cuda:9"}, ("cuda:9", "--device cpu")),
        ({"precision": "fp8"}, ("fp8", "bf16")),
        ({"tile": "none"}, ("--tile 'none'", "auto, off")),
        ({"seeds": "one"}, ("--seeds", "one")),
        ({"card": "nowhere.toml"}, ("nowhere.toml", "check the path")),
        ({"data_root": "nowhere"}, ("nowhere",)),
        ({"out": "tiny.toml/run"}, ("tiny.toml/run", "another folder")),
        ({"plugin": "nowhere.py"}, ("nowhere.py", "no such file")),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_mistakes(workshop: Workshop, change: dict[str, str], words: tuple[str, ...]) -> None:
    arguments = workshop.arguments(**change)
    one_line(workshop(arguments), *words)
    assert not (workshop.folder / "run").exists()


def test_a_run_has_one_precision(workshop: Workshop) -> None:
    """bf16 scores beside fp32 ones, under a report that says one of the two, would mislead."""
    assert workshop(workshop.arguments(methods="identity")).returncode == 0
    refused = workshop(workshop.arguments(methods="identity", precision="bf16"))
    one_line(refused, "made in fp32, not bf16", "another --out")


def test_missing_partner(workshop: Workshop) -> None:
    (workshop.folder / "data/test/clean/y.png").unlink()
    one_line(workshop(workshop.arguments()), "test/rainy/y.png", "no partner", "scene=y")


def test_unreadable_image_fails_its_cells_and_no_other(workshop: Workshop) -> None:
    broken = workshop.folder / "data/train/rainy/a-1.png"
    broken.write_bytes(broken.read_bytes()[:100])
    result = workshop(workshop.arguments())
    assert result.returncode == 2
    assert "a-1.png cannot be read as an image" in result.stderr
    assert "not evaluated, because its training failed" in result.stderr
    assert (workshop.folder / "run/eval/identity/untrained/seed0/tiny/done.json").exists()
    report = workshop(["report", "run"])
    assert report.returncode == 0
    assert "failed" in report.stdout

    good = workshop.folder / "data/train/rainy/a-2.png"
    broken.write_bytes(good.read_bytes())
    mended = workshop(workshop.arguments())
    assert mended.returncode == 0, mended.stderr
    assert "FAILED" not in mended.stderr


def test_pair_of_two_sizes(workshop: Workshop) -> None:
    Image.new("RGB", (9, 9)).save(workshop.folder / "data/test/clean/y.png")
    result = workshop(workshop.arguments(methods="identity"))
    assert result.returncode == 2
    assert "y.png is 24x20 but its partner" in result.stderr
    assert "9x9" in result.stderr


def test_loss_that_is_not_finite(workshop: Workshop) -> None:
    workshop.edit("tiny.toml", lambda text: text.replace("lr = 5e-3", "lr = 1e18"))
    result = workshop(workshop.arguments())
    assert result.returncode == 2
    line = next(line for line in result.stderr.splitlines() if "FAILED: tinycnn" in line)
    assert "at step" in line
    assert "checkpoint" in line
    assert not list((workshop.folder / "run").glob("train/**/weights.safetensors"))


def test_corrupt_checkpoint(workshop: Workshop) -> None:
    """A damaged checkpoint is named with the remedy; deleting it is enough."""
    from derainbench.run.store import Store

    workshop.edit("tiny.toml", lambda text: text.replace("lr = 5e-3", "lr = 1e18"))
    workshop(workshop.arguments())  # leaves a cell without a result
    checkpoint = workshop.folder / "run/train/tinycnn[dropout=0.1]/tiny/seed0/checkpoint.pt"
    checkpoint.write_bytes(b"PK\x03\x04 not a checkpoint")
    result = workshop(workshop.arguments())
    assert result.returncode == 2
    assert f"{checkpoint.name} cannot be read" in result.stderr
    assert "delete it" in result.stderr
    checkpoint.unlink()
    workshop.edit("tiny.toml", lambda text: text.replace("lr = 1e18", "lr = 5e-3"))
    assert workshop(workshop.arguments()).returncode == 0
    assert Store(workshop.folder / "run").read_info() is not None


def test_run_of_another_version(workshop: Workshop) -> None:
    workshop(workshop.arguments(methods="identity"))
    path = workshop.folder / "run/run.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    before = path.read_bytes()
    one_line(workshop(workshop.arguments(methods="identity")), "schema 99", "another --out")
    one_line(workshop(["report", "run"]), "schema 99")
    assert path.read_bytes() == before


def test_another_recipe_does_not_mix(workshop: Workshop) -> None:
    workshop(workshop.arguments(methods="identity"))
    one_line(workshop(workshop.arguments(methods="identity", recipe="quick")), "recipe 'tiny'", "--out")


def test_folder_in_use(workshop: Workshop) -> None:
    from derainbench.run.store import Store

    with Store(workshop.folder / "run").locked():
        one_line(workshop(workshop.arguments(methods="identity")), "run", "another process")


def test_a_folder_of_more_protocols_says_that_it_measures_all(workshop: Workshop) -> None:
    first = workshop(workshop.arguments("identity", protocols="y,rgb"))
    assert "has others than" not in first.stdout
    again = workshop(workshop.arguments("identity", protocols="y"))
    words = "protocols y, rgb: run has others than y, and a run measures under all of its protocols"
    assert words in again.stdout
    assert "another --out" in again.stdout
    for arguments in (workshop.arguments("identity", protocols="rgb,y"), workshop.arguments("identity")):
        assert "has others than" not in workshop(arguments).stdout, "nothing was asked that is not so"


def test_report_of_no_run(workshop: Workshop) -> None:
    one_line(workshop(["report", "data"]), "data", "not a run folder")
    workshop(workshop.arguments(methods="identity"))
    one_line(workshop(["report", "run", "--format", "htm"]), "htm", "did you mean 'html'")


def test_crash_in_a_method_is_a_row(workshop: Workshop) -> None:
    """An exception in an author's code fails that method, exit status 1, and leaves the others alone."""
    (workshop.folder / "crash.py").write_text(
        "from derainbench.plugins.method import Derainer, Method\n"
        "class Crash(Derainer):\n"
        "    def forward(self, rainy):\n"
        "        raise IndexError('three\\nlines\\nlong')\n"
        "CRASH = Method(name='crash', title='Crash', network=Crash)\n"
    )
    result = workshop([*workshop.arguments(methods="crash"), "--plugin", "crash.py"])
    assert result.returncode == 1
    assert "IndexError: three lines long" in result.stderr
    assert "Traceback" not in result.stderr
    assert (workshop.folder / "run/eval/identity/untrained/seed0/tiny/done.json").exists()
    debug = workshop(["--debug", *workshop.arguments(methods="crash"), "--plugin", "crash.py"])
    assert "Traceback" in debug.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table", "nasnett"], ("no table is called 'nasnett'; did you mean 'nasnet'?",)),
        (["--format", "word"], ("unknown report format 'word'; known: html, pdf, markdown, latex, csv, json, or all",)),
        (["--protocol", "rbg"], ("no scores under protocol 'rbg' in run; did you mean 'rgb'?",)),
    ],
    ids=lambda value: value[0],
)
def test_what_a_report_is_asked_for_is_checked_before_torch_is_imported(
    workshop: Workshop, arguments: list[str], words: tuple[str, ...]
) -> None:
    (workshop.folder / "run").mkdir()
    (workshop.folder / "run/run.json").write_text('{"schema": 1, "protocols": ["y", "rgb"]}')
    code = (
        "import sys, derainbench.cli.main as cli; sys.argv[0] = 'derainbench'\n"
        "try: cli.main()\nfinally: print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "report", "run", *arguments]
    result = subprocess.run(command, cwd=workshop.folder, capture_output=True, text=True, check=False)
    assert one_line(result, *words).count("html") <= 1
    assert result.stdout == "False\n"


@pytest.mark.parametrize("group", [[], ["datasets", "show"], ["weights"]], ids=" ".join)
def test_a_command_alone_ends_in_no_empty_error(workshop: Workshop, group: list[str]) -> None:
    result = workshop(group)
    assert "error: \n" not in result.stderr
    assert result.stdout or result.stderr


def test_the_recipe_is_named_once_it_is_read(workshop: Workshop) -> None:
    (workshop.folder / "few.tom").write_text("steps = 3")
    result = workshop(workshop.arguments(recipe="few.tom"))
    one_line(result, "few.tom")
    assert result.stdout == ""


def test_help_imports_nothing_that_takes_long() -> None:
    """How fast that makes it is for benchmarks/startup.py to say."""
    heavy = [
        "torch",
        "numpy",
        "pandas",
        "pydantic",
        "pyarrow",
        "rich",
        "derainbench.synth.synthesize",
        "derainbench.overlap.compare",
    ]
    code = (
        "import sys, derainbench.cli.main as c; c.app(['--help'], standalone_mode=False)\n"
        f"assert not (found := [name for name in {heavy} if name in sys.modules]), found"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_asking_for_another_protocol_keeps_those_that_were_there(workshop: Workshop) -> None:
    assert workshop(workshop.arguments(methods="identity")).returncode == 0
    result = workshop(workshop.arguments(methods="identity", protocols="y-u8"))
    assert result.returncode == 0, result.stderr
    table = pd.read_parquet(workshop.folder / "run/eval/identity/untrained/seed0/tiny/scores.parquet")
    assert set(table["protocol"]) == {"y", "rgb", "rgb-float-u7", "y-u8"}
    command = json.loads((workshop.folder / "run/run.json").read_text())["command"]
    assert command.count("derainbench run") == 2
    assert " && " in command


def test_old_scores_are_not_ranked_against_new_images(workshop: Workshop) -> None:
    """After a test image was replaced, only what was measured on the new one has a score."""
    assert workshop(workshop.arguments("tinycnn")).returncode == 0
    Image.new("RGB", (24, 20), (9, 99, 9)).save(workshop.folder / "data/test/rainy/x.png")
    result = workshop(workshop.arguments("identity"))
    assert result.returncode == 0, result.stderr
    assert "tinycnn" in result.stdout
    assert "out of date: the dataset's test images changed" in result.stdout


def test_a_dataset_with_test_images_only(workshop: Workshop) -> None:
    """Such as a set of real rain: tested on what was trained elsewhere, refused as a training set."""
    card = (workshop.folder / "card.toml").read_text()
    lines = [line for line in card.splitlines() if not line.startswith("train")]
    (workshop.folder / "real.toml").write_text("\n".join(lines).replace('"tiny"', '"real"'))
    both = [*workshop.arguments("tinycnn", datasets="tiny,real"), "--card", "real.toml"]
    one_line(workshop(both), "tinycnn cannot be trained on 'real'", "--cross")
    result = workshop([*both, "--cross"])
    assert result.returncode == 0, result.stderr
    assert (workshop.folder / "run/eval/tinycnn/tiny/seed0/real/done.json").exists()
    assert not (workshop.folder / "run/train/tinycnn/real").exists()


def test_damaged_weights_are_trained_again(workshop: Workshop) -> None:
    assert workshop(workshop.arguments("tinycnn")).returncode == 0
    weights = workshop.folder / "run/train/tinycnn/tiny/seed0/weights.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:50])
    assert workshop(workshop.arguments("tinycnn")).returncode == 0
    assert weights.read_bytes() == before


@pytest.mark.slow
def test_interrupted_by_the_user(workshop: Workshop) -> None:
    """Ctrl-C: one line that says how to go on, and the status of an interrupted program."""
    import signal
    import time

    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 100000"))
    process = workshop.popen(workshop.arguments("tinycnn"))
    log = workshop.folder / "run/train/tinycnn/tiny/seed0/log.jsonl"
    while not log.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "interrupted; what is finished is kept" in err
    assert "Traceback" not in err


def test_two_versions_of_a_recipe_are_not_ranked_against_each_other(workshop: Workshop) -> None:
    assert workshop(workshop.arguments("tinycnn,tinycnn[width=16]")).returncode == 0
    workshop.edit("tiny.toml", lambda text: text.replace("steps = 40", "steps = 30"))
    result = workshop(workshop.arguments("tinycnn"))
    assert result.returncode == 0, result.stderr
    assert "out of date: the recipe changed since" in result.stdout
    rows = [line for line in result.stdout.splitlines() if line.startswith("tinycnn[width=16]")]
    assert len(rows) == 1
    assert rows[0].split()[2:] == ["failed", "failed"]


def test_a_number_of_pairs_other_than_the_cards_is_a_note(workshop: Workshop) -> None:
    workshop.edit(
        "card.toml", lambda text: text.replace('root = "data"', 'root = "data"\ncounts = { train = 7, test = 2 }')
    )
    result = workshop(workshop.arguments("tinycnn"))
    assert result.returncode == 0, result.stderr
    assert "note: tiny has 6 train pairs here; its card says 7." in result.stdout
    assert "test pairs here" not in result.stdout


def test_published_weights_that_are_not_here_are_missed_before_anything_is_trained(workshop: Workshop) -> None:
    result = workshop(workshop.arguments("tinycnn,prenet@rain100l"))
    one_line(result, "prenet@rain100l", "fetch them from")
    assert not (workshop.folder / "run").exists()


def test_a_plugin_with_a_mistake_in_its_recipe(workshop: Workshop) -> None:
    path = workshop.folder / "mistaken.py"
    text = (Path(__file__).parents[1] / "plugin_method.py").read_text()
    path.write_text(text.replace("lr=5e-3", "learning_rate=5e-3"))
    result = workshop(["check", "mistaken.py"])
    line = one_line(result, "mistaken.py does not import", "lr: Field required", "learning_rate: Extra inputs")
    assert "pydantic.dev" not in line


def test_a_data_root_that_is_no_folder(workshop: Workshop) -> None:
    one_line(workshop(["datasets", "--data-root", "nowhere"]), "nowhere", "no folder")


def test_the_first_line_says_the_seeds_and_whether_anything_is_trained(workshop: Workshop) -> None:
    first = workshop([*workshop.arguments(), "--seeds", "2,0", "--dry-run"]).stdout.splitlines()[0]
    assert first == "recipe tiny.toml; seeds 2, 0"
    assert workshop([*workshop.arguments("identity"), "--dry-run"]).stdout.splitlines()[0] == "nothing is trained"
