"""``derainbench run --suite`` from the outside: the plan without data, and tables filled at a reduced size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Workshop
from .test_run import one_line

ABLATIONS = ["run", "--suite", "nasnet-ablations", "--device", "cpu"]
REDUCED = ["--reduce", "blocks=1,width=4"]

VARIANTS = {
    "nasnet[blocks=1,width=4,attention=none]",
    "nasnet[blocks=1,width=4,attention=se]",
    "nasnet[blocks=1,width=4]",
    "nasnet[stages=1,blocks=1,width=4]",
    "nasnet[stages=2,blocks=1,width=4]",
    "nasnet[stages=4,blocks=1,width=4]",
    "nasnet[blocks=1,width=4,fusion=none]",
}

TABLE = """
paper = "mine"
caption = "One training in two ways"
columns = [{ dataset = "tiny", title = "Tiny" }]
sources.mine = { short = "Mine", text = "My notes." }
[[rows]]
title = "A"
measure = { method = "tinycnn", recipe = { RECIPE } }
[[rows]]
title = "Elsewhere"
measure = { method = "not-here" }
"""


@pytest.fixture
def reduced(workshop: Workshop) -> list[str]:
    """The ablations with tiny networks, two steps each, all on the tiny dataset."""
    recipe = 'base = "quick"\nsteps = 2\nbatch = 1\npatch = 16\n'
    (workshop.folder / "two-steps.toml").write_text(recipe)
    return [*ABLATIONS, *REDUCED, "--recipe", "two-steps.toml", "--datasets", "tiny", "--card", "card.toml"]


def own_suite(folder: Path, name: str, recipe: str) -> list[str]:
    """A suite of one table of one's own; the arguments that run it."""
    (folder / f"{name}-table.toml").write_text(TABLE.replace("RECIPE", recipe))
    (folder / f"{name}.toml").write_text(f'tables = ["{name}-table.toml"]')
    plugin = Path(__file__).parents[1] / "plugin_method.py"
    fixed = ["--card", "card.toml", "--plugin", str(plugin), "--device", "cpu"]
    return ["run", "--suite", f"{name}.toml", "--recipe", "paper", *fixed]


def info(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "run.json").read_text())
    return content


@pytest.mark.slow
def test_the_plan_is_shown_where_no_dataset_is(workshop: Workshop) -> None:
    """All cells of Tables 7 to 9, shared ones once, with the rows they are for and what they cost."""
    result = workshop([*ABLATIONS, "--recipe", "quick", "--dry-run"])
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:2] == ["recipe quick; seed 0", "suite nasnet-ablations"]
    cells = [line for line in lines if line.startswith("  no data")]
    assert len(cells) == 16
    assert sum("train/" in line for line in cells) == 8, "NASNet on SPA-REAL serves Tables 7 and 9"
    shared = lines.index("nasnet/7 NASNet, nasnet/9 NASNet")
    assert [line.split()[-1] for line in lines[shared + 1 : shared + 4]] == [
        "train/nasnet/spa-real/seed0",
        "eval/nasnet/spa-real/seed0/spa-real",
        "Stage=1",
    ]
    assert max(map(len, lines[:-2])) < 100
    assert all("  about " in line for line in cells if "train/" in line)
    assert lines[-5].endswith("without 4 of unknown cost"), "the card of Rain100H tells how large its test images are"
    assert "multiply-accumulates" in lines[-4]
    assert "note: not here: rain100h (test and train), spa-real (test and train)" in lines[-2]
    assert lines[-1] == "16 cells, 16 to do"
    assert not (workshop.folder / "runs").exists()

    line = one_line(workshop([*ABLATIONS, "--recipe", "quick"]), "rain100h", "spa-real", "--data-root")
    assert "derainbench datasets" in line
    assert not (workshop.folder / "runs").exists()


@pytest.mark.slow
def test_the_tables_are_filled_at_a_reduced_size(workshop: Workshop, reduced: list[str]) -> None:
    result = workshop(reduced)
    assert result.returncode == 0, result.stderr
    run = workshop.folder / "runs" / "nasnet-ablations-two-steps"
    assert len(list(run.glob("train/*/tiny/seed0/weights.safetensors"))) == len(VARIANTS)
    assert len(list(run.glob("eval/*/tiny/seed0/tiny/scores.parquet"))) == len(VARIANTS)
    written = info(run)
    rows = written["suite"]["rows"]
    assert {row["method"] for row in rows} == VARIANTS
    assert [(row["table"], row["row"]) for row in rows if row["method"] == "nasnet[blocks=1,width=4]"] == [
        ("nasnet/7", "NASNet"),
        ("nasnet/8", "Stage=3"),
        ("nasnet/9", "NASNet"),
    ]
    assert not written["recipe"]["comparable"]
    changed = {(change["field"], change["paper"], change["here"]) for change in written["recipe"]["changes"]}
    assert {("blocks", 18, 1), ("width", 64, 4), ("dataset", "spa-real", "tiny")} <= changed
    assert ("length", "200,000 steps", "2 steps") in changed, (
        "what the row's paper did, not what the method usually does"
    )
    trainings = [cell for cell in written["cells"] if cell["kind"] == "train"]
    assert {cell["recipe"]["steps"] for cell in trainings} == {2}

    again = workshop(reduced)
    assert "nothing to do: 14 of 14 cells are up to date" in again.stderr
    assert info(run)["suite"] == written["suite"]

    workshop.edit("two-steps.toml", lambda text: text.replace("steps = 2", "steps = 3"))
    (run / "run.json").write_text(json.dumps(written))
    single = ["run", "--methods", "nasnet[blocks=1,width=4]", "--datasets", "tiny", "--card", "card.toml"]
    result = workshop([*single, "--recipe", "two-steps.toml", "--out", str(run), "--device", "cpu"])
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("out of date: the recipe changed since") == len(VARIANTS) - 1
    assert info(run)["suite"] == written["suite"], "a later command without the suite leaves its rows"


