"""``derainbench weights``: listing, adding, exporting, and using what was added wherever a method's name goes."""

from __future__ import annotations

import json
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from derainbench.plugins.registry import discover
from derainbench.plugins.weights import read_weights, save_weights
from derainbench.results.load import load_run
from derainbench.results.score_table import as_wide
from derainbench.support.atomic import file_hash

from .conftest import Workshop

PLUGIN = Path(__file__).parents[1] / "plugin_method.py"
UNVERIFIED = "tinycnn[width=4]@mine: unverified weights, from a file that nobody vouches for."


def error(result: subprocess.CompletedProcess[str], *words: str) -> str:
    """The single line of a command that was refused, checked for its essential words."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert [word for word in words if word not in result.stderr] == [], result.stderr
    return result.stderr


def file_of_weights(path: Path, seed: int = 0, name: str = "tinycnn[width=4]") -> Path:
    """Weights that nobody trained, as safetensors."""
    torch.manual_seed(seed)
    save_weights(path, discover([PLUGIN]).variant(name).build())
    return path


def add(workshop: Workshop, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``derainbench weights add`` with the plugin."""
    return workshop(["weights", "add", *arguments, "--plugin", str(PLUGIN)])


def listed(workshop: Workshop) -> dict[str, dict[str, object]]:
    """The known weights by name, as a script reads them."""
    result = workshop(["weights", "list", "--json", "--plugin", str(PLUGIN)])
    assert result.returncode == 0, result.stderr
    return {entry["name"]: entry for entry in json.loads(result.stdout)["weights"]}


def cached(workshop: Workshop) -> list[str]:
    """The names of all files in the cache of weights."""
    return sorted(path.name for path in (workshop.folder / "cache" / "weights").rglob("*") if path.is_file())


@pytest.fixture
def mine(workshop: Workshop) -> Path:
    """A file of one's own, added as ``tinycnn[width=4]@mine``."""
    path = file_of_weights(workshop.folder / "mine.safetensors")
    result = add(workshop, "tinycnn[width=4]@mine", "mine.safetensors", "--trust-unknown", "--trained-on", "tiny")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("tinycnn[width=4]@mine: added (unverified), ")
    return path


def test_what_is_published_is_listed(workshop: Workshop) -> None:
    entry = listed(workshop)["prenet[shared=true]@rain100h"]
    assert (entry["trained_on"], entry["licence"], entry["here"], entry["path"], entry["verified"]) == (
        "rain100h", "none stated", "no", None, True,
    )  # fmt: skip
    assert str(entry["sha256"]).startswith("ece8127c651c")
    assert "https://github.com/csdwren/PReNet" in str(entry["source"])
    text = workshop(["weights", "list"]).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("prenet@rain100l ")]
    assert [word in line for word in ("rain100l", " no ", "none stated", "cb9b743bb33c", "github.com")] == [True] * 5


def test_published_weights_are_added_once_and_then_work(workshop: Workshop, shared: Path) -> None:
    official = shared / "weights" / "prenet" / "Rain100L_PRN6_r.pth"
    name = "prenet[recurrence=none,shared=true]@rain100l"
    Image.fromarray(np.full((9, 8, 3), 90, np.uint8)).save(workshop.folder / "photo.png")
    command = ["derain", "photo.png", "--method", name]
    error(workshop(command), "github.com/csdwren/PReNet", f"derainbench weights add '{name}' FILE")
    assert add(workshop, name, str(official)).stdout.startswith(f"{name}: added (verified), ")
    entry = listed(workshop)[name]
    assert (entry["here"], entry["verified"], entry["sha256"]) == ("yes", True, file_hash(official))
    before = {path: path.stat().st_mtime_ns for path in (workshop.folder / "cache").rglob("*")}
    again = add(workshop, name, str(official), "--trust-unknown")
    assert again.stdout.startswith(f"{name}: was there already (verified), ")
    assert {path: path.stat().st_mtime_ns for path in (workshop.folder / "cache").rglob("*")} == before
    assert workshop(command).returncode == 0
    assert (workshop.folder / f"photo-{name}.png").is_file()
    error(add(workshop, "prenet@rain100l", str(official)), f"this file is {name}")
    error(
        add(workshop, "prenet@mine", str(official), "--trust-unknown"),
        f"cannot be vouched for as prenet@mine; this file is {name}: add it as that (sha256 ",
    )
    error(add(workshop, name, str(official), "--trained-on", "rain100h"), "was trained on rain100l, not rain100h")


