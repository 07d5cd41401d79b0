"""The comparison as data: hand-computed means, ranks, and what is not a number."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.errors import UserError
from derainbench.reports.comparison.cells import Cell, printed, ranked
from derainbench.reports.comparison.entries import entries
from derainbench.reports.comparison.labels import method_labels
from derainbench.reports.comparison.measured import measured
from derainbench.reports.comparison.table import comparison_table, comparison_tables
from derainbench.reports.layout.panels import Frame, panels
from derainbench.results.results import Failure, Results

from .conftest import Score, dataset, method, results, weights_info


def one_column(*psnrs: float) -> Results:
    """A dataset of one image and a method for each PSNR, named a, b, c ..."""
    names = "abcdefgh"[: len(psnrs)]
    scores: list[Score] = [(name, "d", 0, "d", "i", "y", psnr, 0.5) for name, psnr in zip(names, psnrs, strict=True)]
    return results(scores, [method(name) for name in names], [dataset("d", "i")], protocols=["y"])


def psnr_cells(run: Results) -> list[Cell]:
    return [row.cells[0] for row in comparison_table(measured(run), "y").rows]


def test_a_cell_is_the_mean_of_its_images_under_its_protocol_alone() -> None:
    scores: list[Score] = [
        ("a", "d", 0, "d", "i", "y", 30.0, 0.9),
        ("a", "d", 0, "d", "j", "y", 33.0, 0.8),
        ("a", "d", 0, "d", "i", "rgb", 10.0, 0.1),
        ("a", "d", 0, "d", "j", "rgb", 20.0, 0.3),
    ]
    y, rgb = comparison_tables(measured(results(scores, [method("a")], [dataset("d", "i", "j")])))
    assert [cell.text for cell in y.rows[0].cells] == ["31.50", "0.8500"]
    assert [cell.text for cell in rgb.rows[0].cells] == ["15.00", "0.2000"]
    assert (y.protocol, rgb.protocol) == ("y", "rgb")


def test_the_best_two_are_marked_and_what_prints_alike_shares_a_rank() -> None:
    cells = psnr_cells(one_column(30.001, 31.0, 30.004, 29.0, 31.0))
    assert [cell.rank for cell in cells] == ["second", "best", "second", None, "best"]


def test_infinite_images_are_left_out_of_the_mean_and_counted_in_a_note() -> None:
    scores: list[Score] = [
        ("a", "d", 0, "d", "i", "y", math.inf, 1.0),
        ("a", "d", 0, "d", "j", "y", 40.0, 0.98),
        ("b", "d", 0, "d", "i", "y", math.inf, 1.0),
        ("b", "d", 0, "d", "j", "y", math.inf, 1.0),
    ]
    table = comparison_table(measured(results(scores, [method("a"), method("b")], [dataset("d", "i", "j")])), "y")
    assert [(row.cells[0].text, row.cells[0].infinite, row.cells[0].rank) for row in table.rows] == [
        ("40.00", 1, "second"),
        ("∞", 2, "best"),
    ]
    assert "a on d: 1 image has infinite PSNR, left out of the mean." in table.notes
    assert "b on d: 2 images have infinite PSNR." in table.notes, "then the mean is infinite too"


def test_an_image_that_is_infinite_in_every_seed_is_not_several_images() -> None:
    scores: list[Score] = [
        ("a", "d", seed, "d", image, "y", psnr, 1.0)
        for seed in (0, 1)
        for image, psnr in (("i", math.inf), ("j", 40.0))
    ]
    table = comparison_table(measured(results(scores, [method("a")], [dataset("d", "i", "j")])), "y")
    assert "a on d: infinite PSNR 2 times in 2 seeds, left out of the mean." in table.notes


def test_an_undefined_score_makes_the_mean_undefined_and_unranked() -> None:
    first, second = psnr_cells(one_column(math.nan, 20.0))
    assert (first.text, first.rank, second.rank) == ("–", None, "best")


def test_seeds_are_averaged_after_images_with_their_sample_deviation() -> None:
    scores: list[Score] = [
        ("a", "d", seed, "d", image, "y", psnr, 0.5)
        for seed, image, psnr in [(0, "i", 30.0), (0, "j", 32.0), (1, "i", 33.0), (1, "j", 33.0)]
    ]
    cell = psnr_cells(results(scores, [method("a")], [dataset("d", "i", "j")], seeds=[0, 1]))[0]
    assert (cell.text, cell.deviation_text, cell.seeds) == ("32.00", "1.41", 2)
    assert cell.deviation == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("failed", ["train/b/d/seed0", "eval/b/d/seed0/d"])
def test_failed_and_missing_cells_say_so_and_take_no_rank(failed: str) -> None:
    run = results(
        [("a", "d", 0, "d", "i", "y", 1.0, 0.1)],
        [method("a"), method("b"), method("c")],
        [dataset("d", "i")],
        (Failure(failed, "no memory"),),
    )
    assert [(cell.text, cell.state, cell.rank) for cell in psnr_cells(run)] == [
        ("1.00", "finished", "best"),
        ("failed", "failed", None),
        ("–", "missing", None),
    ]


def test_a_seed_that_failed_is_noted_beside_those_that_finished() -> None:
    run = results(
        [("a", "d", 0, "d", "i", "y", 1.0, 0.1)],
        [method("a")],
        [dataset("d", "i")],
        (Failure("train/a/d/seed1", "no memory"),),
        seeds=[0, 1],
    )
    assert comparison_table(measured(run), "y").notes == ("a on d: 1 of 2 seeds finished.",)


def test_a_test_on_a_foreign_dataset_is_a_row_of_its_own() -> None:
    scores: list[Score] = [
        ("a", "d", 0, "d", "i", "y", 30.0, 0.5),
        ("a", "d", 0, "e", "i", "y", 20.0, 0.5),
        ("a", "e", 0, "e", "i", "y", 25.0, 0.5),
        ("free", "untrained", 0, "e", "i", "y", 10.0, 0.5),
    ]
    run = results(scores, [method("a"), method("free")], [dataset("d", "i"), dataset("e", "i")])
    rows = {
        row.entry.full_label: [cell.text for cell in row.cells[::2]]
        for row in comparison_table(measured(run), "y").rows
    }
    assert rows == {"a": ["30.00", "25.00"], "a (trained on d)": ["–", "20.00"], "free": ["–", "10.00"]}
    assert [entry.full_label for entry in entries(run)] == list(rows)


def test_methods_of_one_title_are_told_apart_by_their_options() -> None:
    methods = [method("nasnet", "NASNet"), method("nasnet[stages=1]", "NASNet"), method("prenet", "PReNet")]
    assert list(method_labels(methods).values()) == ["NASNet", "NASNet [stages=1]", "PReNet"]


def test_an_unknown_protocol_is_one_line_that_names_what_there_is() -> None:
    with pytest.raises(UserError, match=r"no scores under protocol 'rgbb'.*did you mean 'rgb'"):
        comparison_table(measured(results([], [], [])), "rgbb")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.125, "0.12"), (0.135, "0.14"), (2.675, "2.68"), (-0.001, "0.00"), (math.inf, "∞"), (math.nan, "–")],
)
def test_numbers_are_rounded_half_to_even_as_they_read(value: float, text: str) -> None:
    assert printed(value, "psnr") == text


@given(st.lists(st.floats(0, 60), min_size=1, max_size=8))
def test_every_column_has_a_best_and_nothing_prints_higher(values: list[float]) -> None:
    cells = ranked((Cell("finished", value, printed(value, "psnr")) for value in values), "psnr")
    best = {float(cell.text) for cell in cells if cell.rank == "best"}
    second = {float(cell.text) for cell in cells if cell.rank == "second"}
    others = {float(cell.text) for cell in cells if cell.rank is None}
    assert best == {max(float(cell.text) for cell in cells)}
    assert len(second) <= 1
    assert not second or max(others, default=-1.0) < max(second)


@given(st.integers(1, 9), st.integers(30, 120))
def test_panels_keep_every_column_once_and_in_order(count: int, width: int) -> None:
    table = comparison_table(
        measured(results([], [method("a")], [dataset(f"dataset-{n}", "i") for n in range(count)])), "y"
    )
    parts = panels(table, Frame(width, 20))
    assert [column for part in parts for column in part.columns] == list(table.columns)
    assert all(len(row.cells) == len(part.columns) for part in parts for row in part.rows)


def test_what_was_done_otherwise_is_noted_under_the_table() -> None:
    """Truncated outputs, and tiles where a network sees the whole image; not tiles that change nothing."""
    names = ("prenet@rain100l", "spanet", "near")
    under = ("y", "rgb-float-u7")
    scores: list[Score] = [
        (name, "d", 0, "d", image, protocol, 30.0, 0.9) for name in names for image in "ij" for protocol in under
    ]
    run = results(scores, [method(name) for name in names], [dataset("d", "i", "j")], protocols=[*under])
    assert comparison_table(measured(run), "y").notes == ()
    weights = weights_info(quantisation="truncate")
    published, whole, near = run.methods
    methods = (replace(published, weights=weights, reach=78), whole, replace(near, reach=1))
    run = replace(run, methods=methods, scores=run.scores.assign(tile=256))
    run.scores.loc[(run.scores["method"] == "spanet") & (run.scores["image"] == "j"), "tile"] = 0
    assert comparison_table(measured(run), "y").notes == (
        "Outputs of prenet@rain100l are truncated to 8 bit, not rounded, as their authors did.",
        "spanet on d: restored in tiles of 256 pixels (1 image); restored whole, it would score differently.",
    )
    assert len(comparison_table(measured(run), "rgb-float-u7").notes) == 1, (
        "a protocol of float images truncates nothing"
    )


def test_what_is_no_authors_is_told_under_the_table() -> None:
    run = one_column(30.0, 31.0)
    made_up = replace(run, methods=(replace(run.methods[0], proposal="a proposal of ours"), run.methods[1]))
    notes = comparison_table(measured(made_up), "y").notes
    assert [note for note in notes if "proposal" in note] == ["a: a proposal of ours."]
    assert not any("proposal" in note for note in comparison_table(measured(run), "y").notes)