def test_a_rows_own_recipe_is_comparable_and_out_of_date_only_if_it_changed(workshop: Workshop) -> None:
    arguments = own_suite(workshop.folder, "two", "lr = 1e-3, steps = 3, batch = 1, patch = 16")
    result = workshop(arguments)
    assert result.returncode == 0, result.stderr
    assert "suite two; not in the registry: Elsewhere" in result.stdout
    assert "not comparable" not in result.stdout
    assert "out of date" not in result.stdout
    run = workshop.folder / "runs" / "two-paper"
    written = info(run)
    assert written["recipe"] == {"name": "paper", "comparable": True, "changes": []}
    (cell,) = [cell for cell in written["cells"] if cell["kind"] == "train"]
    assert (cell["recipe"]["steps"], cell["row_recipe"]["steps"]) == (3, 3)
    assert [cell["method"] for cell in written["cells"]] == ["tinycnn", "tinycnn"], "the input is in no row"
    assert "nothing to do: 2 of 2" in workshop(arguments).stderr

    other = own_suite(workshop.folder, "other", "lr = 1e-3, steps = 4, batch = 1, patch = 16")
    line = one_line(workshop([*other, "--out", str(run)]), "train/tinycnn/tiny/seed0", "another --out")
    assert "derainbench report" in line
    plain = workshop.arguments("tinycnn", out=str(run), recipe="paper")
    one_line(workshop(plain), "train/tinycnn/tiny/seed0", "another --out")
    assert info(run)["command"] == written["command"], "what is refused changes nothing"

    with_input = workshop([*arguments, "--baseline", "identity"])
    assert with_input.returncode == 0, with_input.stderr
    assert (run / "eval/identity/untrained/seed0/tiny/done.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*ABLATIONS, "--methods", "prenet"], ["leave --methods out", "suite file"]),
        ([*ABLATIONS, "--cross"], ["leave --cross out"]),
        ([*ABLATIONS, "--datasets", "demo"], ["--datasets demo means 3 datasets", "stand in"]),
        ([*ABLATIONS, "--reduce", "stages=1"], ["--reduce stages", "nasnet/8"]),
        ([*ABLATIONS, "--reduce", "blocks"], ["--reduce 'blocks'", "option=value"]),
        ([*ABLATIONS, "--datasets", "demo-streak", "--recipe", "paper"], ["nasnet/7 NASNet", "nasnet/8 Stage=3"]),
        (["run", "--suite", "nasnet"], ["no suite is called 'nasnet'"]),
        (["run", "--methods", "nasnet"], ["--datasets is missing", "--suite"]),
        (["run", "--datasets", "demo"], ["--methods is missing", "--suite"]),
        (["run", "--methods", "nasnet", "--datasets", "demo", *REDUCED], ["--reduce belongs to --suite"]),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) and value[0] == "run" else "",
)
def test_mistakes(workshop: Workshop, arguments: list[str], words: list[str]) -> None:
    one_line(workshop(arguments), *words)


def test_weights_that_are_not_here_are_planned_and_refused(workshop: Workshop) -> None:
    arguments = workshop.arguments("prenet@rain100l")
    plan = workshop([*arguments, "--dry-run"])
    assert plan.returncode == 0, plan.stderr
    (line,) = [line for line in plan.stdout.splitlines() if "eval/prenet@rain100l/rain100l/seed0/tiny" in line]
    assert line.startswith("no weights ")
    assert "note: the weights of prenet@rain100l are not here; derainbench weights fetch prenet@rain100l" in plan.stdout
    one_line(workshop(arguments), "the weights of prenet@rain100l are not here")


def test_two_suites_in_one_folder(workshop: Workshop) -> None:
    """Both keep their rows; what they share is not done again."""
    fields = "lr = 1e-3, steps = 3, batch = 1, patch = 16"
    first, second = (own_suite(workshop.folder, name, fields) for name in ("first", "second"))
    assert workshop([*first, "--out", "run"]).returncode == 0
    result = workshop([*second, "--out", "run"])
    assert result.returncode == 0, result.stderr
    assert "nothing to do: 2 of 2 cells are up to date" in result.stderr
    suite = info(workshop.folder / "run")["suite"]
    assert suite["name"] == "first + second"
    assert [row["table"] for row in suite["rows"]] == ["first-table", "second-table"]