def test_a_file_with_another_hash_is_refused_and_nothing_is_written(workshop: Workshop) -> None:
    file_of_weights(workshop.folder / "other.safetensors", name="prenet")
    expected = "cb9b743bb33cf6e5c56ba45f8ade93add46266dea9fa582e1934dc5eed942333"
    said = error(add(workshop, "prenet@rain100l", "other.safetensors"), "other.safetensors", expected)
    assert said.index("--trust-unknown") < said.index("(sha256 ")
    error(add(workshop, "prenet@new", "other.safetensors"), "nothing is published under that name", "--trust-unknown")
    assert cached(workshop) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tinycnn", "mine.safetensors"], ("tinycnn names no weights", "NAME@TAG")),
        (["tinycnn[width=5]@x", "mine.safetensors"], ("does not fit tinycnn[width=5]@x", "layers.0.weight has shape")),
        (["tinycnn@x", "trap.pth"], ("trap.pth", "cannot be read as weights")),
        (["tinycnn@x", "nowhere.pth"], ("nowhere.pth", "check the path")),
        (["tinycnn@x", "mine.safetensors", "--trained-on", "../up"], ("--trained-on '../up'", "no dataset's name")),
        (["tinycnn@x", "mine.safetensors", "--trained-on", "untrained"], ("'untrained'", "no dataset's name")),
        (["tinycnn[width=4]@x", "nan.safetensors"], ("layers.0.bias", "not finite")),
        (["tincnn@x", "mine.safetensors"], ("did you mean 'tinycnn'",)),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_files_that_are_refused_even_if_trusted(
    workshop: Workshop, arguments: list[str], words: tuple[str, ...]
) -> None:
    file_of_weights(workshop.folder / "mine.safetensors")
    broken = discover([PLUGIN]).variant("tinycnn[width=4]").build()
    torch.nn.init.constant_(broken.get_parameter("layers.0.bias"), float("nan"))
    save_weights(workshop.folder / "nan.safetensors", broken)
    (workshop.folder / "trap.pth").write_bytes(pickle.dumps(Path("innocent"), protocol=2))
    error(add(workshop, *arguments, "--trust-unknown"), *words)
    assert cached(workshop) == []


@pytest.mark.slow
def test_a_file_of_ones_own_says_how_its_authors_made_grey_levels(workshop: Workshop, mine: Path) -> None:
    """Truncated outputs score otherwise, and the report says so; a record that says nothing of it means rounding."""
    name = "tinycnn[width=4]@mine"
    (record,) = (workshop.folder / "cache" / "weights" / "tinycnn").glob("*.json")
    kept = json.loads(record.read_text())
    assert kept.pop("quantisation") == "round"
    record.write_text(json.dumps(kept))  # as a version without it wrote it
    again = ("mine.safetensors", "--trust-unknown", "--trained-on", "tiny")
    assert "was there already" in add(workshop, name, *again).stdout
    found = {}
    for how in ("round", "truncate"):
        added = add(workshop, name, *again, "--quantisation", how)
        assert added.returncode == 0, added.stderr
        assert json.loads(record.read_text()).get("quantisation", "round") == how
        run = workshop(workshop.arguments(name, out=how, baseline="none"))
        assert run.returncode == 0, run.stderr
        found[how] = as_wide(load_run(workshop.folder / how).scores)
        assert ("truncated to 8 bit" in workshop(["report", how]).stdout) == (how == "truncate")
    means = {how: table[table["protocol"] == "y"]["psnr"].mean() for how, table in found.items()}
    assert means["round"] != means["truncate"]
    error(add(workshop, name, *again, "--quantisation", "floor"), "'floor' is not one of 'round', 'truncate'")


