"""Several runs as one: what was made alike stands in one row, what was not is told apart, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.provenance import provenance
from derainbench.reports.comparison.table import comparison_tables
from derainbench.reports.published.filled import fill
from derainbench.reports.published.shipped import paper_tables
from derainbench.results.load import load_run
from derainbench.results.merging import merged, run_names
from derainbench.results.results import Results
from derainbench.results.run_info import Change, RunInfo, as_data
from tests.helpers.small_runs import Run, Score

Refused = Callable[..., AbstractContextManager[None]]

LOW, HIGH = (25.0, 26.0, 27.0, 28.0), (30.0, 31.0, 32.0, 33.0)
INPUT = Score("identity", "rain", LOW)
TINY = Score("tiny", "rain", HIGH)


def joined(folder: Path, **runs: Run) -> Results:
    """The runs, written into folders of these names and merged."""
    return merged([load_run(run.write(folder / name)) for name, run in runs.items()])


def names(results: Results) -> list[str]:
    """The methods of a comparison."""
    return [method.name for method in results.methods]


def means(results: Results) -> dict[tuple[str, str], tuple[float, int]]:
    """PSNR and seeds under the first protocol by (row, dataset)."""
    table = comparison_tables(measured(results))[0]
    return {
        (row.entry.full_name, column.dataset.name): (cell.value, cell.seeds)
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column.metric == "psnr" and cell.state == "finished"
    }


def test_one_run_stays_as_it_is(tmp_path: Path) -> None:
    run = load_run(Run([INPUT, TINY]).write(tmp_path / "a"))
    assert merged([run]) is run


def test_a_run_given_twice_counts_once(tmp_path: Path) -> None:
    folder = Run([INPUT, TINY]).write(tmp_path / "a")
    (tmp_path / "link").symlink_to(folder)
    both = merged([load_run(folder), load_run(tmp_path / "link")])
    assert both.folder == folder
    assert len(both.scores) == 2 * 4 * 2 * 2


def test_no_run_is_refused(refused: Refused) -> None:
    with refused("no run"):
        merged([])


def test_datasets_and_methods_are_united(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([INPUT, TINY]), b=Run([Score("tiny[width=2]", "mist", LOW)]))
    assert names(both) == ["identity", "tiny", "tiny[width=2]"]
    assert [dataset.name for dataset in both.datasets] == ["rain", "mist"]
    assert means(both) == {
        ("identity", "rain"): (26.5, 1),
        ("tiny", "rain"): (31.5, 1),
        ("tiny[width=2]", "mist"): (26.5, 1),
    }
    assert both.restored("tiny[width=2]", "mist", 0, "mist", "photo-0").is_relative_to(tmp_path / "b")
    assert both.restored("tiny", "rain", 0, "rain", "photo-0").is_relative_to(tmp_path / "a")


def test_the_same_evaluation_counts_once(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([INPUT, TINY]), b=Run([INPUT, TINY, Score("tiny", "mist", LOW)]))
    assert means(both) == {
        ("identity", "rain"): (26.5, 1),
        ("tiny", "rain"): (31.5, 1),
        ("tiny", "mist"): (26.5, 1),
    }
    assert not both.scores.duplicated(["method", "trained_on", "seed", "dataset", "image", "protocol", "metric"]).any()


def test_seeds_of_several_runs_are_seeds_of_one_row(tmp_path: Path) -> None:
    second = [Score("tiny", "rain", [psnr + 2 for psnr in HIGH], seed=1)]
    both = joined(tmp_path, a=Run([TINY]), b=Run(second))
    assert means(both) == {("tiny", "rain"): (32.5, 2)}
    assert as_data(both.info)["seeds"] == [0, 1]
    assert [(each.method, each.seed) for each in both.trainings] == [("tiny", 0), ("tiny", 1)]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (Run([INPUT, TINY], steps=300), "recipe steps 200 -> 300"),
        (Run([INPUT, TINY], precision="bf16"), "precision fp32 -> bf16"),
        (Run([INPUT, TINY], source="b" * 8), "the method's code is another one"),
        (Run([INPUT, Score("tiny", "rain", LOW)]), "the same inputs gave other scores"),
    ],
    ids=["recipe", "precision", "code", "scores"],
)
def test_what_was_made_differently_stands_under_its_run(tmp_path: Path, other: Run, why: str) -> None:
    both = joined(tmp_path, one=Run([INPUT, TINY]), two=other)
    assert {"tiny (one)", "tiny (two)"} < set(names(both))
    assert "tiny" not in names(both)
    assert set(both.scores["method"]) == set(names(both))
    assert {key[0] for key in both.evaluations} == set(names(both))
    assert [training.method for training in both.trainings] == ["tiny (one)", "tiny (two)"]
    assert {cell["method"] for cell in as_data(both.info)["cells"]} == set(names(both))
    assert [m["title"] for m in as_data(both.info)["methods"] if "tiny" in m["name"]] == ["Tiny (one)", "Tiny (two)"]
    (notice,) = [notice for notice in as_data(both.info)["notices"] if notice.startswith("tiny stands in 2 rows")]
    assert f"one -> two): {why}" in notice
    assert both.restored("tiny (two)", "rain", 0, "rain", "photo-0").is_relative_to(tmp_path / "two")


def test_labels_name_the_run_once(tmp_path: Path) -> None:
    variants = [replace(TINY, method=f"tiny[width={width}]") for width in (2, 4)]
    both = joined(tmp_path, a=Run(variants), b=Run(variants, steps=300))
    labels = [row.entry.label for row in comparison_tables(measured(both))[0].rows]
    assert labels == [f"Tiny ({run}) [width={width}]" for run in "ab" for width in (2, 4)]


def test_other_seeds_of_another_recipe_do_not_join_the_row(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([TINY]), b=Run([Score("tiny", "rain", LOW, seed=1)], steps=300))
    assert means(both) == {("tiny (a)", "rain"): (31.5, 1), ("tiny (b)", "rain"): (26.5, 1)}


def test_nor_do_other_datasets(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([TINY]), b=Run([Score("tiny", "mist", LOW)], steps=300))
    assert names(both) == ["tiny (a)", "tiny (b)"]


def test_of_three_runs_the_alike_share_a_row(tmp_path: Path) -> None:
    one, two = (Run([Score("tiny", "rain", HIGH, seed=seed)]) for seed in (0, 1))
    both = joined(tmp_path, a=one, b=Run([Score("tiny", "rain", LOW)], steps=300), c=two)
    assert means(both) == {("tiny (a, c)", "rain"): (31.5, 2), ("tiny (b)", "rain"): (26.5, 1)}


def test_the_runs_that_the_notice_names_are_those_that_differ(tmp_path: Path) -> None:
    second, third = (Run([Score("tiny", "rain", psnr, seed=1)]) for psnr in (HIGH, LOW))
    both = joined(tmp_path, a=Run([TINY]), b=second, c=third)
    assert names(both) == ["tiny (a, b)", "tiny (c)"]
    assert as_data(both.info)["notices"] == [
        "tiny stands in 2 rows, because its runs differ (b -> c): the same inputs gave other scores."
    ]


def test_a_recipe_of_another_training_set_is_told(tmp_path: Path) -> None:
    folders = []
    for run, other, steps in (("a", "mist", 250), ("b", "drop", 300)):
        folders.append(Run([TINY, Score("tiny", other, LOW)]).write(tmp_path / run))
        path = folders[-1] / f"train/tiny/{other}/seed0/done.json"
        for place in (path, folders[-1] / "run.json"):
            record = json.loads(place.read_text())
            of = record if place == path else next(c for c in record["cells"] if c["folder"] in path.as_posix())
            (of["inputs"] if place == path else of)["recipe"]["steps"] = steps
            place.write_text(json.dumps(record))
    (notice,) = merged([load_run(folder) for folder in folders]).info.notices
    assert notice.endswith("(a -> b): recipe steps 250 -> 300.")


def test_recipes_are_told_under_the_new_names(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([TINY]), b=Run([TINY], steps=300))
    source = provenance(measured(both))
    assert not source.comparable
    assert [change.line for change in source.changes] == [
        "tiny (a): length 200 steps instead of 1,000 steps",
        "tiny (b): length 300 steps instead of 1,000 steps",
    ]
    assert {name: recipe["steps"] for name, recipe in as_data(both.info)["recipes"].items()} == {
        "tiny (a)": 200,
        "tiny (b)": 300,
    }


def test_a_published_table_finds_the_row_of_its_run(tmp_path: Path) -> None:
    row = {"table": "t", "row": "r", "column": "rain", "method": "tiny", "trained_on": "rain", "dataset": "rain"}
    suite = {"suite": {"name": "s", "rows": [row]}}
    both = joined(tmp_path, a=Run([TINY], changes=suite), b=Run([TINY], steps=300))
    assert as_data(both.info)["suite"] == {"name": "s", "rows": [{**row, "method": "tiny (a)"}]}


@pytest.mark.parametrize("planned", [False, True], ids=["by name", "by a suite"])
def test_a_published_table_finds_a_method_that_was_split(tmp_path: Path, planned: bool) -> None:
    name, dataset = "nasnet[stages=2]", "rain100h"
    row = {"table": "nasnet/8", "row": "Stage=2", "column": dataset} | {"method": name, "trained_on": dataset}
    changes = {"suite": {"name": "s", "rows": [{**row, "dataset": dataset}]}} if planned else {}
    runs = [Run([Score(name, dataset, HIGH)], changes=changes), Run([Score(name, dataset, LOW)], steps=300)]
    both = joined(tmp_path, a=runs[0], b=runs[1])
    assert [(method.name, method.asked) for method in both.methods] == [(f"{name} ({run})", name) for run in "ab"]
    filled = fill(paper_tables(["nasnet/8"])[0], measured(both))
    assert [row.filled_by for row in filled.rows] == ["", f"{name} (a), trained here", "", ""]
    assert not any("other options" in note for note in filled.notes)


def test_a_published_table_names_the_recipe_and_prefers_fp32(tmp_path: Path) -> None:
    name, dataset = "nasnet[stages=2]", "rain100h"
    own = {"recipe": {"name": "long", "comparable": False, "changes": []}}
    half = Run([Score(name, dataset, HIGH)], precision="bf16")
    runs = [Run([Score("tiny", "rain", HIGH)], steps=300, changes=own), half, Run([Score(name, dataset, LOW)])]
    both = joined(tmp_path, a=runs[0], b=runs[1], c=runs[2])
    change = Change(method="nasnet", field="lr", paper=0.01, here=0.001)
    recipe = both.info.recipe.model_copy(update={"changes": (change,)})
    both = replace(both, info=both.info.model_copy(update={"recipe": recipe}))
    filled = fill(paper_tables(["nasnet/8"])[0], measured(both))
    assert filled.rows[1].filled_by == f"{name} (c), trained here with recipe quick"
    assert not any("bf16" in note for note in filled.notes)
    alone = fill(paper_tables(["nasnet/8"])[0], measured(joined(tmp_path, a=runs[0], b=runs[1])))
    assert any(note.startswith("Stage=2: measured in bf16") for note in alone.notes)


def test_a_failure_that_another_run_mended_is_gone(tmp_path: Path) -> None:
    failed = Score("tiny", "rain", error="out of memory")
    both = joined(tmp_path, a=Run([INPUT, failed]), b=Run([TINY]))
    assert both.failures == ()
    assert means(both)["tiny", "rain"] == (31.5, 1)


def test_other_failures_stay_under_the_new_name(tmp_path: Path) -> None:
    failed = Score("tiny", "mist", error="out of memory")
    both = joined(tmp_path, a=Run([TINY, failed]), b=Run([TINY], steps=300))
    (failure,) = both.failures
    assert (failure.cell, failure.error) == ("eval/tiny (a)/mist/seed0/mist", "out of memory")
    table = comparison_tables(measured(both))[0]
    states = {row.entry.full_name: [cell.state for cell in row.cells[::2]] for row in table.rows}
    assert states == {"tiny (a)": ["finished", "failed"], "tiny (b)": ["finished", "missing"]}


def test_other_test_images_under_one_name_are_refused(tmp_path: Path, refused: Refused) -> None:
    with refused("'rain'", "one", "two", "different test images"):
        joined(tmp_path, one=Run([INPUT]), two=Run([INPUT], digests={"rain": "others"}))


def test_shared_protocols_come_first(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([TINY], protocols=("y-u8", "y")), b=Run([TINY], protocols=("rgb", "y-u8")))
    assert as_data(both.info)["protocols"] == ["y-u8", "y", "rgb"]
    assert "protocol y was not measured in b." in as_data(both.info)["notices"]
    assert "protocol rgb was not measured in a." in as_data(both.info)["notices"]
    assert sorted(both.scores["protocol"].unique()) == ["rgb", "y", "y-u8"]


def test_each_run_keeps_what_it_says(tmp_path: Path) -> None:
    both = joined(
        tmp_path,
        a=Run([TINY], machine={"device": "cpu"}, changes={"notices": ["common", "of a"]}),
        b=Run(
            [TINY], machine={"device": "cuda"}, changes={"notices": ["common"], "created": "2026-02-03T04:05:06+00:00"}
        ),
    )
    assert [run["name"] for run in as_data(both.info)["runs"]] == ["a", "b"]
    assert [run["machine"]["device"] for run in as_data(both.info)["runs"]] == ["cpu", "cuda"]
    assert as_data(both.info)["machine"] == {"device": "cpu, cuda"}
    assert as_data(both.info)["notices"] == ["common", "a: of a"]
    facts = dict(provenance(measured(both)).facts)
    assert facts["Run a"] == "2026-01-02 03:04 UTC; device cpu"
    assert facts["Run b"] == "2026-02-03 04:05 UTC; device cuda"
    assert facts["Command of b"] == "derainbench run --out b"


def test_leaks_of_any_run_stay(tmp_path: Path) -> None:
    def seen(shared: int | None) -> dict[str, object]:
        notice = "leak" if shared else "not looked at" if shared is None else ""
        counts = {"shared": shared, "exact": shared, "total": shared and 4}
        return {"seen_in_training": [{"train": "rain", "test": "rain", **counts, "notice": notice}]}

    both = joined(tmp_path, a=Run([TINY], changes=seen(None)), b=Run([TINY], changes=seen(2)))
    (entry,) = as_data(both.info)["seen_in_training"]
    assert (entry["shared"], entry["notice"]) == (2, "b: leak")
    assert any("2 (exact) of 4 of Rain in rain" in note for note in comparison_tables(measured(both))[0].notes)


def test_input_checks_that_failed_stay(tmp_path: Path) -> None:
    def check(notice: str) -> dict[str, object]:
        return {"input_checks": [{"dataset": "rain", "protocol": "y", "psnr": 1.0, "ssim": 1.0, "notice": notice}]}

    both = joined(tmp_path, a=Run([INPUT], changes=check("")), b=Run([INPUT], changes=check("other files")))
    assert "other files" in provenance(measured(both)).notices


def test_runs_of_one_name_are_told_apart() -> None:
    assert run_names([Path("/a/demo"), Path("/b/demo"), Path("/b/other")]) == ("demo in a", "demo in b", "other")
    assert run_names([Path("/x/a/demo"), Path("/y/a/demo")]) == ("demo in a in x", "demo in a in y")


@settings(max_examples=200)
@given(st.sets(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6))
def test_the_names_of_different_folders_differ(folders: set[tuple[str, ...]]) -> None:
    names = run_names([Path("/", *parts) for parts in sorted(folders)])
    assert len(set(names)) == len(folders)
    assert not any("/" in name for name in names)  # a name becomes part of a cell's path


def test_a_merged_description_is_json(tmp_path: Path) -> None:
    both = joined(tmp_path, a=Run([INPUT, TINY]), b=Run([TINY], steps=300))
    assert RunInfo.model_validate_json(json.dumps(as_data(both.info), allow_nan=False)) == both.info
