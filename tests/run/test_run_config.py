"""``derainbench run --config`` and ``--print-config``: a whole run as one file."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.run.conftest import PLUGIN, RECIPE, Workshop, results

CONFIG = f"""
methods = ["tinycnn[dropout=0.1]", "tinycnn"]
datasets = "tiny"
card = ["card.toml"]
plugin = ["{PLUGIN}"]
device = "cpu"
seeds = [0, 1]
cross = true
out = "by-file"

[recipe]
{RECIPE}
"""


def with_config(workshop: Workshop, text: str = CONFIG) -> Workshop:
    (workshop.folder / "study.toml").write_text(text)
    return workshop


def test_a_file_is_what_its_words_on_the_command_line_are(workshop: Workshop) -> None:
    with_config(workshop)
    by_words = workshop([*workshop.arguments("tinycnn[dropout=0.1],tinycnn", out="by-words", seeds="0,1"), "--cross"])
    by_file = workshop(["run", "--config", "study.toml"])
    assert (by_words.returncode, by_file.returncode) == (0, 0), by_words.stderr + by_file.stderr
    assert results(workshop.folder / "by-file") == results(workshop.folder / "by-words") != {}


def test_the_command_line_has_the_last_word(workshop: Workshop) -> None:
    with_config(workshop)
    shown = workshop(["run", "--config", "study.toml", "--seeds", "5", "--dry-run"])
    assert "seed5" in shown.stdout + shown.stderr
    assert "seed1" not in shown.stdout + shown.stderr


def test_what_is_printed_is_the_same_run(workshop: Workshop) -> None:
    arguments = workshop.arguments(out="by-words", seeds="0,1")
    printed = workshop([*arguments, "--print-config"])
    assert printed.returncode == 0, printed.stderr
    assert tomllib.loads(printed.stdout)["recipe"] == tomllib.loads(RECIPE)
    assert not (workshop.folder / "by-words").exists()
    with_config(workshop, printed.stdout)
    again = workshop(["run", "--config", "study.toml", "--print-config"])
    assert again.stdout == printed.stdout
    plans = [workshop([*each, "--dry-run"]) for each in (arguments, ["run", "--config", "study.toml"])]
    assert [each.returncode for each in plans] == [0, 0]
    cells = [re.findall(r"\b(?:train|eval)/\S+", each.stdout + each.stderr) for each in plans]
    assert cells[0] == cells[1] != []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('method = "nasnet"', "study.toml: no option 'method'; did you mean 'methods'?"),
        ("dry-run = true", "study.toml: no option 'dry-run'"),
        ("methods = { nasnet = 1 }", "study.toml: methods is {'nasnet': 1}; give text, a number, or a list of them"),
        ("seeds = [0, true]", "study.toml: seeds is [0, True]; give text, a number, or a list of them"),
        ("lr = 1.5", "no option 'lr'"),
        ("tile = 1.5", "study.toml: tile is 1.5; give text, a number, or a list of them"),
        ("methods = ", "study.toml is not TOML"),
        ("[recipe]\nlrr = 3", "no field 'lrr'; did you mean 'lr'?"),
        ("threads = 'many'", "threads"),
    ],
)
def test_mistakes_are_told_in_one_line(workshop: Workshop, text: str, said: str) -> None:
    with_config(workshop, text)
    done = workshop(["run", "--config", "study.toml", "--methods", "prenet", "--datasets", "demo"])
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_file_is_told(workshop: Workshop) -> None:
    done = workshop(["run", "--config", "none.toml"])
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "run config none.toml cannot be read" in done.stderr