@pytest.mark.slow
def test_a_file_of_ones_own_works_wherever_a_name_does(workshop: Workshop, mine: Path) -> None:
    entry = listed(workshop)["tinycnn[width=4]@mine"]
    assert (entry["trained_on"], entry["verified"], entry["sha256"]) == ("tiny", False, file_hash(mine))
    assert "mine.safetensors" in str(entry["source"])
    text = workshop(["weights", "list", "--plugin", str(PLUGIN)]).stdout
    assert "yes, unverified" in next(line for line in text.splitlines() if line.startswith("tinycnn[width=4]@mine "))
    methods = json.loads(workshop(["methods", "--json", "--plugin", str(PLUGIN)]).stdout)["methods"]
    (tiny,) = [method for method in methods if method["name"] == "tinycnn"]
    assert [weights["name"] for weights in tiny["weights"]] == ["tinycnn[width=4]@mine"]
    assert "@mine" in workshop(["methods", "--plugin", str(PLUGIN)]).stdout

    plan = workshop([*workshop.arguments("tinycnn@mine"), "--dry-run"])
    assert "eval/tinycnn[width=4]@mine/tiny/seed0/tiny" in plan.stdout
    assert "train/" not in plan.stdout

    Image.fromarray(np.full((9, 8, 3), 90, np.uint8)).save(workshop.folder / "photo.png")
    for method, more in (("tinycnn@mine", []), ("tinycnn[width=4]", ["--weights", "mine.safetensors"])):
        result = workshop(["derain", "photo.png", "--method", method, *more, "--plugin", str(PLUGIN)])
        assert result.returncode == 0, result.stderr
    by_tag, by_file = (workshop.folder / f"photo-tinycnn[width=4]{tag}.png" for tag in ("@mine", ""))
    assert by_tag.read_bytes() == by_file.read_bytes()


def test_every_report_says_that_weights_are_unverified(workshop: Workshop, mine: Path) -> None:
    result = workshop(workshop.arguments("tinycnn[width=4]@mine"))
    assert result.returncode == 0, result.stderr
    assert UNVERIFIED in result.stdout
    (entry,) = [m for m in json.loads((workshop.folder / "run/run.json").read_text())["methods"] if m["weights"]]
    assert (entry["weights"]["verified"], entry["weights"]["sha256"]) == (False, file_hash(mine))
    report = workshop(["report", "run"])
    assert UNVERIFIED in report.stdout
    folder = workshop.folder / "run" / "report"
    for name in ("index.html", "tables.tex", "report.md", "scores-notes.txt"):
        text = (folder / name).read_text().replace("\\allowbreak{}", "").replace("\\", "")
        text = text.replace("{[}", "[").replace("{]}", "]")
        assert UNVERIFIED in text, name
    for name in ("index.html", "tables.tex", "report.md"):
        assert "unverified weights mine" in " ".join((folder / name).read_text().split()), f"{name}: the row itself"
    for name in ("index.html", "report.tex", "report.md"):
        assert file_hash(mine)[:16] in (folder / name).read_text().replace("\\allowbreak{}", ""), name


def test_a_replaced_file_redoes_the_scores(workshop: Workshop, mine: Path) -> None:
    arguments = workshop.arguments("tinycnn@mine")
    assert workshop(arguments).returncode == 0
    assert "nothing to do: " in workshop(arguments).stderr
    file_of_weights(mine, seed=1)
    replaced = add(workshop, "tinycnn[width=4]@mine", "mine.safetensors", "--trust-unknown")
    assert ": added (unverified)" in replaced.stdout
    # Nobody said this time what it was trained on, so that it is another row's evaluation.
    assert "eval/tinycnn[width=4]@mine/unstated/seed0/tiny" in workshop([*arguments, "--dry-run"]).stdout
    add(workshop, "tinycnn[width=4]@mine", "mine.safetensors", "--trust-unknown", "--trained-on", "tiny")
    again = workshop(arguments)
    assert again.returncode == 0, again.stderr
    assert "weights changed" in again.stderr


def test_scores_of_other_weights_leave_the_table(workshop: Workshop, mine: Path) -> None:
    """Two files under one name, trained on different things, in one run: only the last one's scores are shown."""
    assert workshop(workshop.arguments("tinycnn@mine")).returncode == 0
    file_of_weights(mine, seed=1)
    add(workshop, "tinycnn[width=4]@mine", "mine.safetensors", "--trust-unknown", "--trained-on", "elsewhere")
    shown = load_run(workshop.folder / "run")
    assert "tinycnn[width=4]@mine" in set(shown.scores["method"]), "nothing was asked again: what is there is shown"
    assert workshop(workshop.arguments("tinycnn@mine")).returncode == 0
    scores = load_run(workshop.folder / "run").scores
    assert set(scores[scores["method"] == "tinycnn[width=4]@mine"]["trained_on"]) == {"elsewhere"}


def test_the_csv_says_which_scores_nobody_vouches_for(workshop: Workshop, mine: Path) -> None:
    assert workshop(workshop.arguments("tinycnn@mine")).returncode == 0
    assert workshop(["report", "run", "--format", "csv"]).returncode == 0
    scores = pd.read_csv(workshop.folder / "run" / "report" / "scores.csv")
    assert dict(scores.groupby("method")["verified"].all()) == {"identity": True, "tinycnn[width=4]@mine": False}


def test_a_published_tag_keeps_its_short_name(workshop: Workshop) -> None:
    """One's own file under the same tag, for other options, does not make ``prenet@ablation-gru`` ambiguous."""
    file_of_weights(workshop.folder / "own.safetensors", name="prenet[shared=true]")
    added = add(workshop, "prenet[shared=true]@ablation-gru", "own.safetensors", "--trust-unknown")
    assert added.returncode == 0, added.stderr
    Image.fromarray(np.full((9, 8, 3), 90, np.uint8)).save(workshop.folder / "photo.png")
    refused = workshop(["derain", "photo.png", "--method", "prenet@ablation-gru"])
    error(refused, "prenet[recurrence=gru,residual=false]@ablation-gru", "are not here")


def test_results_stay_when_the_weights_are_gone(workshop: Workshop, mine: Path, shared: Path) -> None:
    """Finished scores need no weights; unfinished ones are missed before anything is trained."""
    official = shared / "weights" / "prenet" / "Rain100L_PRN6_r.pth"
    name = "prenet[recurrence=none,shared=true]@rain100l"
    assert add(workshop, name, str(official)).returncode == 0
    assert workshop(workshop.arguments(name)).returncode == 0
    for path in (workshop.folder / "cache" / "weights" / "prenet").iterdir():
        path.unlink()
    assert "nothing to do: " in workshop(workshop.arguments(name)).stderr
    error(workshop(workshop.arguments(f"tinycnn,{name}", out="new")), "are not here", "fetch them from")
    assert not (workshop.folder / "new").exists()


def test_damage_in_the_cache_is_noticed(workshop: Workshop, mine: Path) -> None:
    path = Path(str(listed(workshop)["tinycnn[width=4]@mine"]["path"]))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert listed(workshop)["tinycnn[width=4]@mine"]["here"] == "damaged"
    Image.fromarray(np.full((9, 8, 3), 90, np.uint8)).save(workshop.folder / "photo.png")
    command = ["derain", "photo.png", "--method", "tinycnn@mine", "--plugin", str(PLUGIN)]
    error(workshop(command), str(path), "damaged", "weights add 'tinycnn[width=4]@mine' FILE --trust-unknown")
    result = add(workshop, "tinycnn[width=4]@mine", str(mine), "--trust-unknown", "--trained-on", "tiny")
    assert ": added (unverified)" in result.stdout
    assert workshop(command).returncode == 0
    record = path.with_suffix(".json")
    record.write_text(record.read_text()[:-20])
    error(workshop(command), str(record), "damaged", "delete it and add the weights again")
    error(workshop(["run", *workshop.arguments("tinycnn@mine")[1:]]), str(record))


def test_a_method_that_renames_its_parameters_asks_for_the_file_again(workshop: Workshop, mine: Path) -> None:
    """A newer version of the method must not meet what an older one converted."""
    text = PLUGIN.read_text()
    (workshop.folder / "newer.py").write_text(text.replace("self.layers", "self.body"))
    Image.fromarray(np.full((9, 8, 3), 90, np.uint8)).save(workshop.folder / "photo.png")
    command = ["derain", "photo.png", "--method", "tinycnn@mine", "--plugin", "newer.py"]
    error(workshop(command), "tinycnn[width=4]@mine.safetensors is outdated", "derainbench weights add")
    assert workshop([*command[:-1], str(PLUGIN)]).returncode == 0


def test_a_record_under_another_name_is_not_believed(workshop: Workshop, mine: Path) -> None:
    record = workshop.folder / "cache/weights/tinycnn/tinycnn[width=4]@mine.json"
    record.rename(record.with_name("tinycnn@mine.json"))
    error(
        workshop(workshop.arguments("tinycnn@mine")), "tinycnn@mine.json", "describes tinycnn[width=4]@mine", "delete"
    )


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_exported_weights_have_the_authors_names(workshop: Workshop, suffix: str) -> None:
    """A trained file goes out in the authors' layout, and comes in again unchanged."""
    ours = read_weights(file_of_weights(workshop.folder / "ours.safetensors", name="prenet[recurrence=gru]"))
    command = ["weights", "export", "ours.safetensors", "--method", "prenet[recurrence=gru]", "--out", f"o.{suffix}"]
    assert workshop(command).stdout == f"o.{suffix}\n"
    state = read_weights(workshop.folder / f"o.{suffix}")
    assert torch.equal(state["conv_b.0.weight"], ours["recurrence.update_reset.weight"][32:])
    assert {"conv0.0.weight", "res_conv5.2.bias", "conv_z.0.bias", "conv_g.0.weight", "conv.0.bias"} <= state.keys()
    assert (
        add(workshop, "prenet[recurrence=gru]@back", f"o.{suffix}", "--trust-unknown", "--trained-on", "t").returncode
        == 0
    )
    back = read_weights(workshop.folder / "cache/weights/prenet/prenet[recurrence=gru]@back.safetensors")
    assert back.keys() == ours.keys()
    assert all(torch.equal(back[name], ours[name]) for name in ours)
    error(workshop(command), f"o.{suffix} exists")
    error(workshop([*command[:-1], "o.bin"]), "o.bin", ".pth, .pt, .safetensors")
    error(workshop([*command[:4], "prenet", "--out", "n.pth"]), "does not fit prenet", "recurrence.gates.weight")


def test_published_weights_may_be_replaced_knowingly(workshop: Workshop, shared: Path) -> None:
    """A file of one's own under a published name is unverified, until the published file is added again."""
    official = shared / "weights" / "prenet" / "Rain100L_PReNet6.pth"
    own = file_of_weights(workshop.folder / "own.safetensors", name="prenet")
    assert add(workshop, "prenet@rain100l", str(own), "--trust-unknown").returncode == 0
    entry = listed(workshop)["prenet@rain100l"]
    assert (entry["verified"], entry["sha256"], entry["trained_on"]) == (False, file_hash(own), "unstated")
    assert add(workshop, "prenet@rain100l", str(official)).returncode == 0
    entry = listed(workshop)["prenet@rain100l"]
    assert (entry["verified"], entry["here"], entry["sha256"]) == (True, "yes", file_hash(official))
